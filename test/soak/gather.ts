/** Reads, once a run is at rest, what it left in the books. */
import type { RecordedDecision } from '../../workflows/domain/decision.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import type { LedgerRow } from '../../workflows/domain/user-move.ts';
import { readHomeChanges, type LoggedHomeChange } from '../system/home-changes.ts';
import type { ActingDecision } from './record.ts';
import { SITES } from './site-parts.ts';
import type { SoakRig } from './soak-rig.ts';

export interface Books {
  readonly operations: readonly Operation[];
  readonly ledger: readonly LedgerRow[];
  readonly homeLog: readonly LoggedHomeChange[];
  readonly decisions: readonly RecordedDecision[];
  readonly acting: readonly ActingDecision[];
}

const PAGE = 200;
const ACTING = ['evacuate', 'movePartially', 'rebalance', 'drain'];

/** Everything that began since then. Throws where the stores do not answer. */
export async function gatherBooks(rig: SoakRig, sinceMs: number): Promise<Books> {
  const operations = (
    await Promise.all(SITES.map((site) => readOperations(rig, site, sinceMs)))
  ).flat();
  const ledger = (
    await Promise.all(operations.map(({ operationId }) => readLedger(rig, operationId)))
  ).flat();
  const decisions = (
    await Promise.all(SITES.map((site) => readDecisions(rig, site, sinceMs)))
  ).flat();
  const acting = await readActing(rig, decisions);
  return { operations, ledger, homeLog: readHomeChanges(rig.settings, sinceMs), decisions, acting };
}

async function readOperations(
  { direct }: SoakRig,
  site: string,
  sinceMs: number,
): Promise<Operation[]> {
  const found: Operation[] = [];
  let cursor: string | null = null;
  do {
    const page = await direct.store.listOperations(site, { limit: PAGE, cursor });
    const recent = page.operations.filter(({ createdAtMs }) => createdAtMs >= sinceMs);
    found.push(...recent);
    cursor = recent.length === page.operations.length ? page.cursor : null;
  } while (cursor !== null);
  return found;
}

async function readLedger({ direct }: SoakRig, operationId: string): Promise<LedgerRow[]> {
  const found: LedgerRow[] = [];
  let cursor: string | null = null;
  do {
    const page = await direct.store.pageLedger(operationId, { limit: PAGE, cursor });
    found.push(...page.rows);
    cursor = page.cursor;
  } while (cursor !== null);
  return found;
}

async function readDecisions(
  { direct }: SoakRig,
  siteName: string,
  sinceMs: number,
): Promise<RecordedDecision[]> {
  const found: RecordedDecision[] = [];
  let cursor: string | null = null;
  do {
    const query = { siteName, cursor, limit: PAGE };
    const page = await direct.store.readDecisions(query);
    const recent = page.decisions.filter(({ lastRepeatedAtMs }) => lastRepeatedAtMs >= sinceMs);
    found.push(...recent);
    cursor = recent.length === 0 ? null : page.cursor;
  } while (cursor !== null);
  return found;
}

async function readActing(
  { direct }: SoakRig,
  decisions: readonly RecordedDecision[],
): Promise<ActingDecision[]> {
  const acting = decisions.filter(({ kind, isDryRun }) => ACTING.includes(kind) && !isDryRun);
  const read = acting.map(async (decision): Promise<ActingDecision | null> => {
    const snapshot = await direct.store.readSnapshot(decision.snapshotId);
    if (snapshot === null) return null;
    const facts = snapshot.backends.find(({ id }) => id === decision.backendId);
    const needs =
      decision.kind === 'rebalance' ? 'BackendLoadBalancing' : 'BackendHealthAutoHandling';
    const feature = facts?.features[needs] ?? snapshot.features[needs];
    return {
      decision,
      takenAtMs: snapshot.takenAtMs,
      automation: snapshot.automation,
      isBlind: snapshot.metrics.blindReason !== null,
      feature: decision.kind === 'drain' ? null : feature,
    };
  });
  return (await Promise.all(read)).filter((each) => each !== null);
}
