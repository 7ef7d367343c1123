/** Talks to the supervisor of a running lab. */
import type { LabSettings } from './lab-settings.ts';

export interface PartStatus {
  readonly name: string;
  readonly state: string;
  /** What somebody ordered: none, stopped, killed, frozen. */
  readonly hold: string;
  readonly pid: number | null;
  readonly restarts: number;
}

export type PartVerb = 'stop' | 'start' | 'kill' | 'freeze' | 'thaw';

/** Something that the person at the terminal has to know; `isUsage`: the command was wrong. */
export class LabError extends Error {
  readonly isUsage: boolean;

  constructor(
    message: string,
    { isUsage = false, cause }: { isUsage?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.isUsage = isUsage;
  }
}

/** Throws LabError where no lab runs. */
export async function readParts(lab: LabSettings): Promise<PartStatus[]> {
  const { parts } = (await ask(lab, '/status', 'GET')) as { parts: PartStatus[] };
  return parts;
}

/** One order for several parts; `kill` stays down until `start`. Throws LabError. */
export async function orderParts(lab: LabSettings, verb: PartVerb, parts: readonly string[]) {
  if (parts.length === 0) return;
  const query = new URLSearchParams(parts.map((part): [string, string] => ['part', part]));
  if (verb === 'kill') query.set('stay', '1');
  await ask(lab, `/${verb}?${query.toString()}`, 'POST');
}

async function ask({ control, net }: LabSettings, path: string, method: string): Promise<unknown> {
  const response = await fetch(`${control}${path}`, { method }).catch((cause: unknown) => {
    const message = `The lab is not running (nothing answers on ${control}, net ${net}): npm start`;
    throw new LabError(message, { cause });
  });
  const body = (await response.json().catch(() => ({}))) as { error?: string };
  if (!response.ok) throw new LabError(body.error ?? `the supervisor answered ${response.status}`);
  return body;
}
