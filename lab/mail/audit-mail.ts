/**
 * After a run: is every acknowledged delivery in its mailbox, and none of them twice? Reads the
 * delivery log and asks one healthy Backend of each site for the messages. Settings: LAB_NET,
 * LAB_STATE; `--backend <name>` (again for each site), `--since <epoch ms>`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createDoveadmClient, type DoveadmClient } from './cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from './dovecot-config.mjs';
import { hostsOf, PORTS } from './hosts.mjs';
import { readLabSettings, type LabSettings } from './lab-settings.ts';
import { deliveryLogOf } from './traffic/delivery-log.ts';
import type { DeliveryAttempt } from './traffic/delivery-queue.ts';

export interface MailAudit {
  /** Deliveries that were acknowledged, and those tried more than once. */
  readonly accepted: number;
  readonly retried: number;
  readonly stored: number;
  /** Acknowledged, and not in the mailbox. */
  readonly lost: readonly string[];
  /** In the mailbox more than once. */
  readonly doubled: readonly string[];
  /** Of these, how many had no lost acknowledgement before: must be none. */
  readonly unexplainedDoubles: readonly string[];
  /** Mailboxes that could not be read. */
  readonly unread: readonly string[];
}

export interface MailAuditOptions {
  /** Only deliveries that began after it; older mail may have been removed by the traffic. */
  readonly sinceMs: number;
  /** Which Backends to ask, at most one a site; others are chosen. */
  readonly backends: readonly string[];
}

const USERS_AT_ONCE = 4;
/** The traffic removes old mail from large mailboxes: older deliveries prove nothing. */
const MAX_AGE_MS = 2 * 3600 * 1000;

/** Needs a running lab, with at least one healthy Backend a site. */
export async function auditMail(
  { net, stateDir }: LabSettings,
  { sinceMs, backends }: MailAuditOptions,
): Promise<MailAudit> {
  const attempts = readAttempts(deliveryLogOf(stateDir)).filter((one) => one.atMs >= sinceMs);
  const byId = Map.groupBy(attempts, ({ id }) => id);
  const users = [...new Set(attempts.map(({ user }) => user))];
  const { stored, unread } = await readStored(users, await chooseDoveadms(net, backends));
  const accepted = [...byId].filter(([, tries]) =>
    tries.some(({ outcome }) => outcome === 'accepted'),
  );
  const isRead = (tries: readonly DeliveryAttempt[]) => !unread.includes(tries[0]?.user ?? '');
  const doubled = [...byId.keys()].filter((id) => (stored.get(id) ?? 0) > 1);
  const hasLostAck = (id: string) => byId.get(id)?.some(({ outcome }) => outcome === 'lostAck');
  return {
    accepted: accepted.length,
    retried: [...byId.values()].filter((tries) => tries.length > 1).length,
    stored: [...byId.keys()].filter((id) => stored.has(id)).length,
    lost: accepted.filter(([id, tries]) => isRead(tries) && !stored.has(id)).map(([id]) => id),
    doubled,
    unexplainedDoubles: doubled.filter((id) => hasLostAck(id) !== true),
    unread,
  };
}

function readAttempts(file: string): DeliveryAttempt[] {
  const texts = [`${file}.1`, file].map((one) =>
    existsSync(one) ? readFileSync(one, 'utf8') : '',
  );
  // The last line may be half written.
  return texts
    .join('')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as DeliveryAttempt];
      } catch {
        return [];
      }
    });
}

/** The real doveadm of one Backend a site, past the cluster service. */
async function chooseDoveadms(net: number, preferred: readonly string[]) {
  const chosen = new Map<string, DoveadmClient>();
  const backends = hostsOf(net).filter(({ role }) => role === 'backend');
  const ordered = backends.toSorted(
    (a, b) => Number(preferred.includes(b.name)) - Number(preferred.includes(a.name)),
  );
  for (const { site, address } of ordered) {
    if (chosen.has(site)) continue;
    const endpoint = { address, port: PORTS.dovecotDoveadm };
    const doveadm = createDoveadmClient(endpoint, DOVEADM_API_KEY);
    if (await isHealthy(doveadm)) chosen.set(site, doveadm);
  }
  return chosen;
}

async function isHealthy(doveadm: DoveadmClient): Promise<boolean> {
  const late = new Promise<false>((resolve) => setTimeout(resolve, 2000, false).unref());
  const answer = doveadm.readCommands().then(
    ({ status }) => status === 200,
    () => false,
  );
  return Promise.race([answer, late]);
}

/** How often each id is in the mailbox of its user. */
async function readStored(users: readonly string[], doveadms: ReadonlyMap<string, DoveadmClient>) {
  const stored = new Map<string, number>();
  const unread: string[] = [];
  const waiting = users.values();
  const work = async () => {
    for (const user of waiting) {
      const site = /@([^.]+)\./.exec(user)?.[1] ?? '';
      const ids = await readIds(user, doveadms.get(site)).catch(() => null);
      if (ids === null) unread.push(user);
      for (const id of ids ?? []) stored.set(id, (stored.get(id) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: USERS_AT_ONCE }, work));
  return { stored, unread };
}

async function readIds(user: string, doveadm: DoveadmClient | undefined): Promise<string[]> {
  if (doveadm === undefined) throw new Error('no healthy Backend of that site');
  const parameters = { user, field: ['hdr.x-lab-id'], query: ['mailbox', 'INBOX'] };
  const reply = await doveadm.run('fetch', parameters);
  if (reply.kind === 'error') throw new Error(`fetch: ${reply.type} ${reply.exitCode}`);
  return reply.rows
    .map((row) => row['hdr.x-lab-id'])
    .filter((id): id is string => typeof id === 'string' && id !== '');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { backend: { type: 'string', multiple: true }, since: { type: 'string' } },
  });
  const sinceMs = Number(values.since ?? Date.now() - MAX_AGE_MS);
  const options = { sinceMs, backends: values.backend ?? [] };
  const audit = await auditMail(readLabSettings(process.env), options);
  process.stdout.write(`${JSON.stringify(audit, null, 2)}\n`);
  const isSafe = audit.lost.length + audit.unexplainedDoubles.length + audit.unread.length === 0;
  process.exitCode = isSafe ? 0 : 1;
}
