/** Picks the users of one round and writes them into the ledger as planned, before anything is sent. */
import type { LedgerReason, LedgerRow } from '../workflows/domain/user-move.ts';
import {
  chooseUsers,
  type ChosenUsers,
  type SelectionRule,
} from '../workflows/policy/choose-users.ts';
import type { ActivityContext } from './context.ts';
import { assertOwnsSite } from './site-owner.ts';

const PAGE_SIZE = 1_000;

export interface PlanRoundInput {
  readonly operationId: string;
  readonly sourceId: string;
  /** Users of this round at most. */
  readonly users: number;
  readonly firstChunk: number;
  readonly cursor: string | null;
  readonly rule: SelectionRule;
  /** The source takes no list: only how many go where is planned. Absent: it does. */
  readonly isCounted?: boolean;
  /** A list of named users instead of everybody who lives there; absent: none. */
  readonly selectionId?: string;
  /** Their moves were begun by somebody else, who said where to. */
  readonly isForeign?: boolean;
}

export interface PlannedChunk {
  readonly chunk: number;
  readonly targetId: string;
  readonly users: number;
  /** The source will choose them; their rows are written afterwards. Absent: no. */
  readonly isCounted?: boolean;
}

export interface PlannedRound {
  /** Users that stay for a reason are chunks too: in the ledger as skipped. */
  readonly chunks: readonly PlannedChunk[];
  readonly nextChunk: number;
  readonly cursor: string | null;
  /** The source has no further users behind the cursor. */
  readonly isExhausted: boolean;
}

export interface Progress {
  readonly chunks: PlannedChunk[];
  /** Users that the ledger already holds, from a try or a mover that died half-way. */
  readonly known: Set<string>;
  rule: SelectionRule;
  planned: number;
  nextChunk: number;
}

/**
 * A repeat takes up the chunks that an earlier try had written and goes on after them, so that no user
 * is planned twice.
 */
export async function planRound(
  context: ActivityContext,
  input: PlanRoundInput,
): Promise<PlannedRound> {
  await assertOwnsSite(context);
  const progress = await takeUp(context, input);
  let cursor = input.cursor;
  let isExhausted = false;
  while (progress.planned < input.users && !isExhausted) {
    const wanted = input.users - progress.planned;
    const limit = Math.min(PAGE_SIZE, wanted + progress.known.size);
    const page = await context.geodb.pageUsers(input.sourceId, { limit, cursor });
    cursor = page.cursor;
    isExhausted = page.cursor === null;
    const fresh = page.users.filter((user) => !progress.known.has(user.username));
    const chosen = chooseUsers(fresh.slice(0, wanted), progress.rule, Date.now());
    await writeChosen(context, input, progress, chosen);
    progress.rule = { ...progress.rule, quotas: chosen.quotas };
    if (chosen.quotas.every((quota) => quota.users === 0)) break;
  }
  const { chunks, nextChunk } = progress;
  return { chunks, nextChunk, cursor, isExhausted };
}

export async function takeUp(context: ActivityContext, input: PlanRoundInput): Promise<Progress> {
  const progress: Progress = {
    chunks: [],
    known: new Set(),
    rule: input.rule,
    planned: 0,
    nextChunk: input.firstChunk,
  };
  while (progress.planned < input.users) {
    const rows = await context.store.readLedgerChunk(input.operationId, progress.nextChunk);
    const first = rows[0];
    if (first === undefined) break;
    for (const row of rows) progress.known.add(row.username);
    addChunk(progress, first.targetId, rows.length);
    progress.rule = reduceQuota(progress.rule, first.targetId, rows.length);
  }
  return progress;
}

function addChunk(progress: Progress, targetId: string, users: number): void {
  progress.chunks.push({ chunk: progress.nextChunk, targetId, users });
  progress.planned += users;
  progress.nextChunk += 1;
}

export async function writeChosen(
  context: ActivityContext,
  input: PlanRoundInput,
  progress: Progress,
  chosen: Omit<ChosenUsers, 'quotas'>,
): Promise<void> {
  const write = async (targetId: string, rows: readonly LedgerRow[]): Promise<void> => {
    const chunk = progress.nextChunk;
    await context.store.saveLedgerRows(rows.map((row) => ({ ...row, chunk })));
    addChunk(progress, targetId, rows.length);
  };
  for (const { targetId, usernames } of chosen.chunks) {
    // Planned is as good as there: the next mover that selects targets counts it.
    await noteAsPlanned(context, input, {
      chunk: progress.nextChunk,
      targetId,
      users: usernames.length,
    });
    await write(
      targetId,
      usernames.map((name) => plannedRow(input, name, targetId)),
    );
  }
  if (chosen.skipped.length === 0) return;
  const targetId = input.rule.quotas[0]?.backendId ?? input.sourceId;
  await write(
    targetId,
    chosen.skipped.map(({ username, reason }) =>
      skippedRow(plannedRow(input, username, targetId), reason),
    ),
  );
}

export function noteAsPlanned(
  context: ActivityContext,
  { operationId, sourceId }: PlanRoundInput,
  { chunk, targetId, users }: PlannedChunk,
): Promise<void> {
  return context.store.saveChunkInFlight({
    siteName: context.config.site,
    sourceId,
    operationId,
    chunk,
    targetId,
    remaining: users,
    attempts: 0,
    sentAtMs: 0,
  });
}

function plannedRow(input: PlanRoundInput, username: string, targetId: string): LedgerRow {
  return {
    operationId: input.operationId,
    chunk: 0,
    username,
    sourceId: input.sourceId,
    targetId,
    state: 'planned',
    reason: null,
    attempts: 0,
    moveTimestampMicros: null,
    isForced: false,
    sentAtMs: null,
    endedAtMs: null,
  };
}

function skippedRow(row: LedgerRow, reason: LedgerReason): LedgerRow {
  return { ...row, state: 'skipped', reason, endedAtMs: Date.now() };
}

function reduceQuota(rule: SelectionRule, targetId: string, users: number): SelectionRule {
  const quotas = rule.quotas.map((quota) =>
    quota.backendId === targetId ? { ...quota, users: Math.max(0, quota.users - users) } : quota,
  );
  return { ...rule, quotas };
}
