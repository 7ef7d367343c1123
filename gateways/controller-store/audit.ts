/**
 * The audit: entries by site and day in a chain of hashes, so that a missing or changed entry
 * shows. The last hash of each day stays as a checkpoint when its entries have expired.
 */
import { createHash } from 'node:crypto';
import type { CassandraSession } from '../cassandra-session.ts';
import { numberOf, requiredText, textOf, toBigint } from '../cassandra-values.ts';
import { GatewayError } from '../gateway-error.ts';
import type { AuditEntry, ControllerStore } from './controller-store.ts';
import type { StoreStatements } from './statements.ts';

type AuditMethods = Pick<ControllerStore, 'appendAudit' | 'readAudit'>;

interface ChainLink {
  readonly seq: number;
  readonly hash: string;
}

/** Before the first entry of all. */
const ORIGIN: ChainLink = { seq: 0, hash: '' };
const ATTEMPTS = 50;
const HIGHEST_SEQ = 2 ** 31 - 1;
const PAGE = 200;

export function auditMethods(session: CassandraSession, statements: StoreStatements): AuditMethods {
  return {
    appendAudit: (entry) => appendAudit(session, statements, entry),
    readAudit: (siteName, options) => readAudit(session, statements, siteName, options),
  };
}

/** The hash of an entry covers the one before it. */
export function hashOf(previousHash: string, body: string): string {
  return createHash('sha256').update(previousHash).update('\n').update(body).digest('hex');
}

/** Writers race for the next number: the conditional insert lets one of them win. */
async function appendAudit(
  session: CassandraSession,
  statements: StoreStatements,
  entry: AuditEntry,
): Promise<void> {
  const { siteName: site, atMs } = entry;
  const day = dayOf(atMs);
  const body = JSON.stringify(entry);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const head = await readHead(session, statements, site, day);
    const hash = hashOf(head.hash, body);
    const params = [site, day, head.seq + 1, toBigint(atMs), body, head.hash, hash];
    const { applied } = await session.writeIf('appendAudit', statements.appendAudit, params);
    if (applied) {
      // Ordered by number: a slower writer of an earlier entry does not move the checkpoint back.
      const checkpoint = [site, day, head.seq + 1, hash, BigInt(head.seq + 1)];
      await session.write('saveAuditDay', statements.saveAuditDay, checkpoint);
      return;
    }
  }
  throw new GatewayError(`too many writers at once for the audit of ${site}`, {
    system: 'cassandra',
    operation: 'appendAudit',
    code: 'Refused',
    isTemporary: true,
    subject: 'audit',
  });
}

/** The last entry of that day, or of the last day before it; numbers begin anew each day. */
async function readHead(
  session: CassandraSession,
  statements: StoreStatements,
  site: string,
  day: string,
): Promise<ChainLink> {
  const today = await readLast(session, statements, site, day);
  if (today !== null) return today;
  const days = await session.read('readAuditDays', statements.readAuditDays, [site, day]);
  const former = days.find((row) => requiredText(row, 'day') < day);
  if (former === undefined) return ORIGIN;
  // The checkpoint may lag behind by the entry of a writer that died after it.
  const last = await readLast(session, statements, site, requiredText(former, 'day'));
  return { seq: 0, hash: last?.hash ?? requiredText(former, 'hash') };
}

async function readLast(
  session: CassandraSession,
  statements: StoreStatements,
  site: string,
  day: string,
): Promise<ChainLink | null> {
  const row = await session.readOne('readAuditHead', statements.readAuditHead, [site, day]);
  if (row === null) return null;
  return { seq: numberOf(row, 'seq') ?? 0, hash: requiredText(row, 'hash') };
}

async function readAudit(
  session: CassandraSession,
  statements: StoreStatements,
  site: string,
  { limit, beforeMs = Number.MAX_SAFE_INTEGER }: { limit: number; beforeMs?: number },
): Promise<AuditEntry[]> {
  const lastDay = beforeMs >= Date.parse('9999-12-31') ? '9999-12-31' : dayOf(beforeMs);
  const days = await session.read('readAuditDays', statements.readAuditDays, [site, lastDay]);
  const entries: AuditEntry[] = [];
  for (const row of days) {
    const day = requiredText(row, 'day');
    let upTo = HIGHEST_SEQ;
    for (;;) {
      const page = await session.read('readAudit', statements.pageAudit, [site, day, upTo, PAGE]);
      for (const one of page) {
        upTo = (numberOf(one, 'seq') ?? 0) - 1;
        if ((numberOf(one, 'at_ms') ?? 0) >= beforeMs) continue;
        entries.push(JSON.parse(textOf(one, 'body') ?? '{}') as AuditEntry);
        if (entries.length === limit) return entries;
      }
      if (page.length < PAGE) break;
    }
  }
  return entries;
}

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
