/** The shape of a doveadm HTTP request, checked as Dovecot checks it, before anything is run. */

export interface DoveadmCommand {
  /** camelCase. */
  readonly name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly tag: string;
}

/** The whole request is refused: HTTP 400 with this text. */
export class BadRequestError extends Error {}

/** Throws BadRequestError. */
export function parseDoveadmRequest(body: string): DoveadmCommand[] {
  const request = parseJson(body);
  if (!Array.isArray(request)) throw new BadRequestError('Request must be a JSON array');
  return request.map(parseCommand);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    const isCutOff = body.trim() === '' || /[^\]}]\s*$|^\[\[.*[^\]]\]\s*$/s.test(body);
    throw new BadRequestError(
      `JSON parse error: ${isCutOff ? "Missing '}'" : 'Invalid data as value'}`,
    );
  }
}

function parseCommand(element: unknown): DoveadmCommand {
  if (!Array.isArray(element)) throw new BadRequestError('Command must be a JSON array');
  const [name, parameters, tag, ...rest] = element as unknown[];
  if (typeof name !== 'string') throw new BadRequestError('Command name must be a string');
  if (!isObject(parameters)) {
    throw new BadRequestError('Parameters must be contained in a JSON object');
  }
  if (typeof tag !== 'string') throw new BadRequestError('Command ID must be a string');
  if (rest.length > 0) {
    throw new BadRequestError('Unexpected JSON element at end of command');
  }
  const named = Object.entries(parameters).map(([key, value]) => {
    if (value === null) throw new BadRequestError(`Parameter \`${key}' must be string or array`);
    return [toCamelCase(key), value] as const;
  });
  return { name: toCamelCase(name), parameters: Object.fromEntries(named), tag };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `cluster backend update`, `min-last-moved`: a space or dash and a letter are a capital. */
const toCamelCase = (text: string) =>
  text.replaceAll(/[ -]([a-z])/g, (_, letter: string) => letter.toUpperCase());
