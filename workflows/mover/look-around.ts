/** What a mover reads of the world before it sends users, and again while it sends: may it, and whereto? */
import { condition, patched } from '@temporalio/workflow';
import type { MoveSituation } from '../../activities/move-users.ts';
import { moverActivities } from '../activity-options.ts';
import type { MoverState } from '../contract.ts';
import { featureOf, isAutomatic } from '../domain/operation.ts';
import { selectTargets, type TargetSelection } from '../policy/select-targets.ts';
import { become } from './book.ts';
import { reassign } from './heed-signals.ts';
import { noteCounts, usersKnown } from './known-users.ts';
import { stateOf, type Mover } from './mover.ts';

const NO_TARGET_WAIT_MS = 5_000;
/** One cycle: from then on what has changed is heeded, also in the midst of a round. */
const LOOK_MAX_AGE_MS = 5_000;
const LOOKS_AGAIN = 'looks-again-while-sending';

export const targetsOf = ({ inbox, state }: Mover): readonly string[] =>
  inbox.targetIds ?? state?.request.targetIds ?? [];

/** Null: automation may not go on, and the mover is asked to pause. */
export async function lookAround(mover: Mover): Promise<MoveSituation | null> {
  const { sourceId } = stateOf(mover).request;
  const knownUsers = usersKnown(stateOf(mover), Date.now());
  const lookedAtMs = Date.now();
  const wanted = { sourceId, knownUsers, targetIds: targetsOf(mover) };
  const situation = await moverActivities.readMoveSituation(wanted);
  if (knownUsers === null) mover.state = noteCounts(stateOf(mover), situation, lookedAtMs);
  mover.lookedAtMs = lookedAtMs;
  mover.limits = situation.settings;
  // absent in the answers of older workers
  mover.inflowOfOthers = (situation as Partial<MoveSituation>).inflowOfOthers ?? {};
  const hold = findHold(stateOf(mover), situation);
  if (hold === null) return situation;
  mover.inbox.pause ??= { actor: 'mover', reason: hold, isByAutomation: true };
  return null;
}

/** Why automation may not go on by itself; null: it may. */
function findHold(state: MoverState, situation: MoveSituation): string | null {
  const { cause } = state.request;
  if (!isAutomatic(cause)) return null;
  if (situation.automation === 'paused') return 'AutomationPaused';
  const feature = featureOf(cause);
  if (feature === null) return null;
  return situation.features[feature] === 'enabled' ? null : 'FeatureDisabled';
}

/** Says why there is no target, and gives the world a moment to change. */
export async function awaitTarget(
  mover: Mover,
  { candidates }: MoveSituation,
  { refused }: TargetSelection,
): Promise<void> {
  const known = new Set(candidates.map(({ backendId }) => backendId));
  const reasons = [
    ...refused.map(({ host, refusal }) => `${host}: ${refusal}`),
    ...targetsOf(mover)
      .filter((id) => !known.has(id))
      .map((id) => `${id}: Unknown`),
  ];
  const why = `NoTargetLeft (${reasons.join(', ')})`;
  mover.state = { ...become(stateOf(mover), 'running', why), known: null };
  await mover.save({ isUrgent: true });
  await condition(() => mover.isHeld(), NO_TARGET_WAIT_MS);
}

/** For one go at sending: true once what it knows of the world is too old to send by. */
export function staleWhileSending(mover: Mover): () => boolean {
  if (isForeign(mover) || !patched(LOOKS_AGAIN)) return () => false;
  return () => isStale(mover);
}

/**
 * Before planned chunks are sent: where the last look is older than a cycle, looks again. Chunks whose
 * target must not take users any more get another one.
 *
 * @returns false where nothing may be sent now.
 */
export async function mayStillSend(mover: Mover): Promise<boolean> {
  if (isForeign(mover) || !isStale(mover) || !patched(LOOKS_AGAIN)) return true;
  const situation = await lookAround(mover);
  if (situation === null) return false;
  const { request, openChunks } = stateOf(mover);
  const targetIds = targetsOf(mover);
  const wish = { sourceId: request.sourceId, targetIds, users: 0 };
  const selection = selectTargets(situation.candidates, wish);
  const fit = new Set(selection.quotas.map(({ backendId }) => backendId));
  const wrong = openChunks.filter(({ isSent, targetId }) => !isSent && !fit.has(targetId));
  if (wrong.length > 0 && fit.size === 0) {
    await awaitTarget(mover, situation, selection);
    mover.lookedAtMs = 0;
    return false;
  }
  const running = become(stateOf(mover), 'running', null);
  mover.state = reassign(running, wrong, situation.candidates, targetIds);
  return true;
}

const isStale = ({ lookedAtMs }: Mover): boolean => Date.now() - lookedAtMs > LOOK_MAX_AGE_MS;

/** Its targets were chosen by others. */
const isForeign = (mover: Mover): boolean => stateOf(mover).request.cause === 'foreign';
