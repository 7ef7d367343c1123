/** Decisions by site, task and Backend, newest first. Their ids are ULIDs and give their day. */
import { decodeTime, isValid } from 'ulid';
import type { RecordedDecision } from '../../workflows/domain/decision.ts';
import type { CassandraSession, WriteMany } from '../cassandra-session.ts';
import { requiredText, toBigint } from '../cassandra-values.ts';
import { GatewayError } from '../gateway-error.ts';
import type { ControllerStore, DecisionPage, DecisionQuery } from './controller-store.ts';
import type { StoreStatements } from './statements.ts';

type DecisionMethods = Pick<
  ControllerStore,
  'saveDecisions' | 'readDecisions' | 'readDecision' | 'readLastNothings' | 'saveLastNothings'
>;

/** A page that finds little ends after so many rows, with a cursor to go on from. */
const MOST_ROWS_SEEN = 2000;
/** Above every ULID. */
const AFTER_ALL_IDS = '~';
const AFTER_ALL_DAYS = '9999-12-31';

export function decisionMethods(
  session: CassandraSession,
  statements: StoreStatements,
): DecisionMethods {
  return {
    saveDecisions: async (decisions) => {
      const writes = decisions.flatMap((decision) => toWrites(statements, decision));
      await session.writeMany('saveDecisions', writes);
    },
    readDecisions: (query) => readDecisions(session, statements, query),
    readDecision: async (siteName, decisionId) => {
      if (!isValid(decisionId)) return null;
      const key = [siteName, dayOf(decisionId), decisionId];
      const row = await session.readOne('readDecision', statements.readDecision, key);
      return row === null ? null : parseDecision(requiredText(row, 'body'));
    },
    readLastNothings: async (siteName, task) => {
      const key = [siteName, task];
      const row = await session.readOne('readLastNothings', statements.readLastNothings, key);
      return row === null ? [] : (JSON.parse(requiredText(row, 'body')) as RecordedDecision[]);
    },
    saveLastNothings: async (siteName, task, decisions) => {
      const params = [siteName, task, JSON.stringify(decisions)];
      await session.write('saveLastNothings', statements.saveLastNothings, params);
    },
  };
}

function dayOf(decisionId: string): string {
  if (!isValid(decisionId)) {
    throw new GatewayError(`"${decisionId}" is not the id of a decision`, {
      system: 'cassandra',
      operation: 'saveDecisions',
      code: 'InvalidArgument',
      isTemporary: false,
      subject: 'decisionId',
    });
  }
  return new Date(decodeTime(decisionId)).toISOString().slice(0, 10);
}

/** What points to a decision is written once: a repeat has the same task and Backends. */
function toWrites(statements: StoreStatements, decision: RecordedDecision): WriteMany[] {
  const { siteName: site, decisionId: id } = decision;
  const day = dayOf(id);
  const repeats = Math.min(decision.repeats, 999);
  const timestamp = toBigint(decision.lastRepeatedAtMs * 1000 + repeats);
  const body = JSON.stringify(decision);
  const writes: WriteMany[] = [
    { statement: statements.saveDecision, params: [site, day, id, body, timestamp] },
  ];
  if (decision.repeats > 1) return writes;
  const subjects = [`task:${decision.task}`, ...decision.hosts.map((host) => `host:${host}`)];
  return [
    ...writes,
    { statement: statements.saveDecisionDay, params: [site, day] },
    ...subjects.map((subject) => ({
      statement: statements.saveSubject,
      params: [site, subject, day, id],
    })),
  ];
}

async function readDecisions(
  session: CassandraSession,
  statements: StoreStatements,
  query: DecisionQuery,
): Promise<DecisionPage> {
  const { siteName: site, limit } = query;
  let before = query.cursor ?? AFTER_ALL_IDS;
  const lastDay = before === AFTER_ALL_IDS ? AFTER_ALL_DAYS : dayOf(before);
  const days = await session.read('readDecisions', statements.readDecisionDays, [site, lastDay]);
  const found: RecordedDecision[] = [];
  let seen = 0;
  for (const { day } of days) {
    for (;;) {
      const batch = await readBatch(session, statements, query, { day: String(day), before });
      for (const decision of batch) {
        before = decision.decisionId;
        seen++;
        if (isWanted(decision, query)) found.push(decision);
        if (found.length === limit) return { decisions: found, cursor: before };
      }
      if (seen >= MOST_ROWS_SEEN) return { decisions: found, cursor: before };
      if (batch.length < limit) break;
    }
  }
  return { decisions: found, cursor: null };
}

/** Up to `limit` decisions of one day, from the table that fits the query. */
async function readBatch(
  session: CassandraSession,
  statements: StoreStatements,
  { siteName: site, task, host, limit }: DecisionQuery,
  { day, before }: { day: string; before: string },
): Promise<RecordedDecision[]> {
  const subject = host !== undefined ? `host:${host}` : task !== undefined ? `task:${task}` : null;
  if (subject === null) {
    const params = [site, day, before, limit];
    const rows = await session.read('readDecisions', statements.pageDecisions, params);
    return rows.map((row) => parseDecision(requiredText(row, 'body')));
  }
  const params = [site, subject, day, before, limit];
  const pointers = await session.read('readDecisions', statements.pageSubject, params);
  const byId = new Map<string, RecordedDecision>();
  await session.forEach(pointers, async (pointer) => {
    const id = requiredText(pointer, 'decision_id');
    const row = await session.readOne('readDecision', statements.readDecision, [site, day, id]);
    if (row !== null) byId.set(id, parseDecision(requiredText(row, 'body')));
  });
  return pointers
    .map((pointer) => byId.get(requiredText(pointer, 'decision_id')))
    .filter((decision) => decision !== undefined);
}

function isWanted(decision: RecordedDecision, { task, kind }: DecisionQuery): boolean {
  if (task !== undefined && decision.task !== task) return false;
  return kind === undefined || decision.kind === kind;
}

function parseDecision(body: string): RecordedDecision {
  return JSON.parse(body) as RecordedDecision;
}
