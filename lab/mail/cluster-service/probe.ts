/**
 * Probes of offline Backends: a test user logs in and gets mail through this proxy, so that the
 * normal counters of the proxy tell when the Backend serves again. Every 2 s, and never two of a
 * kind at a time for one Backend: a frozen one takes 30 s to fail.
 */
import { randomUUID } from 'node:crypto';
import { describeError } from '../../../platform/describe-error.ts';
import type { ClusterMapReader } from './cluster-map.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics-text.ts';
import type { Endpoint } from './settings.ts';
import { openTextClient } from './text-client.ts';

const PROBE_EVERY_MS = 2000;
/** A proxy gives up on a frozen Backend after 5 s (logins) and 30 s (deliveries): wait for that. */
const LOGIN_DEADLINE_MS = 12_000;
const DELIVERY_DEADLINE_MS = 45_000;
/** More messages than this are removed from the mailbox of the test user. */
const KEEP_MESSAGES = 20;

export interface ProbeParts {
  readonly map: ClusterMapReader;
  readonly metrics: Metrics;
  readonly log: Log;
  /** This proxy. */
  readonly imap: Endpoint;
  readonly lmtp: Endpoint;
  readonly password: string;
}

type ProbeKind = 'login' | 'delivery';

/** Starts probing; the answer stops it. */
export function startProbes(parts: ProbeParts): () => void {
  const running = new Set<string>();
  const probeOnce = async (host: string, kind: ProbeKind) => {
    const key = `${kind} ${host}`;
    if (running.has(key)) return;
    running.add(key);
    const user = `probe-${host}`;
    const probe = kind === 'login' ? probeLogin(user, parts) : probeDelivery(user, parts.lmtp);
    const failure = await probe.then(
      () => null,
      (error: unknown) => describeError(error),
    );
    running.delete(key);
    const outcome = failure === null ? 'success' : 'failure';
    parts.metrics.add('dovekeeper_probe', { dest_host: host, kind, outcome });
  };
  const timer = setInterval(() => {
    const siteId = parts.map.ownSite()?.id;
    for (const { host, siteId: backendSiteId, status } of parts.map.current().backends) {
      if (backendSiteId !== siteId || status !== 'offline') continue;
      void probeOnce(host, 'login');
      void probeOnce(host, 'delivery');
    }
  }, PROBE_EVERY_MS);
  return () => clearInterval(timer);
}

/** Also SELECTs: with a dead mail store, people can still log in. Rejects with the reason. */
async function probeLogin(user: string, { imap, password }: ProbeParts): Promise<void> {
  const client = openTextClient(imap, LOGIN_DEADLINE_MS);
  const command = async (tag: string, text: string) => {
    client.send(`${tag} ${text}`);
    const line = await client.readUntil((reply) => reply.startsWith(`${tag} `));
    if (!line.startsWith(`${tag} OK`)) throw new Error(line);
  };
  try {
    await client.readUntil((line) => line.startsWith('* OK'));
    await command('a', `LOGIN ${user} ${password}`);
    client.send('b SELECT INBOX');
    let messages = 0;
    const selected = await client.readUntil((line) => {
      messages = Number(/^\* (\d+) EXISTS/.exec(line)?.[1] ?? messages);
      return line.startsWith('b ');
    });
    if (!selected.startsWith('b OK')) throw new Error(selected);
    if (messages > KEEP_MESSAGES) {
      await command('c', `STORE 1:${messages - 1} +FLAGS.SILENT (\\Deleted)`);
      await command('d', 'EXPUNGE');
    }
    await command('e', 'LOGOUT');
  } finally {
    client.close();
  }
}

/** Rejects with the reason. */
async function probeDelivery(user: string, lmtp: Endpoint): Promise<void> {
  const client = openTextClient(lmtp, DELIVERY_DEADLINE_MS);
  const expect = async (code: string) => {
    const line = await client.readUntil((reply) => /^\d{3} /.test(reply));
    if (!line.startsWith(code)) throw new Error(line);
  };
  try {
    await expect('220');
    client.send('LHLO probe');
    await expect('250');
    client.send('MAIL FROM:<probe@localhost>');
    await expect('250');
    client.send(`RCPT TO:<${user}>`);
    await expect('250');
    client.send('DATA');
    await expect('354');
    client.send(`Subject: probe\r\nX-Probe-Id: ${randomUUID()}\r\n\r\nIs this Backend well?\r\n.`);
    await expect('250');
    client.send('QUIT');
  } finally {
    client.close();
  }
}
