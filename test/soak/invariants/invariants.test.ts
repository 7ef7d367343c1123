/** Every judge lets a good run pass, and notices the one thing that is wrong with a bad one. */
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../workflows/domain/operation.ts';
import type { LedgerRow } from '../../../workflows/domain/user-move.ts';
import type { RecordedDecision } from '../../../workflows/domain/decision.ts';
import type { LoggedHomeChange } from '../../system/home-changes.ts';
import type { ActionRecord } from '../operator.ts';
import type { ClusterLook, Look, RunRecord, SiteLook } from '../record.ts';
import { effectiveChanges } from './homes.ts';
import { judge } from './judge.ts';

const A = 'north-mail1';
const B = 'north-mail2';
const C = 'north-mail3';
const SECONDS = 30;
const STARTED = 1_000_000;
const at = (secs: number): number => STARTED + secs * 1000;

const operation = (fields: Partial<Operation> = {}): Operation => ({
  operationId: 'op1',
  siteName: 'north',
  kind: 'evacuation',
  cause: 'health',
  sourceId: A,
  sourceHost: A,
  targetIds: [],
  state: 'done',
  stateReason: null,
  requestedBy: 'check_backend_health',
  reason: 'test',
  decisionId: 'op1',
  originalCount: 1,
  round: 1,
  counts: { planned: 1, confirmed: 1, skipped: 0, failed: 0, remaining: 0 },
  stuck: 0,
  forced: 0,
  speedPercent: 100,
  createdAtMs: at(5),
  startedAtMs: at(5),
  firstConfirmedAtMs: at(7),
  endedAtMs: at(9),
  updatedAtMs: at(9),
  ...fields,
});

const row = (fields: Partial<LedgerRow> = {}): LedgerRow => ({
  operationId: 'op1',
  chunk: 0,
  username: 'u1',
  sourceId: A,
  targetId: B,
  state: 'confirmed',
  reason: null,
  attempts: 1,
  moveTimestampMicros: at(6) * 1000,
  isForced: false,
  sentAtMs: at(6),
  endedAtMs: at(7),
  ...fields,
});

const logged = (fields: Partial<LoggedHomeChange> = {}): LoggedHomeChange => ({
  atMs: at(6.5),
  user: 'u1',
  from: A,
  to: B,
  timestampMicros: at(6) * 1000 + 1,
  cause: 'batchMove',
  moveId: 'm1',
  ...fields,
});

const cluster = (fields: Partial<ClusterLook> = {}): ClusterLook => ({
  totalUsers: 3,
  users: new Map([[B, 3]]),
  moving: new Map(),
  statuses: new Map([A, B, C].map((host) => [host, 'online'])),
  loadFactors: new Map([A, B, C].map((host) => [host, 100])),
  ...fields,
});

const site = (fields: Partial<SiteLook> = {}): SiteLook => ({
  site: 'north',
  automation: 'running',
  verdicts: new Map([A, B, C].map((host) => [host, 'healthy'])),
  healthFeature: new Map([A, B, C].map((host) => [host, 'enabled'])),
  balanceFeature: new Map([A, B, C].map((host) => [host, 'enabled'])),
  operations: [],
  inFlight: [],
  ...fields,
});

/** One look a second, the way `see` says. */
function looksOf(
  see: (secs: number) => { site?: Partial<SiteLook>; cluster?: Partial<ClusterLook> | null },
): Look[] {
  return Array.from({ length: SECONDS }, (_, secs) => {
    const seen = see(secs);
    return {
      fromMs: at(secs),
      untilMs: at(secs) + 100,
      cluster: seen.cluster === null ? null : cluster(seen.cluster),
      sites: [site(seen.site)],
    };
  });
}

const decision = (fields: Partial<RecordedDecision> = {}): RecordedDecision => ({
  task: 'check_backend_health',
  kind: 'evacuate',
  reason: 'FailureRateCritical',
  hosts: [A],
  backendId: A,
  operationId: null,
  isDryRun: false,
  numbers: {},
  limitingSetting: null,
  detail: null,
  decisionId: 'op1',
  siteName: 'north',
  snapshotId: 's1',
  recordedAtMs: at(5),
  repeats: 0,
  lastRepeatedAtMs: at(5),
  ...fields,
});

