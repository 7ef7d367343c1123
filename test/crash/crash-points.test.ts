/**
 * Every crash point of a mover: right before and right after each of its side effects its worker is
 * killed with -9, and another one goes on. The list is that of an undisturbed run. A worker dies with
 * several movers at a time, each of them at a point of its own.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayError } from '../../gateways/gateway-error.ts';
import type { MoveAnswer, MoveRequest } from '../../workflows/contract.ts';
import { isEnded, type Operation } from '../../workflows/domain/operation.ts';
import type { LedgerRow } from '../../workflows/domain/user-move.ts';
import {
  openCrashRig,
  type CrashRig,
  type CrashSite,
  type CrashSource,
  type SiteOptions,
} from '../support/crash-rig.ts';
import { eventually } from '../support/eventually.ts';
import { isSideEffect, nameOf, type CrashPoint, type SideEffect } from '../support/side-effects.ts';
import { importsOf, readText, sourceFiles } from '../support/source-files.ts';

const ALL_POINTS_MS = 600_000;
/** Movers that are killed together, and sites at a time. A mover that has halted holds five activities, of 50. */
const MOVERS_A_SITE = 9;
const SITES_AT_ONCE = 5;
/** A point that depends on the clock may be missed once. */
const TRIES = 3;
const LONG = { timeoutMs: 180_000, intervalMs: 300 };

interface Scenario {
  readonly site: SiteOptions;
  readonly request: Partial<MoveRequest>;
  readonly end: 'done' | 'cancelled';
  readonly endsOffline: boolean;
  readonly isCancelled?: boolean;
  /** Its users are named in a list, with where they were to go. */
  readonly isForeign?: boolean;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'an evacuation that ends with the source offline': {
    site: { users: 5 },
    request: { stepRatio: 1 },
    end: 'done',
    endsOffline: true,
  },
  'a forced evacuation in two rounds': {
    site: { users: 2, hasSessions: true, refusesStatus: true },
    request: { stepRatio: 0.5, isForced: true },
    end: 'done',
    endsOffline: true,
  },
  'an evacuation off a source that takes no list of users': {
    site: { users: 2, takesNoList: true },
    request: { stepRatio: 1 },
    end: 'done',
    endsOffline: true,
  },
  'moves that somebody else began, one of them to nowhere': {
    site: { users: 2, areMoving: true },
    request: { kind: 'finishMoves', cause: 'foreign', maxUsers: 2, isForced: true },
    end: 'done',
    endsOffline: false,
    isForeign: true,
  },
  'an evacuation that is paused and cancelled': {
    site: { users: 2, settings: { MAX_PARALLEL_INFLOW: '1' } },
    request: { stepRatio: 1 },
    end: 'cancelled',
    endsOffline: false,
    isCancelled: true,
  },
};

let world: CrashRig;
beforeAll(async () => {
  world = await openCrashRig();
}, 240_000);
afterAll(() => world.close(), 120_000);

function requestTo(site: CrashSite, source: CrashSource, scenario: Scenario): MoveRequest {
  const operationId = crypto.randomUUID();
  return {
    operationId,
    siteName: site.name,
    kind: 'evacuation',
    cause: 'health',
    sourceId: source.sourceId,
    sourceHost: source.sourceHost,
    // one target: with room for one chunk at a time its pause comes before the second
    targetIds: source.targetIds.slice(0, scenario.isCancelled === true ? 1 : 2),
    maxUsers: null,
    stepRatio: 1,
    minLastMovedSecs: null,
    endsOffline: scenario.isForeign !== true,
    isForced: false,
    requestedBy: 'check_backend_health',
    reason: 'FailureRateCritical',
    decisionId: null,
    ...(scenario.isForeign === true ? { selectionId: operationId } : {}),
    ...scenario.request,
  };
}

/** Asked again where the worker that should have answered died. */
async function ask(request: MoveRequest): Promise<void> {
  const answer = await eventually(
    'the mover answers',
    (): Promise<MoveAnswer | undefined> =>
      world.rig.temporal.requestMoves(request).catch((error: unknown) => {
        if (error instanceof GatewayError && error.isTemporary) return undefined;
        throw error;
      }),
    LONG,
  );
  expect(answer).toEqual({ answer: 'accepted', operationId: request.operationId });
}

