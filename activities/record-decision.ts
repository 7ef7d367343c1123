/** Decisions are recorded before anything is done, and workflows act only on what comes back. */
import { ulid } from 'ulid';
import type { TaskRun } from '../gateways/controller-store/controller-store.ts';
import type { HealthVerdict } from '../workflows/domain/cluster-snapshot.ts';
import type { Decision, RecordedDecision, TaskName } from '../workflows/domain/decision.ts';
import type { ActivityContext } from './context.ts';
import { isUnder, readClaim } from './site-owner.ts';

/** A verdict is written again when it changed, else at most this often. */
const JUDGED_REFRESH_MS = 5_000;

export interface VerdictToRemember {
  readonly backendId: string;
  readonly host: string;
  readonly verdict: HealthVerdict;
  readonly sinceMs: number;
}

export interface RecordInput {
  readonly task: TaskName;
  readonly snapshotId: string;
  readonly takenAtMs: number;
  readonly decisions: readonly Decision[];
  readonly verdicts: readonly VerdictToRemember[];
  /** Of the snapshot. */
  readonly epoch?: number | null;
}

export interface TaskRunReport {
  readonly task: TaskName;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Null: the run succeeded. */
  readonly error: string | null;
}

export interface RecordDecisionActivities {
  /**
   * Answers only the decisions that are to be acted upon (or would be, under DryRun). A controller that
   * does not own the site, or not any more, writes nothing and acts on nothing: its memory is the owner's.
   */
  recordDecisions(input: RecordInput): Promise<RecordedDecision[]>;
  recordTaskRun(report: TaskRunReport): Promise<void>;
}

export function createRecordDecision(context: ActivityContext): RecordDecisionActivities {
  return {
    async recordDecisions(input) {
      if (!isUnder(await readClaim(context), input)) return stayPassive(context, input);
      const { acting, nothings } = await numberDecisions(context, input);
      if (isWorthKeeping([...acting, ...nothings])) await keepSnapshot(context, input.snapshotId);
      await context.store.saveDecisions([...acting, ...nothings]);
      await context.store.saveLastNothings(context.config.site, input.task, nothings);
      await rememberVerdicts(context, input);
      report(context, acting, nothings);
      const event = {
        siteName: context.config.site,
        topic: 'decisions',
        atMs: Date.now(),
      } as const;
      await context.cache.publish(event);
      return acting;
    },
    recordTaskRun: (run) => recordTaskRun(context, run),
  };
}

function stayPassive(context: ActivityContext, input: RecordInput): RecordedDecision[] {
  const { task, verdicts } = input;
  for (const { host, verdict } of verdicts) context.metrics.setVerdict(host, verdict);
  context.logger.info({ task, reason: 'NotTheOwner' }, 'passive: another controller owns the site');
  return [];
}

async function numberDecisions(
  context: ActivityContext,
  input: RecordInput,
): Promise<{ acting: RecordedDecision[]; nothings: RecordedDecision[] }> {
  const siteName = context.config.site;
  const nowMs = Date.now();
  const record = (decision: Decision): RecordedDecision => ({
    ...decision,
    decisionId: ulid(nowMs),
    siteName,
    snapshotId: input.snapshotId,
    recordedAtMs: nowMs,
    repeats: 0,
    lastRepeatedAtMs: nowMs,
  });
  const former = await context.store.readLastNothings(siteName, input.task);
  const isRepeated = (decision: Decision): boolean =>
    decision.kind === 'nothing' || decision.isDryRun;
  const nothings = input.decisions.filter(isRepeated).map((decision) => {
    const same = former.find((each) => keyOf(each) === keyOf(decision));
    if (same === undefined) return record(decision);
    return { ...same, repeats: same.repeats + 1, lastRepeatedAtMs: nowMs };
  });
  const acting = input.decisions.filter((each) => !isRepeated(each)).map(record);
  return { acting, nothings };
}

/** Equal but for the figures, which differ from run to run. */
function keyOf(decision: Decision): string {
  const { task, kind, reason, hosts, operationId, isDryRun, detail } = decision;
  return JSON.stringify([task, kind, reason, hosts, operationId, isDryRun, detail]);
}

/** A decision to do something, be it under DryRun, can be looked into for as long as it is listed. */
function isWorthKeeping(decisions: readonly RecordedDecision[]): boolean {
  return decisions.some(({ kind, repeats }) => kind !== 'nothing' && repeats === 0);
}

