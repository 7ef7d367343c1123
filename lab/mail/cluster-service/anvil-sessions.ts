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

/** `service/address/user` or, of a delivery, `service/user`; then the process and how many sessions it has. */
function parseSession(line: string): Session {
  const [identity = '', pid] = line.split('\t').map(unescapeField);
  const [service, second, ...rest] = identity.split('/');
  if (service === undefined || second === undefined || pid === undefined) {
    throw new Error(`no session: ${line.slice(0, 200)}`);
  }
  return { service, username: rest.length === 0 ? second : rest.join('/') };
}

function unescapeField(text: string): string {
  const [plain = '', ...rest] = text.split(ESCAPE);
  return plain + rest.map((part) => (ESCAPED[part.charAt(0)] ?? '') + part.slice(1)).join('');
}