interface Mover {
  readonly source: CrashSource;
  /** Null: undisturbed. */
  readonly point: CrashPoint | null;
  readonly request: MoveRequest;
  isCancelled: boolean;
  /** Once it has ended and its mover is gone. */
  operation: Operation | null;
}

interface Ran {
  readonly site: CrashSite;
  readonly movers: readonly Mover[];
}

/** Operations from their requests to their ends; those with a point over the death of their first worker. */
async function run(scenario: Scenario, points: readonly (CrashPoint | null)[]): Promise<Ran> {
  const { temporal } = world.rig;
  const control = (sourceHost: string, verb: 'pause' | 'cancel'): Promise<boolean> =>
    temporal.control(site.name, sourceHost, verb, {
      operationId: null,
      actor: 'ann',
      reason: 'enough',
    });
  const pause = async (sourceHost: string): Promise<void> =>
    void (await control(sourceHost, 'pause'));
  const paused = scenario.isCancelled === true ? { onFirstBatch: pause } : {};
  const site = await world.addSite(points.length, { ...scenario.site, ...paused });
  const movers = site.sources.map((source, index): Mover => {
    const request = requestTo(site, source, scenario);
    return { source, point: points[index] ?? null, request, isCancelled: false, operation: null };
  });
  const look = async (mover: Mover): Promise<void> => {
    const row = await world.rig.store.readOperation(mover.request.operationId);
    const { sourceHost } = mover.source;
    const isToCancel = scenario.isCancelled === true && row?.state === 'paused';
    if (isToCancel && !mover.isCancelled) mover.isCancelled = await control(sourceHost, 'cancel');
    if (row === null || !isEnded(row.state)) return;
    if (!(await temporal.isMoverRunning(site.name, sourceHost))) mover.operation = row;
  };
  const untilAll = (what: string, isThere: (mover: Mover) => boolean): Promise<boolean> =>
    eventually(
      what,
      async () => {
        const waiting = movers.filter((mover) => !isThere(mover));
        await Promise.all(waiting.map(look));
        return movers.every(isThere);
      },
      LONG,
    );
  const wanted = movers.flatMap(({ source, point }) => (point === null ? [] : [[source, point]]));
  if (scenario.isForeign === true) await Promise.all(movers.map(nameUsers));
  const worker = site.startWorker(new Map(wanted as [CrashSource, CrashPoint][]));
  const asked = Promise.all(movers.map(({ request }) => ask(request)));
  // waited for at the end; until then a refusal must not end the whole run
  asked.catch(() => undefined);
  await untilAll(
    'every mover is at its point, or past it',
    ({ source, operation }) => operation !== null || site.isHalted(source),
  );
  expect(worker.errors()).toBe('');
  worker.kill();
  expect(await worker.ended).toBeNull();
  const endSurvivor = await site.startSurvivor();
  try {
    await untilAll('every operation ends', ({ operation }) => operation !== null);
    await asked;
    return { site, movers };
  } finally {
    await endSurvivor();
  }
}

async function nameUsers({ source, request }: Mover): Promise<void> {
  const users = source.usernames.map((username, index) => ({
    username,
    targetId: (index === 0 ? source.targetIds[0] : undefined) ?? crypto.randomUUID(),
  }));
  await world.rig.store.saveSelectedUsers(request.operationId, users);
}

