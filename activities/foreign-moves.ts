/** Moves that somebody else began: found in the GeoDB, remembered since their first sight, handed to movers. */
import { ulid } from 'ulid';
import type {
  ForeignMove,
  ForeignMoveCount,
  ForeignMoveScan,
  UserHome,
} from '../workflows/domain/user-move.ts';
import type { PolicySettings } from '../workflows/domain/policy-settings.ts';
import type { Backend } from '../workflows/domain/backend.ts';
import type { ForeignMoves, ForeignMoveSituation } from '../workflows/domain/foreign-moves.ts';
import { resolveFeature } from '../workflows/policy/resolve-feature.ts';
import type { ActivityContext } from './context.ts';
import { readHomeSite } from './read-cluster.ts';
import { readSwitches } from './read-flags.ts';

const DOVEADM_TIMEOUT_MS = 1_500;
/** More than anybody has under way at a time; whoever is beyond it is seen by a later look. */
const MAX_MOVES = 5_000;
/** Looking goes through all users, so it gets this share of the time: a million take seconds. */
const SHARE_OF_TIME = 0.05;

export interface ForeignMovesSeen {
  readonly siteName: string;
  readonly takenAtMs: number;
  readonly settings: PolicySettings;
  readonly situation: ForeignMoveSituation;
  readonly moves: readonly ForeignMoves[];
}

export interface SelectedMoves {
  /** ULID: of the list, and of the operation that is to finish its moves. */
  readonly selectionId: string;
  readonly users: number;
  readonly targetIds: readonly string[];
}

export interface ForeignMovesActivities {
  /** Counts by source, and what is known of each; looks through the users where that is due. */
  lookForForeignMoves(): Promise<ForeignMovesSeen>;
  /** Lists the moves off a source that were first seen until then, for its mover. */
  selectForeignMoves(input: {
    readonly sourceId: string;
    readonly seenBeforeMs: number;
  }): Promise<SelectedMoves>;
}

export function createForeignMoves(context: ActivityContext): ForeignMovesActivities {
  const { store, config } = context;
  return {
    lookForForeignMoves: () => look(context),
    async selectForeignMoves({ sourceId, seenBeforeMs }) {
      const moves = await store.readForeignMoves(config.site);
      const due = moves.filter(
        (move) => move.sourceId === sourceId && move.firstSeenAtMs <= seenBeforeMs,
      );
      const selectionId = ulid();
      await store.saveSelectedUsers(selectionId, due);
      const targetIds = new Set(due.map(({ targetId }) => targetId).filter((id) => id !== null));
      return { selectionId, users: due.length, targetIds: [...targetIds].sort() };
    },
  };
}

async function look(context: ActivityContext): Promise<ForeignMovesSeen> {
  const { store, config } = context;
  const takenAtMs = Date.now();
  const site = await readHomeSite(context);
  const [backends, switches, nothings, former] = await Promise.all([
    context.geodb.readBackends(site.id),
    readSwitches(context, takenAtMs),
    store.readLastNothings(config.site, 'check_backend_health'),
    store.readForeignMoveScan(config.site),
  ]);
  const isDue =
    former === null || takenAtMs >= former.scannedAtMs + former.tookMs * (1 / SHARE_OF_TIME - 1);
  const scan = isDue ? await scanMoves(context, backends, former) : former;
  const holds = new Set(nothings.map(({ reason }) => reason));
  const stateAt = (backendId: string) =>
    resolveFeature(switches.flags, 'BackendHealthAutoHandling', {
      siteId: site.id,
      backendId,
      nowMs: takenAtMs,
    }).state;
  return {
    siteName: config.site,
    takenAtMs,
    settings: config.policy,
    situation: {
      automation: switches.automation,
      isBlind: holds.has('Blind'),
      isCatastrophe: holds.has('CatastropheProtection'),
    },
    moves: await describeSources(context, scan.sources, backends, stateAt),
  };
}

async function describeSources(
  { store, doveadm, config }: ActivityContext,
  sources: readonly ForeignMoveCount[],
  backends: readonly Backend[],
  stateAt: (backendId: string) => ForeignMoves['feature'],
): Promise<ForeignMoves[]> {
  if (sources.length === 0) return [];
  const [operations, memories] = await Promise.all([
    store.listOpenOperations(config.site),
    store.readBackendMemories(config.site),
  ]);
  const described = sources.map(async (counted): Promise<ForeignMoves | null> => {
    const source = backends.find(({ id }) => id === counted.sourceId);
    if (source === undefined) return null;
    const memory = memories.find(({ backendId }) => backendId === source.id);
    return {
      ...counted,
      sourceHost: source.host,
      isSourceSilent: !(await doveadm.isAnswering(source.host, DOVEADM_TIMEOUT_MS)),
      feature: stateAt(source.id),
      hasOpenOperation: operations.some(({ sourceId }) => sourceId === source.id),
      operatorHoldUntilMs: memory?.operatorHoldUntilMs ?? null,
    };
  });
  return (await Promise.all(described)).filter((each) => each !== null);
}

