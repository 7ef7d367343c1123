/** The list of sessions as anvil sends it; every test with a Dovecot uses the real one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readAnvilSessions } from '../../lab/mail/cluster-service/anvil-sessions.ts';

let baseDir: string;
let server: Server | null = null;
let asked: string[] = [];

beforeEach(() => {
  baseDir = mkdtempSync(join(tmpdir(), 'anvil-'));
  asked = [];
});

afterEach(async () => {
  await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
  server = null;
  rmSync(baseDir, { recursive: true });
});

async function play(answer: (socket: Socket) => void): Promise<void> {
  const playing = createServer((socket) => {
    socket.on('data', (text) => {
      asked.push(text.toString());
      answer(socket);
    });
  });
  server = playing;
  await new Promise<void>((resolve) => playing.listen(join(baseDir, 'anvil'), resolve));
}

it('names users of logins and of deliveries, and what Dovecot escapes', async () => {
  await play((socket) =>
    socket.write(
      'imap/127.0.0.1/anna@example.org\t77\t2\n' +
        'lmtp/bert@example.org\t78\t1\n' +
        'pop3/::1/odd\u0001tname/with slash\t79\t1\n\n',
    ),
  );
  expect(await readAnvilSessions(baseDir)).toEqual([
    { service: 'imap', username: 'anna@example.org' },
    { service: 'lmtp', username: 'bert@example.org' },
    { service: 'pop3', username: 'odd\tname/with slash' },
  ]);
  expect(asked).toEqual(['VERSION\tanvil\t1\t0\nCONNECT-DUMP\n']);
});

it('may be empty', async () => {
  await play((socket) => socket.write('\n'));
  expect(await readAnvilSessions(baseDir)).toEqual([]);
});

it('may come in pieces that end anywhere', async () => {
  const pieces = ['imap/127.0.0.1/anna\t7', '7\t1\n', 'imap/127.0.0.1/bert\t78\t1\n', '\n'];
  await play((socket) => {
    const send = (): void => {
      const piece = pieces.shift();
      if (piece !== undefined) socket.write(piece, () => setImmediate(send));
    };
    send();
  });
  const sessions = await readAnvilSessions(baseDir);
  expect(sessions.map(({ username }) => username)).toEqual(['anna', 'bert']);
});

it.each([
  {
    what: 'that ends half-way',
    answer: (socket: Socket) => socket.end('imap/127.0.0.1/anna\t77\t1\n'),
    message: 'anvil: hung up',
  },
  {
    what: 'that is none',
    answer: (socket: Socket) => socket.write('no such command\n\n'),
    message: 'anvil: no session: no such command',
  },
])('a list $what is an error', async ({ answer, message }) => {
  await play(answer);
  await expect(readAnvilSessions(baseDir)).rejects.toThrow(message);
});

it('without a Dovecot is an error', async () => {
  await expect(readAnvilSessions(baseDir)).rejects.toThrow(/^anvil: .*ENOENT/);
});