async function keepSnapshot(context: ActivityContext, snapshotId: string): Promise<void> {
  const snapshot = await context.store.readSnapshot(snapshotId);
  if (snapshot !== null) await context.store.saveSnapshot(snapshot, { keep: true });
}

async function rememberVerdicts(context: ActivityContext, input: RecordInput): Promise<void> {
  const siteName = context.config.site;
  const memories = await context.store.readBackendMemories(siteName);
  const byId = new Map(memories.map((memory) => [memory.backendId, memory]));
  const changed = input.verdicts.flatMap(({ backendId, host, verdict, sinceMs }) => {
    const former = byId.get(backendId);
    const isKnown = verdict !== 'unknown';
    const isStale = (former?.judgedAtMs ?? 0) < input.takenAtMs - JUDGED_REFRESH_MS;
    const hasChanged = former?.verdict !== verdict || former.verdictSinceMs !== sinceMs;
    context.metrics.setVerdict(host, verdict);
    if (!hasChanged && !(isKnown && isStale)) return [];
    const judgedAtMs = isKnown ? input.takenAtMs : (former?.judgedAtMs ?? null);
    return [{ backendId, verdict, verdictSinceMs: sinceMs, judgedAtMs }];
  });
  await context.store.updateBackendMemories(siteName, changed);
}

function report(
  context: ActivityContext,
  acting: readonly RecordedDecision[],
  nothings: readonly RecordedDecision[],
): void {
  for (const decision of [...acting, ...nothings]) {
    context.metrics.countDecision(decision);
  }
  for (const decision of acting) context.logger.info(fieldsOf(decision), 'decided');
  for (const decision of nothings) {
    if (decision.repeats > 0) continue;
    const isAlarm = decision.reason === 'CatastropheProtection' || decision.reason === 'Blind';
    if (isAlarm) context.logger.error(fieldsOf(decision), 'automation holds');
    else context.logger.info(fieldsOf(decision), 'decided');
  }
}

function fieldsOf(decision: RecordedDecision): Record<string, unknown> {
  const { task, kind, reason, hosts, numbers, limitingSetting, detail, isDryRun } = decision;
  const { decisionId, snapshotId } = decision;
  const what = { task, decision: kind, reason, hosts, numbers, limitingSetting, detail, isDryRun };
  return { ...what, decisionId, snapshotId };
}

/** The runs that everybody sees are those of the owner. */
async function recordTaskRun(context: ActivityContext, run: TaskRunReport): Promise<void> {
  const outcome = run.error === null ? 'success' : 'failure';
  context.metrics.observeTask(run.task, outcome, run.endedAtMs - run.startedAtMs, run.outcomes);
  if (run.error !== null) context.logger.warn({ task: run.task, error: run.error }, 'task failed');
  if ((await readClaim(context)).isOurs) await saveTaskRun(context, run);
}

async function saveTaskRun(context: ActivityContext, run: TaskRunReport): Promise<void> {
  const siteName = context.config.site;
  const former = (await context.store.readTaskRuns(siteName)).find(
    (each) => each.task === run.task,
  );
  await context.store.saveTaskRun({
    siteName,
    task: run.task,
    lastStartedAtMs: run.startedAtMs,
    lastDurationMs: run.endedAtMs - run.startedAtMs,
    outcomes: run.outcomes,
    ...historyOf(run, former),
  });
}

type RunHistory = Pick<
  TaskRun,
  'lastSucceededAtMs' | 'lastError' | 'lastErrorAtMs' | 'failingSinceMs'
>;

/** What is remembered beyond the last run. */
function historyOf(run: TaskRunReport, former: TaskRun | undefined): RunHistory {
  if (run.error === null) {
    return {
      lastSucceededAtMs: run.endedAtMs,
      lastError: former?.lastError ?? null,
      lastErrorAtMs: former?.lastErrorAtMs ?? null,
      failingSinceMs: null,
    };
  }
  return {
    lastSucceededAtMs: former?.lastSucceededAtMs ?? null,
    lastError: run.error,
    lastErrorAtMs: run.endedAtMs,
    failingSinceMs: former?.failingSinceMs ?? run.startedAtMs,
  };
}