function run(fields: Partial<RunRecord> = {}): RunRecord {
  return {
    startedAtMs: STARTED,
    healedAtMs: at(25),
    calmAtMs: at(29),
    unrest: [],
    usersAtStart: 3,
    limits: {
      maxParallelMoves: 10,
      maxParallelInflow: 20,
      failureCoolTimeSecs: 20,
      balanceCoolTimeSecs: 30,
      cycleSecs: 5,
    },
    hosts: new Map([A, B, C].map((host) => [host, host])),
    looks: looksOf(() => ({})),
    changes: [{ user: 'u1', from: A, to: B, afterMs: at(6), beforeMs: at(7) }],
    doubles: [],
    operations: [operation()],
    ledger: [row()],
    homeLog: [logged()],
    decisions: [decision()],
    acting: [],
    faults: [],
    actions: [],
    mail: { accepted: 10, lost: [], unexplainedDoubles: [], unread: [] },
    leftovers: {
      strangers: [],
      movingUsers: [],
      chunksInFlight: [],
      closedBackends: [],
      diedAlone: [],
      brokenWorkflows: [],
    },
    ...fields,
  };
}

const found = (fields: Partial<RunRecord> = {}): string[] => [
  ...new Set(judge(run(fields)).map(({ invariant }) => invariant)),
];

describe('the judges', () => {
  it('find nothing in a good run', () => {
    expect(judge(run())).toEqual([]);
  });
});

describe('the books', () => {
  const running = (fields: Partial<Operation>): Operation =>
    operation({ state: 'running', endedAtMs: null, ...fields });

  it('sums that do not add up at one second', () => {
    const counts = { planned: 5, confirmed: 1, skipped: 0, failed: 0, remaining: 3 };
    const looks = looksOf((secs) =>
      secs === 7 ? { site: { operations: [running({ counts })] } } : {},
    );
    expect(found({ looks })).toEqual(['planned = confirmed + skipped + failed + remaining']);
  });

  it('an operation that goes on after its end', () => {
    const operations = (secs: number): Operation[] => [
      secs < 10 ? operation() : running({ updatedAtMs: at(secs) }),
    ];
    const looks = looksOf((secs) => ({ site: { operations: operations(secs) } }));
    expect(found({ looks })).toEqual(['an operation only goes forward']);
  });

  it('users who were confirmed and are forgotten', () => {
    const counts = (confirmed: number) => {
      return { planned: 5, confirmed, skipped: 0, failed: 0, remaining: 5 - confirmed };
    };
    const looks = looksOf((secs) => ({
      site: {
        operations: [running({ counts: counts(secs < 10 ? 3 : 2), updatedAtMs: at(secs) })],
      },
    }));
    expect(found({ looks })).toEqual(['an operation only goes forward']);
  });

  it('a row of an ended operation that the ledger does not bear out', () => {
    expect(found({ ledger: [row({ state: 'skipped' })] })).toEqual([
      'an ended operation and its ledger say the same',
    ]);
  });

  it('a user twice in one ledger', () => {
    const counts = { planned: 2, confirmed: 2, skipped: 0, failed: 0, remaining: 0 };
    const ledger = [row(), row({ chunk: 1 })];
    expect(found({ ledger, operations: [operation({ counts })] })).toEqual([
      'an ended operation and its ledger say the same',
    ]);
  });
});

describe('homes', () => {
  it('a user who is lost', () => {
    const looks = looksOf((secs) => (secs === 9 ? { cluster: { totalUsers: 2 } } : {}));
    expect(found({ looks })).toEqual(['the number of users never changes']);
  });

  const double = { user: 'u1', hosts: [A, B], sinceMs: at(10), untilMs: at(13) };
  it('a user on two Backends, unless the one could not be asked', () => {
    expect(found({ doubles: [double] })).toEqual(['nobody is on two Backends for over 2 s']);
    expect(found({ doubles: [{ ...double, untilMs: at(12) }] })).toEqual([]);
    const fault = { kind: 'freeze', on: `${A}-cluster`, detail: null, problem: null } as const;
    const faults = [{ ...fault, fromMs: at(9), untilMs: at(12) }];
    expect(found({ doubles: [double], faults })).toEqual([]);
  });

  it('a change that nobody made', () => {
    const changes = [{ user: 'u2', from: B, to: C, afterMs: at(6), beforeMs: at(7) }];
    const names = ['a home changes only by an operation, a batch move, a rule or a first login'];
    expect(found({ changes })).toEqual(names);
    expect(found({ changes, homeLog: [logged(), logged({ user: 'u2', from: B, to: C })] })).toEqual(
      [],
    );
  });

  it('a home that one operation changes twice', () => {
    const homeLog = [
      logged(),
      logged({ from: B, to: A, atMs: at(7), timestampMicros: at(7) * 1000 }),
      logged({ to: C, atMs: at(8), timestampMicros: at(8) * 1000 }),
    ];
    expect(found({ homeLog })).toEqual(['a home changes at most once an operation']);
  });

  it('a confirmed user who never moved', () => {
    expect(found({ changes: [], homeLog: [] })).toEqual(['whoever is confirmed has moved']);
  });

  it('a late write with an older timestamp changes nothing', () => {
    const forced = row({ isForced: true, moveTimestampMicros: at(9) * 1000, sentAtMs: at(9) });
    const late = logged({ to: C, atMs: at(12), timestampMicros: at(6) * 1000 });
    const hosts = new Map([A, B, C].map((host) => [host, host]));
    expect(effectiveChanges([late], [forced], hosts)).toEqual([{ from: A, to: B, atMs: at(9) }]);
  });
});