/** What has to be so at the end, whatever happened in between; each breach as a sentence. */
async function breachesOf(scenario: Scenario, site: CrashSite, mover: Mover): Promise<string[]> {
  const { rig } = world;
  const { source, operation } = mover;
  if (operation === null) return ['it never ended'];
  const [page, ledger, homes, inFlight, backend, memories, audit] = await Promise.all([
    rig.store.listOperations(site.name, { limit: 100 }),
    rig.store.pageLedger(operation.operationId, { limit: 100, cursor: null }),
    rig.geodb.readUsers(source.usernames),
    rig.store.readChunksInFlight(site.name),
    rig.geodb.readBackend(source.sourceId),
    rig.store.readBackendMemories(site.name),
    rig.store.readAudit(site.name, { limit: 200 }),
  ]);
  const memory = memories.find(({ backendId }) => backendId === source.sourceId);
  const home = (user: string): string => homes.get(user)?.backendId ?? 'nowhere';
  const changes = (user: string): number =>
    site.homeChanges().filter((change) => change.user === user).length;
  const moved = (row: LedgerRow): boolean => row.state === 'confirmed';
  const isWhole = scenario.end === 'done' && scenario.isForeign !== true;
  const ours = audit.filter(({ target }) => target === operation.operationId);
  const audited = ours
    .map(({ action }) => action)
    .sort()
    .join();
  const operations = page.operations.filter(({ sourceId }) => sourceId === source.sourceId);
  const open = inFlight.filter(({ sourceId }) => sourceId === source.sourceId);
  const checks: readonly [string, boolean][] = [
    [`ended as ${operation.state}`, operation.state === scenario.end],
    [`${operations.length} operations`, operations.length === 1],
    ...booksOf(operation, ledger.rows, source),
    ['chunks left in flight', open.length === 0],
    ['somebody was left behind', !isWhole || ledger.rows.every(moved)],
    ...source.usernames.map((user): [string, boolean] => {
      const row = ledger.rows.find(({ username }) => username === user);
      const wanted = row !== undefined && moved(row) ? row.targetId : source.sourceId;
      return [`${user} lives at ${home(user)}, not ${wanted}`, home(user) === wanted];
    }),
    ...source.usernames.map((user): [string, boolean] => {
      const wanted = home(user) === source.sourceId ? 0 : 1;
      return [`${user} changed home ${changes(user)} times`, changes(user) === wanted];
    }),
    ['a move is still under way', [...homes.values()].every(({ isMoving }) => !isMoving)],
    [`source is ${backend?.status}`, (backend?.status === 'offline') === scenario.endsOffline],
    [
      'what was set offline is not remembered as ours',
      !scenario.endsOffline || memory?.offlineWrittenAtMicros === backend?.statusWrittenAtMicros,
    ],
    [
      'no hold after a cancel',
      scenario.isCancelled !== true || (memory?.operatorHoldUntilMs ?? 0) > Date.now(),
    ],
    [
      `audited ${audited}`,
      audited === (scenario.isCancelled === true ? 'operation.cancelled,operation.pause' : ''),
    ],
    ['the source takes new users, or not', (await takesNewUsers(source)) === !isWhole],
  ];
  return checks.filter(([, isRight]) => !isRight).map(([breach]) => breach);
}

/** Row and ledger say the same, and every user is in it once. */
function booksOf(
  { counts }: Operation,
  rows: readonly LedgerRow[],
  source: CrashSource,
): [string, boolean][] {
  const count = (state: LedgerRow['state']): number =>
    rows.filter((row) => row.state === state).length;
  const seen = {
    confirmed: count('confirmed'),
    skipped: count('skipped'),
    failed: count('failed'),
  };
  const sum = seen.confirmed + seen.skipped + seen.failed;
  const names = rows.map(({ username }) => username).sort();
  return [
    [`row ${JSON.stringify(counts)}, ledger ${JSON.stringify(seen)}`, counts.remaining === 0],
    ['row and ledger differ', JSON.stringify({ ...counts, ...seen }) === JSON.stringify(counts)],
    [`planned ${counts.planned}, ended ${sum}`, counts.planned === sum && rows.length === sum],
    [`in the ledger: ${names.join()}`, names.join() === [...source.usernames].sort().join()],
  ];
}

async function takesNewUsers({ sourceId }: CrashSource): Promise<boolean> {
  const rows = await world.rig.read(
    "SELECT value FROM {geodb}.cluster_settings WHERE scope = 'backend' AND target = ? AND name = 'accept_new_users'",
    [sourceId],
  );
  return rows[0]?.['value'] !== 'no';
}

/** All of them, some sites at a time, so that the waiting of one is the work of another. */
async function killAtEach(
  scenario: Scenario,
  points: readonly CrashPoint[],
): Promise<{ breaches: string[]; missed: CrashPoint[] }> {
  const breaches: string[] = [];
  const missed: CrashPoint[] = [];
  const waiting = [...points];
  const lane = async (): Promise<void> => {
    for (let some = waiting.splice(0, MOVERS_A_SITE); some.length > 0;) {
      const { site, movers } = await run(scenario, some);
      for (const mover of movers) {
        const { point } = mover;
        if (point !== null && !site.isHalted(mover.source)) missed.push(point);
        const where = point === null ? '' : `${point.when} ${nameOf(point)}`;
        const found = await breachesOf(scenario, site, mover);
        breaches.push(...found.map((breach) => `${where}: ${breach}`));
      }
      some = waiting.splice(0, MOVERS_A_SITE);
    }
  };
  await Promise.all(Array.from({ length: SITES_AT_ONCE }, lane));
  return { breaches, missed };
}