/** Since when is our own first sight: the GeoDB has no time for `moving` that could be trusted. */
async function scanMoves(
  context: ActivityContext,
  backends: readonly Backend[],
  former: ForeignMoveScan | null,
): Promise<ForeignMoveScan> {
  const { geodb, store, config } = context;
  const scannedAtMs = Date.now();
  const ids = new Set(backends.map(({ id }) => id));
  const all = await geodb.readMovingUsers(MAX_MOVES).catch(async (error: unknown) => {
    // A look that failed has cost its share of the time as well: else a busy GeoDB is scanned without end.
    if (former !== null) {
      const tookMs = Date.now() - scannedAtMs;
      await store.saveForeignMoveScan(config.site, { ...former, scannedAtMs, tookMs });
    }
    throw error;
  });
  const isPartial = all.length >= MAX_MOVES;
  const moving = all.filter(({ backendId }) => ids.has(backendId));
  const hasKnown = former === null || former.sources.length > 0;
  const known = hasKnown ? await store.readForeignMoves(config.site) : [];
  const seen = moving.length === 0 ? [] : await keepForeign(context, moving, known, scannedAtMs);
  const keyOf = ({ sourceId, username }: ForeignMove): string => `${sourceId}/${username}`;
  const keys = new Set(seen.map(keyOf));
  const gone = isPartial ? [] : known.filter((move) => !keys.has(keyOf(move)));
  await store.saveForeignMoves(
    config.site,
    seen.filter((move) => !known.includes(move)),
  );
  await store.removeForeignMoves(config.site, gone);
  const sources = countBySource(isPartial ? mergeByKey(known, seen, keyOf) : seen);
  const scan = { scannedAtMs, tookMs: Date.now() - scannedAtMs, isPartial, sources };
  await store.saveForeignMoveScan(config.site, scan);
  return scan;
}

/** Known ones as they are remembered; of the others those that are still under way and not ours. */
async function keepForeign(
  context: ActivityContext,
  moving: readonly UserHome[],
  known: readonly ForeignMove[],
  nowMs: number,
): Promise<ForeignMove[]> {
  const ours = await readOurMoves(context);
  const candidates = moving.filter(({ username }) => !ours.has(username));
  const isKnown = (home: UserHome): ForeignMove | undefined =>
    known.find((move) => isSameMove(move, home));
  const fresh = candidates.filter((home) => isKnown(home) === undefined);
  // Read again, since a move of ours may have ended between the two looks.
  const now = await context.geodb.readUsers(fresh.map(({ username }) => username));
  return candidates.flatMap((home): ForeignMove[] => {
    const former = isKnown(home);
    if (former !== undefined) return [former];
    const still = now.get(home.username);
    if (still?.isMoving !== true || still.backendId !== home.backendId) return [];
    const { username, backendId: sourceId, altBackendId: targetId } = still;
    return [{ username, sourceId, targetId, firstSeenAtMs: nowMs }];
  });
}

/** Another target is another move. */
function isSameMove(move: ForeignMove, home: UserHome): boolean {
  return (
    move.username === home.username &&
    move.sourceId === home.backendId &&
    move.targetId === home.altBackendId
  );
}

/** Users in the ledger of operations that have not ended. */
async function readOurMoves({ store, config }: ActivityContext): Promise<Set<string>> {
  const [chunks, operations] = await Promise.all([
    store.readChunksInFlight(config.site),
    store.listOpenOperations(config.site),
  ]);
  const open = new Set(operations.map(({ operationId }) => operationId));
  const rows = await Promise.all(
    chunks
      .filter(({ operationId }) => open.has(operationId))
      .map(({ operationId, chunk }) => store.readLedgerChunk(operationId, chunk)),
  );
  return new Set(rows.flat().map(({ username }) => username));
}

function mergeByKey(
  known: readonly ForeignMove[],
  seen: readonly ForeignMove[],
  keyOf: (move: ForeignMove) => string,
): ForeignMove[] {
  return [...new Map([...known, ...seen].map((move) => [keyOf(move), move])).values()];
}

function countBySource(moves: readonly ForeignMove[]): ForeignMoveCount[] {
  const bySource = new Map<string, ForeignMoveCount>();
  for (const { sourceId, firstSeenAtMs } of moves) {
    const former = bySource.get(sourceId);
    const oldestSeenAtMs = Math.min(former?.oldestSeenAtMs ?? firstSeenAtMs, firstSeenAtMs);
    bySource.set(sourceId, { sourceId, users: (former?.users ?? 0) + 1, oldestSeenAtMs });
  }
  return [...bySource.values()].sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1));
}
