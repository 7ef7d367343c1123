/**
 * Deliveries as a real mail server makes them: what was not acknowledged is tried again, with the
 * same id, until it is. Every attempt is written down, for the audit.
 */
import { randomUUID } from 'node:crypto';
import { describeError } from '../../../platform/describe-error.ts';
import { openTextClient, type TextClient } from '../cluster-service/text-client.ts';
import type { MailAddress } from './login-clients.ts';
import type { RotatingLog } from './rotating-log.ts';

/**
 * accepted: acknowledged. tempFailed: refused for now, so it is not in the mailbox. lostAck: nobody
 * knows; the text was sent, and then the connection ended, or the proxy lost the Backend.
 * noAnswer: it ended before the text was sent. rejected: for good.
 */
export type DeliveryOutcome = 'accepted' | 'tempFailed' | 'lostAck' | 'noAnswer' | 'rejected';

/** One line of the delivery log. */
export interface DeliveryAttempt {
  readonly atMs: number;
  readonly id: string;
  readonly user: string;
  readonly attempt: number;
  readonly outcome: DeliveryOutcome;
  /** The reply that decided, or the error. */
  readonly detail: string;
  readonly proxy: string;
}

export interface DeliveryQueue {
  /** Starts a delivery; returns at once. */
  deliver(user: string): void;
  /** Deliveries that were not acknowledged yet. */
  readonly waiting: number;
  stop(): void;
}

export interface DeliveryQueueParts {
  readonly log: RotatingLog;
  /** Which proxy takes the next attempt for this user. */
  readonly nextProxy: (user: string) => MailAddress;
  readonly onAttempt: (attempt: DeliveryAttempt) => void;
}

/** A mail server waits long for the final reply: whoever gives up early makes doubles. */
const DEADLINE_MS = 120_000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;

/** Any number of deliveries run at the same time. */
export function createDeliveryQueue(parts: DeliveryQueueParts): DeliveryQueue {
  const timers = new Map<string, NodeJS.Timeout | null>();
  let isStopped = false;
  const attempt = async (id: string, user: string, number: number) => {
    const server = parts.nextProxy(user);
    timers.set(id, null);
    const { outcome, detail } = await sendMessage(server, user, id);
    if (isStopped) return;
    const proxy = server.address;
    const record = { atMs: Date.now(), id, user, attempt: number, outcome, detail, proxy };
    parts.log.append(record);
    parts.onAttempt(record);
    timers.delete(id);
    if (outcome === 'accepted' || outcome === 'rejected') return;
    const retryMs = Math.min(FIRST_RETRY_MS * 2 ** (number - 1), LONGEST_RETRY_MS);
    const again = () => void attempt(id, user, number + 1);
    timers.set(id, setTimeout(again, retryMs));
  };
  return {
    deliver: (user) => void attempt(randomUUID(), user, 1),
    get waiting() {
      return timers.size;
    },
    stop() {
      isStopped = true;
      for (const timer of timers.values()) if (timer !== null) clearTimeout(timer);
    },
  };
}

async function sendMessage(server: MailAddress, user: string, id: string) {
  const client = openTextClient(server, DEADLINE_MS);
  const progress = { isTextSent: false };
  try {
    const reply = await converse(client, user, id, progress);
    client.send('QUIT');
    return { outcome: judgeReply(reply, progress.isTextSent), detail: reply };
  } catch (error) {
    const detail = describeError(error);
    return { outcome: progress.isTextSent ? ('lostAck' as const) : ('noAnswer' as const), detail };
  } finally {
    client.close();
  }
}

/** The reply that decided: the first that is no success, or the last. */
async function converse(
  client: TextClient,
  user: string,
  id: string,
  progress: { isTextSent: boolean },
): Promise<string> {
  const read = () => client.readUntil((line) => /^\d{3} /.test(line));
  const commands = ['LHLO traffic', 'MAIL FROM:<traffic@example>', `RCPT TO:<${user}>`, 'DATA'];
  let reply = await read();
  for (const command of commands) {
    if (!/^[23]/.test(reply)) return reply;
    client.send(command);
    reply = await read();
  }
  if (!reply.startsWith('354')) return reply;
  progress.isTextSent = true;
  client.send(message(id));
  return read();
}

function judgeReply(reply: string, isTextSent: boolean): DeliveryOutcome {
  if (reply.startsWith('250') && isTextSent) return 'accepted';
  if (reply.startsWith('5')) return 'rejected';
  // 4.4.x is the proxy speaking: it sent the text on and lost the Backend before the reply.
  return isTextSent && /^4\d\d 4\.4\./.test(reply) ? 'lostAck' : 'tempFailed';
}

const message = (id: string) =>
  [
    'From: Traffic <traffic@example>',
    `Date: ${new Date().toUTCString()}`,
    `Subject: message ${id.slice(0, 8)}`,
    `Message-ID: <${id}@traffic.example>`,
    `X-Lab-Id: ${id}`,
    '',
    'Mail of the traffic generator. '.repeat(20),
    '.',
  ].join('\r\n');
