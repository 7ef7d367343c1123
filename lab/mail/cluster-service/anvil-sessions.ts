/**
 * Who has sessions on this Dovecot? Anvil knows, and is asked on its own socket, as doveadm's `who` does. By way of
 * doveadm's HTTP the same list costs three times the CPU, and a move asks for it again and again.
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Session } from './doveadm-client.ts';

const HANDSHAKE = 'VERSION\tanvil\t1\t0\n';
const TIMEOUT_MS = 10_000;
const LINE_FEED = 0x0a;
/** Dovecot writes what would break its lines as this byte and a letter. */
const ESCAPE = '\u0001';
const ESCAPED: Readonly<Record<string, string>> = {
  '0': '\0',
  '1': ESCAPE,
  t: '\t',
  r: '\r',
  n: '\n',
};

/** One entry for each process in which a user has sessions. Rejects where nobody answers, or nothing that is a list. */
export function readAnvilSessions(baseDir: string): Promise<Session[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(join(baseDir, 'anvil'));
    const fail = (error: Error): void => {
      socket.destroy();
      reject(new Error(`anvil: ${error.message}`));
    };
    socket.setTimeout(TIMEOUT_MS, () => fail(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('hung up')));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      // An empty line ends the list; within the list there is none, so it can only be at the end.
      if (chunk.at(-1) !== LINE_FEED) return;
      const text = Buffer.concat(chunks).toString();
      if (text !== '\n' && !text.endsWith('\n\n')) return;
      socket.destroy();
      try {
        resolve(text.split('\n').flatMap((line) => (line === '' ? [] : [parseSession(line)])));
      } catch (error) {
        fail(error as Error);
      }
    });
    socket.write(`${HANDSHAKE}CONNECT-DUMP\n`);
  });
}

/**
 * `service/address/user` or, of a delivery, `service/user`; then the process and how many sessions it has. There are
 * thousands of them several times a second: it takes apart no more than it needs.
 */
function parseSession(line: string): Session {
  const end = line.indexOf('\t');
  const identity = unescapeField(line.slice(0, end));
  const first = identity.indexOf('/');
  if (end === -1 || first === -1) throw new Error(`no session: ${line.slice(0, 200)}`);
  const second = identity.indexOf('/', first + 1);
  const userAt = second === -1 ? first : second;
  return { service: identity.slice(0, first), username: identity.slice(userAt + 1) };
}

function unescapeField(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  const [plain = '', ...rest] = text.split(ESCAPE);
  return plain + rest.map((part) => (ESCAPED[part.charAt(0)] ?? '') + part.slice(1)).join('');
}
