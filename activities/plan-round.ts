/** Picks the users of one round and writes them into the ledger as planned, before anything is sent. */
import { planRow, type LedgerReason, type LedgerRow } from '../workflows/domain/user-move.ts';
import {
  chooseUsers,
  type ChosenUsers,
  type SelectionRule,
} from '../workflows/policy/choose-users.ts';
import type { ActivityContext } from './context.ts';
import { assertOwnsSite } from './site-owner.ts';

const PAGE_SIZE = 1_000;
/** Chunks that are written side by side; a repeat looks so far ahead for what is there. */
const CHUNKS_AT_ONCE = 4;
/** Users who have not moved lately may come at any time. */
const LONGEST_REST_MS = 600_000;

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
  readonly epoch?: number | null;
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
  await assertOwnsSite(context, input);
  const progress = await takeUp(context, input);
  let cursor = input.cursor;
  let isExhausted = false;
  let restsUntilMs = Infinity;
  while (progress.planned < input.users && !isExhausted) {
    const wanted = input.users - progress.planned;
    const limit = Math.min(PAGE_SIZE, wanted + progress.known.size);
    const page = await context.geodb.pageUsers(input.sourceId, { limit, cursor });
    cursor = page.cursor;
    isExhausted = page.cursor === null;
    const fresh = page.users.filter((user) => !progress.known.has(user.username));
    const chosen = chooseUsers(fresh.slice(0, wanted), progress.rule, Date.now());
    restsUntilMs = Math.min(restsUntilMs, chosen.restsUntilMs ?? Infinity);
    await writeChosen(context, input, progress, chosen);
    progress.rule = { ...progress.rule, quotas: chosen.quotas };
    if (chosen.quotas.every((quota) => quota.users === 0)) break;
  }
  const { chunks, nextChunk } = progress;
  const hasSeenAll = input.cursor === null && isExhausted;
  if (hasSeenAll && progress.planned === 0 && Number.isFinite(restsUntilMs)) {
    const untilMs = Math.min(restsUntilMs, Date.now() + LONGEST_REST_MS);
    await context.store.noteUsersRest(context.config.site, input.sourceId, untilMs);
  }
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
  const noted = await readNoted(context, input);
  while (progress.planned < input.users) {
    // Chunks that are written side by side may be there without those before them.
    const numbers = Array.from(
      { length: CHUNKS_AT_ONCE },
      (_, index) => progress.nextChunk + index,
    );
    const found = await Promise.all(
      numbers.map(async (chunk) => {
        return { chunk, rows: await context.store.readLedgerChunk(input.operationId, chunk) };
      }),
    );
    const there = found.filter(({ rows }) => rows.length > 0);
    if (there.length === 0) break;
    for (const { chunk, rows } of there) {
      for (const row of rows) progress.known.add(row.username);
      const targetId = rows[0]?.targetId ?? input.sourceId;
      addChunk(progress, { chunk, targetId, users: rows.length });
      progress.rule = reduceQuota(progress.rule, targetId, rows.length);
    }
  }
  const written = new Set(progress.chunks.map(({ chunk }) => chunk));
  await dropNotes(
    context,
    input,
    noted.filter((chunk) => !written.has(chunk)),
  );
  return progress;
}

/** Chunks of this and later rounds that an earlier try had noted as on their way to be sent. */
async function readNoted(
  { store, config }: ActivityContext,
  { operationId, firstChunk }: PlanRoundInput,
): Promise<number[]> {
  const notes = await store.readChunksInFlight(config.site);
  return notes
    .filter((note) => note.operationId === operationId && note.chunk >= firstChunk)
    .map(({ chunk }) => chunk);
}

/** They never came into the ledger, and this try may number its chunks otherwise: nobody would end them. */
async function dropNotes(
  { store, config }: ActivityContext,
  { operationId, sourceId }: PlanRoundInput,
  chunks: readonly number[],
): Promise<void> {
  await Promise.all(
    chunks.map((chunk) => store.removeChunkInFlight(config.site, sourceId, operationId, chunk)),
  );
}

function addChunk(progress: Progress, planned: PlannedChunk): void {
  progress.chunks.push(planned);
  progress.planned += planned.users;
  progress.nextChunk = planned.chunk + 1;
}

export async function writeChosen(
  context: ActivityContext,
  input: PlanRoundInput,
  progress: Progress,
  chosen: Omit<ChosenUsers, 'quotas' | 'restsUntilMs'>,
): Promise<void> {
  const planned = chosen.chunks.map(({ targetId, usernames }) => ({
    targetId,
    isSkipped: false,
    rows: usernames.map((name) => plannedRow(input, name, targetId)),
  }));
  const anyTargetId = input.rule.quotas[0]?.backendId ?? input.sourceId;
  const skipped = {
    targetId: anyTargetId,
    isSkipped: true,
    rows: chosen.skipped.map(({ username, reason }) =>
      skippedRow(plannedRow(input, username, anyTargetId), reason),
    ),
  };
  const all = [...planned, ...(skipped.rows.length > 0 ? [skipped] : [])];
  while (all.length > 0) {
    const group = all
      .splice(0, CHUNKS_AT_ONCE)
      .map((one, index) => ({ ...one, chunk: progress.nextChunk + index }));
    await Promise.all(
      group.map(async ({ chunk, targetId, isSkipped, rows }) => {
        // Planned is as good as there: the next mover that selects targets counts it.
        const note = { chunk, targetId, users: rows.length };
        if (!isSkipped) await noteAsPlanned(context, input, note);
        await context.store.saveLedgerRows(rows.map((row) => ({ ...row, chunk })));
      }),
    );
    for (const { chunk, targetId, rows } of group) {
      addChunk(progress, { chunk, targetId, users: rows.length });
    }
  }
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
  const { operationId, sourceId } = input;
  return planRow({ operationId, chunk: 0, username, sourceId, targetId });
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
