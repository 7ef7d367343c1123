/** How a run ends: all that was asked for has ended, nothing is left over, no mail is missing. */
import type { RunRecord, Violation } from '../record.ts';

type Part = Pick<
  RunRecord,
  'healedAtMs' | 'calmAtMs' | 'unrest' | 'operations' | 'actions' | 'mail' | 'leftovers'
>;

export function checkEndings(record: Part): Violation[] {
  const { healedAtMs, calmAtMs, unrest, operations, actions, mail, leftovers } = record;
  const all = (invariant: string, found: readonly string[], atMs = healedAtMs): Violation[] =>
    found.map((detail) => ({ invariant, detail, atMs }));
  const ended = new Set(
    operations.filter(({ endedAtMs }) => endedAtMs !== null).map(({ operationId }) => operationId),
  );
  const asked = actions.filter(({ verb, status }) => verb === 'evacuate' && status === 202);
  return [
    ...(calmAtMs === null ? all('all comes to rest once the faults are gone', unrest) : []),
    ...all(
      'every accepted request ends',
      asked
        .filter(({ answer }) => !ended.has(answer))
        .map(({ what, answer }) => `${what}: ${answer}`),
    ),
    ...all(
      'every operation ends',
      operations
        .filter(({ endedAtMs }) => endedAtMs === null)
        .map(({ operationId, kind, state }) => `${kind} ${operationId} is ${state}`),
    ),
    ...actions
      .filter(({ status }) => status === 500)
      .map(({ what, atMs }) => ({
        invariant: 'the API knows its own mistakes (no 500)',
        detail: what,
        atMs,
      })),
    ...all('no acknowledged mail is lost', mail.lost),
    ...all('no mail is doubled without a lost acknowledgement', mail.unexplainedDoubles),
    ...all('every mailbox can be read', mail.unread),
    ...all('nobody stays where he does not live', leftovers.strangers),
    ...all('no move stays half-done', [...leftovers.movingUsers, ...leftovers.chunksInFlight]),
    ...all('a Backend at rest takes new users', leftovers.closedBackends),
    ...all('no process dies by itself', leftovers.diedAlone),
    ...all('no workflow breaks', leftovers.brokenWorkflows),
  ];
}