describe('limits', () => {
  const chunk = (number: number, remaining: number) => ({
    siteName: 'north',
    sourceId: A,
    operationId: 'op1',
    chunk: number,
    targetId: B,
    remaining,
    attempts: 1,
    sentAtMs: at(6),
  });

  it('too many on their way to one Backend; a single chunk may be larger', () => {
    const seeing = (inFlight: SiteLook['inFlight']) =>
      found({ looks: looksOf((secs) => (secs === 6 ? { site: { inFlight } } : {})) });
    expect(seeing([chunk(0, 15), chunk(1, 6)])).toEqual(['MAX_PARALLEL_INFLOW']);
    expect(seeing([chunk(0, 15), chunk(1, 5)])).toEqual([]);
    expect(seeing([chunk(0, 50)])).toEqual([]);
  });

  it('too many at once off one Backend', () => {
    const looks = looksOf((secs) =>
      secs === 6 ? { cluster: { moving: new Map([[A, 11]]) } } : {},
    );
    expect(found({ looks })).toEqual(['MAX_PARALLEL_MOVES']);
  });

  it('a user who is moved again too soon, where there is a cool time', () => {
    const homeLog = [
      logged({ from: C, to: A, atMs: at(1), timestampMicros: at(1) * 1000 }),
      logged(),
    ];
    const partial = operation({ kind: 'partialMove', cause: 'degraded' });
    expect(found({ homeLog, operations: [partial] })).toEqual(['a user rests between moves']);
    expect(found({ homeLog })).toEqual([]);
  });
});

describe('switches', () => {
  const late = {
    operations: [operation({ createdAtMs: at(18), endedAtMs: at(22) })],
    ledger: [row({ sentAtMs: at(20), moveTimestampMicros: at(20) * 1000 })],
    homeLog: [logged({ atMs: at(21), timestampMicros: at(20) * 1000 + 1 })],
    decisions: [decision({ recordedAtMs: at(18) })],
  };
  const because = (why: string): string[] => [
    `nothing automatic starts: ${why}`,
    `nothing automatic is sent: ${why}`,
  ];
  const seeing = (siteFields: Partial<SiteLook>): Partial<RunRecord> => ({
    ...late,
    looks: looksOf((secs) => (secs >= 2 ? { site: siteFields } : {})),
  });

  it('an operation while automation is paused', () => {
    expect(found(seeing({ automation: 'paused' }))).toEqual(because('automation is paused'));
    const operations = [{ ...late.operations[0], cause: 'operator' } as Operation];
    expect(found({ ...seeing({ automation: 'paused' }), operations })).toEqual([]);
  });

  it('within one cycle of the switch it may', () => {
    const looks = looksOf((secs) => (secs >= 12 ? { site: { automation: 'paused' } } : {}));
    expect(found({ ...late, looks })).toEqual([]);
  });

  it('an operation while its feature is off', () => {
    const healthFeature = new Map([[A, 'dryRun' as const]]);
    expect(found(seeing({ healthFeature }))).toEqual(because('its feature is not enabled'));
    const operations = [{ ...late.operations[0], kind: 'drain', cause: 'drain' } as Operation];
    expect(found({ ...seeing({ healthFeature }), operations })).toEqual([]);
  });

  it('an operation under catastrophe protection', () => {
    const held = decision({
      ...{ decisionId: 'd0', kind: 'nothing', reason: 'CatastropheProtection', detail: 'site' },
      ...{ recordedAtMs: at(2), lastRepeatedAtMs: at(28) },
    });
    expect(found({ ...late, decisions: [held, ...late.decisions] })).toEqual(
      because('catastrophe protection holds'),
    );
  });

  it('blind, only the start counts: what is latched goes on', () => {
    const blind = decision({
      ...{ decisionId: 'd0', kind: 'nothing', reason: 'Blind', hosts: [] },
      ...{ recordedAtMs: at(2), lastRepeatedAtMs: at(28) },
    });
    expect(found({ ...late, decisions: [blind, ...late.decisions] })).toEqual([
      'nothing automatic starts: blind',
    ]);
    const decisions = [blind, decision({ recordedAtMs: at(1) })];
    expect(found({ ...late, decisions })).toEqual([]);
  });

  it('a decision to act that saw that it may not', () => {
    const seen = { takenAtMs: at(5), automation: 'running', isBlind: false } as const;
    const act = (fields: object) => [
      { decision: decision(), ...seen, feature: 'enabled' as const, ...fields },
    ];
    const invariant = 'automation decides to act only when it may';
    expect(found({ acting: act({}) })).toEqual([]);
    expect(found({ acting: act({ automation: 'paused' }) })).toEqual([invariant]);
    expect(found({ acting: act({ isBlind: true }) })).toEqual([invariant]);
    expect(found({ acting: act({ feature: 'dryRun' }) })).toEqual([invariant]);
  });
});