/** Rows that say how far it is are written as time passes: more of them on a slow machine. */
const isRepeatedWithTime = ({ kind, nth }: SideEffect): boolean =>
  nth > 1 && ['store.saveOperation', 'cache.publish'].includes(kind);

/** Once a site: only the first mover of all comes there. */
const isOfFirstMover = ({ kind }: SideEffect): boolean => kind === 'geodb.claimIfFree';

const kindsEnumerated = new Set<string>();

describe('movers whose worker is killed with -9', () => {
  it.each(Object.keys(SCENARIOS))(
    'go on with the same operation from every point of %s',
    async (name) => {
      const scenario = SCENARIOS[name] as Scenario;
      const startedAtMs = Date.now();
      const { site, movers } = await run(scenario, [null]);
      const [undisturbed] = movers as [Mover];
      expect(await breachesOf(scenario, site, undisturbed)).toEqual([]);
      const seen = site.sideEffects(undisturbed.source);
      const effects = seen.filter((each) => !isRepeatedWithTime(each));
      const pointsOf = (some: readonly SideEffect[]): CrashPoint[] =>
        some.flatMap((effect) => [
          { ...effect, when: 'before' },
          { ...effect, when: 'after' },
        ]);
      const breaches: string[] = [];
      let points = pointsOf(effects.filter((effect) => !isOfFirstMover(effect)));
      for (let tries = 0; points.length > 0 && tries < TRIES; tries += 1) {
        const outcome = await killAtEach(scenario, points);
        breaches.push(...outcome.breaches);
        points = outcome.missed;
      }
      for (const point of pointsOf(effects.filter(isOfFirstMover))) {
        const outcome = await killAtEach(scenario, [point]);
        breaches.push(...outcome.breaches);
        points.push(...outcome.missed);
      }
      for (const { kind } of effects) kindsEnumerated.add(kind);
      const seconds = Math.round((Date.now() - startedAtMs) / 1000);
      process.stdout.write(
        `${name}: killed before and after each of ${effects.length} side effects in ${seconds} s:\n` +
          `  ${effects.map(nameOf).join('\n  ')}\n`,
      );
      expect(breaches).toEqual([]);
      expect(points.map((point) => `${point.when} ${nameOf(point)}: never came there`)).toEqual([]);
    },
    ALL_POINTS_MS,
  );

  it('was killed at every kind of side effect that a mover has', () => {
    const used = sideEffectsIn(filesOfMover());
    expect(used.size).toBeGreaterThan(10);
    const missing = [...used].filter(
      (kind) => !kindsEnumerated.has(kind) && !(kind in NOT_OF_MOVERS),
    );
    expect(missing).toEqual([]);
  });
});

/** In files that a mover's activities share with others. */
const NOT_OF_MOVERS: Readonly<Record<string, string>> = {
  'store.saveSnapshot': 'takeSnapshot is asked by tasks alone',
};

/** The activities that movers ask for, and all that these import of activities. */
function filesOfMover(): Set<string> {
  const isOfMover = (path: string): boolean =>
    path === 'workflows/move-users-off.ts' || path.startsWith('workflows/mover/');
  const movers = sourceFiles.filter(isOfMover);
  const asked = movers.flatMap((path) =>
    [...readText(path).matchAll(/mover(?:Activities|Records)\s*\.(\w+)\(/g)].map(
      (found) => found[1],
    ),
  );
  const index = importsOf('activities/index.ts').map(({ target }) => target);
  const isAsked = (path: string): boolean =>
    asked.some((name) => new RegExp(`^    (async )?${name}[(:]`, 'm').test(readText(path)));
  const files = new Set(index.filter((path) => path.startsWith('activities/') && isAsked(path)));
  for (const path of files) {
    for (const { target, isTypeOnly } of importsOf(path)) {
      if (!isTypeOnly && target.startsWith('activities/')) files.add(target);
    }
  }
  return files;
}

function sideEffectsIn(files: ReadonlySet<string>): Set<string> {
  const call = /\b(geodb|store|doveadm|cache|temporal|prometheus)\s*\.(\w+)\(/g;
  const calls = [...files].flatMap((path) => [...readText(path).matchAll(call)]);
  return new Set(
    calls
      .filter(([, , method = '']) => isSideEffect(method))
      .map(([, system = '', method = '']) => `${system}.${method}`),
  );
}
