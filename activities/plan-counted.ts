/** Plans a round off a source that takes no list of users: how many go where, never who. */
import type { ActivityContext } from './context.ts';
import { noteAsPlanned, takeUp, type PlannedRound, type PlanRoundInput } from './plan-round.ts';
import { assertOwnsSite } from './site-owner.ts';

/** Chunks that an earlier try or mover named are taken up; the rest is only counted. */
export async function planCounted(
  context: ActivityContext,
  input: PlanRoundInput,
): Promise<PlannedRound> {
  await assertOwnsSite(context, input);
  const progress = await takeUp(context, input);
  const chunks = [...progress.chunks];
  let { nextChunk } = progress;
  let left = input.users - progress.planned;
  for (const { backendId: targetId, users: quota } of progress.rule.quotas) {
    for (let unplanned = Math.min(quota, left); unplanned > 0;) {
      const users = Math.min(unplanned, input.rule.chunkSize);
      const chunk = { chunk: nextChunk, targetId, users, isCounted: true };
      await noteAsPlanned(context, input, chunk);
      chunks.push(chunk);
      nextChunk += 1;
      unplanned -= users;
      left -= users;
    }
  }
  return { chunks, nextChunk, cursor: null, isExhausted: false };
}