describe('targets', () => {
  const late = {
    operations: [operation({ endedAtMs: at(22) })],
    ledger: [row({ sentAtMs: at(20), moveTimestampMicros: at(20) * 1000 })],
    homeLog: [logged({ atMs: at(21), timestampMicros: at(20) * 1000 + 1 })],
  };
  const invariant = 'nobody is sent to an unfit Backend';
  const since = (secs: number, see: Parameters<typeof looksOf>[0]): Partial<RunRecord> => ({
    ...late,
    looks: looksOf((now) => (now >= secs ? see(now) : {})),
  });

  it('one that is not online, drained, failing or being emptied', () => {
    const statuses = new Map([[B, 'offline']]);
    const loadFactors = new Map([[B, 0]]);
    const verdicts = new Map([[B, 'critical' as const]]);
    const other = operation({
      ...{ operationId: 'op2', sourceHost: B, state: 'running', endedAtMs: null },
    });
    expect(found(since(5, () => ({ cluster: { statuses } })))).toEqual([invariant]);
    expect(found(since(5, () => ({ cluster: { loadFactors } })))).toEqual([invariant]);
    expect(found(since(5, () => ({ site: { verdicts } })))).toEqual([invariant]);
    expect(found(since(5, () => ({ site: { operations: [other] } })))).toEqual([invariant]);
  });

  it('within one cycle nobody can know; nor is finishing a sent move a new one', () => {
    const statuses = new Map([[B, 'offline']]);
    expect(found(since(14, () => ({ cluster: { statuses } })))).toEqual([]);
    const ledger = [{ ...late.ledger[0], attempts: 2 } as LedgerRow];
    expect(found({ ...since(5, () => ({ cluster: { statuses } })), ledger })).toEqual([]);
  });

  it('one whose doveadm is silent', () => {
    const fault = { kind: 'backendFreeze', on: B, detail: null, problem: null } as const;
    const faults = [{ ...fault, fromMs: at(3), untilMs: at(25) }];
    expect(found({ ...late, faults })).toEqual([invariant]);
    expect(found({ ...late, faults: [{ ...faults[0]!, problem: 'it did not run' }] })).toEqual([]);
  });
});

describe('endings', () => {
  const clean = run().leftovers;
  const asked: ActionRecord = {
    ...{ verb: 'evacuate', site: 'north', what: 'evacuate', atMs: at(3), answeredAtMs: at(4) },
    ...{ status: 202, answer: 'op9' },
  };

  const wrongs: [Partial<RunRecord>, string][] = [
    [{ calmAtMs: null, unrest: ['x'] }, 'all comes to rest once the faults are gone'],
    [{ actions: [asked] }, 'every accepted request ends'],
    [{ actions: [{ ...asked, status: 500 }] }, 'the API knows its own mistakes (no 500)'],
    [{ mail: { ...run().mail, lost: ['m1'] } }, 'no acknowledged mail is lost'],
    [
      { mail: { ...run().mail, unexplainedDoubles: ['m1'] } },
      'no mail is doubled without a lost acknowledgement',
    ],
    [{ mail: { ...run().mail, unread: ['u1'] } }, 'every mailbox can be read'],
    [{ leftovers: { ...clean, strangers: ['u1'] } }, 'nobody stays where he does not live'],
    [{ leftovers: { ...clean, movingUsers: ['u1'] } }, 'no move stays half-done'],
    [{ leftovers: { ...clean, chunksInFlight: ['c1'] } }, 'no move stays half-done'],
    [{ leftovers: { ...clean, closedBackends: [A] } }, 'a Backend at rest takes new users'],
    [{ leftovers: { ...clean, diedAlone: ['worker'] } }, 'no process dies by itself'],
    [{ leftovers: { ...clean, brokenWorkflows: ['x'] } }, 'no workflow breaks'],
  ];
  it.each(wrongs)('%j', (fields, invariant) => {
    expect(found(fields)).toEqual([invariant]);
  });

  it('an operation that never ends', () => {
    const operations = [operation({ state: 'running', endedAtMs: null })];
    expect(found({ operations })).toEqual(['every operation ends']);
  });
});
