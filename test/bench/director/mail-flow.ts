/** Deliveries at a fixed rate while users move, and the count of them in the mailboxes afterwards. */
import { createDoveadmClient } from '../../../lab/mail/cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from '../../../lab/mail/dovecot-config.mjs';
import { PORTS } from '../../../lab/mail/hosts.mjs';
import {
  createDeliveryQueue,
  type DeliveryAttempt,
} from '../../../lab/mail/traffic/delivery-queue.ts';
import type { MailAddress } from '../../../lab/mail/traffic/login-clients.ts';
import { eventually } from '../../support/eventually.ts';

export interface MailFlow {
  /** No new deliveries; settles when all are acknowledged, or at the deadline. */
  finish(): Promise<void>;
  readonly attempts: readonly DeliveryAttempt[];
}

export interface MailCount {
  readonly accepted: number;
  /** Acknowledged, and not in the mailbox. */
  readonly lost: number;
  /** More than once in the mailbox. */
  readonly doubled: number;
  /** Of these: the acknowledgement of an earlier attempt was lost, so the sender had to repeat it. */
  readonly explained: number;
  /** Never acknowledged by the end. */
  readonly waiting: number;
}

const PER_SECOND = 40;
const FINISH_MS = 30_000;
const USERS_AT_ONCE = 8;

export function startMailFlow(users: readonly string[], proxies: readonly MailAddress[]): MailFlow {
  const attempts: DeliveryAttempt[] = [];
  const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
  const queue = createDeliveryQueue({
    log: { append: () => undefined, close: () => Promise.resolve() },
    nextProxy: () => pick(proxies),
    onAttempt: (attempt) => void attempts.push(attempt),
  });
  const timer = setInterval(() => queue.deliver(pick(users)), 1_000 / PER_SECOND);
  return {
    attempts,
    async finish() {
      clearInterval(timer);
      const options = { timeoutMs: FINISH_MS, intervalMs: 50 };
      await eventually('all mail is delivered', () => queue.waiting === 0, options).catch(
        () => undefined,
      );
      queue.stop();
    },
  };
}

/** @param address of a healthy Backend that sees all mailboxes */
export async function countMail(
  attempts: readonly DeliveryAttempt[],
  address: string,
): Promise<MailCount> {
  const byId = Map.groupBy(attempts, ({ id }) => id);
  const stored = await readStored([...new Set(attempts.map(({ user }) => user))], address);
  const count = { accepted: 0, lost: 0, doubled: 0, explained: 0, waiting: 0 };
  for (const [id, tries] of byId) {
    const copies = stored.get(id) ?? 0;
    const isAccepted = tries.some(({ outcome }) => outcome === 'accepted');
    if (!isAccepted) count.waiting += 1;
    else count.accepted += 1;
    if (isAccepted && copies === 0) count.lost += 1;
    if (copies < 2) continue;
    count.doubled += 1;
    if (tries.some(({ outcome }) => outcome === 'lostAck')) count.explained += 1;
  }
  return count;
}

async function readStored(users: readonly string[], address: string): Promise<Map<string, number>> {
  const doveadm = createDoveadmClient({ address, port: PORTS.dovecotDoveadm }, DOVEADM_API_KEY);
  const stored = new Map<string, number>();
  const waiting = users.values();
  const work = async (): Promise<void> => {
    for (const user of waiting) {
      const parameters = { user, field: ['hdr.x-lab-id'], query: ['mailbox', 'INBOX'] };
      const reply = await doveadm.run('fetch', parameters);
      if (reply.kind === 'error') throw new Error(`fetch of ${user}: ${reply.type}`);
      for (const row of reply.rows) {
        const id = row['hdr.x-lab-id'];
        if (typeof id === 'string') stored.set(id, (stored.get(id) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: USERS_AT_ONCE }, work));
  return stored;
}
