/** Short IMAP and POP3 sessions, as a phone makes them; each tells how it went. */
import { openTextClient, type TextClient } from '../cluster-service/text-client.ts';

export type LoginOutcome = 'ok' | 'refused' | 'unavailable' | 'noAnswer';
/** What became of a session whose login went well. */
export type SessionOutcome = 'complete' | 'storageError' | 'cut';

export interface SessionReport {
  readonly login: LoginOutcome;
  readonly loginMs: number;
  /** null: there was no session. */
  readonly session: SessionOutcome | null;
}

export interface MailAddress {
  readonly address: string;
  readonly port: number;
}

const DEADLINE_MS = 20_000;
/** Old mail is removed now and then, or the lab's disk fills up. */
const KEEP_MESSAGES = 300;
const REMOVE_MESSAGES = 100;

/** LOGIN, SELECT, NOOP, LOGOUT. Never rejects. */
export function runImapSession(
  server: MailAddress,
  username: string,
  password: string,
): Promise<SessionReport> {
  return runSession(server, async (client, report) => {
    await client.readUntil((line) => line.startsWith('* OK'));
    report.login(await imapCommand(client, `a LOGIN ${username} ${password}`));
    const messages = await selectInbox(client);
    await expectOk(await imapCommand(client, 'c NOOP'));
    if (messages > KEEP_MESSAGES) {
      const old = `1:${REMOVE_MESSAGES}`;
      await expectOk(await imapCommand(client, `d STORE ${old} +FLAGS.SILENT (\\Deleted)`));
      await expectOk(await imapCommand(client, 'e EXPUNGE'));
    }
    await imapCommand(client, 'f LOGOUT');
  });
}

/** USER, PASS, STAT, QUIT. Never rejects. */
export function runPop3Session(
  server: MailAddress,
  username: string,
  password: string,
): Promise<SessionReport> {
  return runSession(server, async (client, report) => {
    const command = async (text: string) => {
      client.send(text);
      return client.readUntil((line) => /^(\+OK|-ERR)/.test(line));
    };
    await client.readUntil((line) => line.startsWith('+OK'));
    await command(`USER ${username}`);
    report.login(await command(`PASS ${password}`));
    await expectOk(await command('STAT'));
    await command('QUIT');
  });
}

/** Sends `tag command` and answers the tagged line. */
export async function imapCommand(client: TextClient, command: string): Promise<string> {
  const tag = command.slice(0, command.indexOf(' ') + 1);
  client.send(command);
  return client.readUntil((line) => line.startsWith(tag));
}

/** How many messages there are. */
async function selectInbox(client: TextClient): Promise<number> {
  let messages = 0;
  client.send('b SELECT INBOX');
  const reply = await client.readUntil((line) => {
    messages = Number(/^\* (\d+) EXISTS/.exec(line)?.[1] ?? messages);
    return line.startsWith('b ');
  });
  await expectOk(reply);
  return messages;
}

/** IMAP and POP3 say why in brackets. */
export function judgeLogin(reply: string): LoginOutcome {
  if (/^\S+ OK/.test(reply) || reply.startsWith('+OK')) return 'ok';
  return /\[(UNAVAILABLE|SYS\/TEMP)/.test(reply) ? 'unavailable' : 'refused';
}

class StorageError extends Error {}
class NoLoginError extends Error {}

async function expectOk(reply: string): Promise<void> {
  if (judgeLogin(reply) !== 'ok') throw new StorageError(reply);
}

interface LoginReporter {
  /** Throws where the reply is no success. */
  login(reply: string): void;
}

async function runSession(
  server: MailAddress,
  talk: (client: TextClient, report: LoginReporter) => Promise<void>,
): Promise<SessionReport> {
  const startedAtMs = performance.now();
  const client = openTextClient(server, DEADLINE_MS);
  const seen: { login: LoginOutcome; loginMs: number | null } = {
    login: 'noAnswer',
    loginMs: null,
  };
  const elapsed = () => performance.now() - startedAtMs;
  const reporter = {
    login(reply: string) {
      seen.login = judgeLogin(reply);
      seen.loginMs = elapsed();
      if (seen.login !== 'ok') throw new NoLoginError(reply);
    },
  };
  const session = await talk(client, reporter).then(
    () => 'complete' as const,
    (error: unknown) => (error instanceof StorageError ? 'storageError' : 'cut'),
  );
  client.close();
  const { login, loginMs } = seen;
  return { login, loginMs: loginMs ?? elapsed(), session: login === 'ok' ? session : null };
}
