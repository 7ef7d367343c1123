/** Plans a round of users whom somebody named, or whose move somebody else began: from a list, not by a rule. */
import type {
  UserHomeWithWriteTime,
  LedgerReason,
  SelectedUser,
} from '../workflows/domain/user-move.ts';
import { chooseUsers } from '../workflows/policy/choose-users.ts';
import type { ActivityContext } from './context.ts';
import {
  takeUp,
  writeChosen,
  type PlannedRound,
  type PlanRoundInput,
  type Progress,
} from './plan-round.ts';
import { assertOwnsSite } from './site-owner.ts';

const PAGE_SIZE = 1_000;

type Homes = ReadonlyMap<string, UserHomeWithWriteTime>;
type Skipped = { readonly username: string; readonly reason: LedgerReason };

/** The cursor is a place in the list, never a name: it goes through the mover's history. */
export async function planSelected(
  context: ActivityContext,
  input: PlanRoundInput & { readonly selectionId: string },
): Promise<PlannedRound> {
  await assertOwnsSite(context, input);
  const list = await context.store.readSelectedUsers(input.selectionId);
  const progress = await takeUp(context, input);
  let place = Number(input.cursor ?? 0);
  while (progress.planned < input.users && place < list.length) {
    const wanted = Math.min(PAGE_SIZE, input.users - progress.planned);
    const page = list.slice(place, place + wanted);
    place += page.length;
    const fresh = page.filter(({ username }) => !progress.known.has(username));
    await planPage(context, input, progress, fresh);
  }
  const { chunks, nextChunk } = progress;
  return { chunks, nextChunk, cursor: String(place), isExhausted: place >= list.length };
}

async function planPage(
  context: ActivityContext,
  input: PlanRoundInput,
  progress: Progress,
  page: readonly SelectedUser[],
): Promise<void> {
  const homes = await context.geodb.readUsers(page.map(({ username }) => username));
  const staying: Skipped[] = [];
  const movable: SelectedUser[] = [];
  for (const user of page) {
    const reason = whyStay(user, homes, input);
    if (reason === null) movable.push(user);
    else staying.push({ username: user.username, reason });
  }
  if (input.isForeign !== true) {
    const users = movable.flatMap(({ username }) => homes.get(username) ?? []);
    const chosen = chooseUsers(users, progress.rule, Date.now());
    progress.rule = { ...progress.rule, quotas: chosen.quotas };
    await writeChosen(context, input, progress, {
      ...chosen,
      skipped: [...chosen.skipped, ...staying],
    });
    return;
  }
  const { chunks, hopeless } = byTarget(movable, input);
  await clearMoves(context, hopeless, homes);
  const cleared = hopeless.map(({ username }): Skipped => ({ username, reason: 'MoveCleared' }));
  await writeChosen(context, input, progress, { chunks, skipped: [...staying, ...cleared] });
}

/** Null: the user is to be moved. */
function whyStay(
  { username, targetId }: SelectedUser,
  homes: Homes,
  { sourceId, isForeign }: PlanRoundInput,
): LedgerReason | null {
  const home = homes.get(username);
  if (home === undefined) return 'UserGone';
  if (isForeign === true && !home.isMoving) return 'MoveEnded';
  if (home.backendId === sourceId) return null;
  return home.backendId === targetId ? 'AlreadyOnTarget' : 'MovedElsewhere';
}

/** Whoever began the move said where to; where that Backend may take nobody, the move is hopeless. */
function byTarget(
  users: readonly SelectedUser[],
  { rule }: PlanRoundInput,
): {
  chunks: { targetId: string; usernames: string[] }[];
  hopeless: SelectedUser[];
} {
  const possible = new Set(rule.quotas.map(({ backendId }) => backendId));
  const isHopeless = ({ targetId }: SelectedUser): boolean =>
    targetId === null || !possible.has(targetId);
  const chunks = [...possible].flatMap((targetId) => {
    const names = users.filter((user) => user.targetId === targetId).map((user) => user.username);
    const count = Math.ceil(names.length / rule.chunkSize);
    return Array.from({ length: count }, (_, index) => ({
      targetId,
      usernames: names.slice(index * rule.chunkSize, (index + 1) * rule.chunkSize),
    }));
  });
  return { chunks, hopeless: users.filter(isHopeless) };
}

/** Before the ledger says so: a repeat then finds a move that has ended. */
async function clearMoves(
  { geodb, logger }: ActivityContext,
  users: readonly SelectedUser[],
  homes: Homes,
): Promise<void> {
  if (users.length === 0) return;
  const nowMicros = Date.now() * 1000;
  await geodb.clearMoves(
    users.map(({ username }) => {
      const writtenAtMicros = homes.get(username)?.homeWrittenAtMicros ?? 0;
      return { username, timestampMicros: Math.max(nowMicros, writtenAtMicros) + 1 };
    }),
  );
  logger.info({ users: users.length }, 'moves to impossible targets cleared');
}
