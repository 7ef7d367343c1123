/** What signals changed while an operation runs: written down, and applied to what is not sent yet. */
import { patched } from '@temporalio/workflow';
import { moverActivities } from '../activity-options.ts';
import type { MoverState, OpenChunk } from '../contract.ts';
import {
  selectTargets,
  type TargetCandidate,
  type TargetSelection,
} from '../policy/select-targets.ts';
import type { Mover } from './mover.ts';
import { audit } from './ends.ts';

export async function heedSignals(mover: Mover): Promise<void> {
  const { inbox } = mover;
  const { toAudit = [], isRetargeted = false } = inbox;
  if (toAudit.length === 0 && !isRetargeted) return;
  inbox.toAudit = [];
  inbox.isRetargeted = false;
  if (!patched('heed-signals')) return;
  for (const { verb, ...by } of toAudit) await audit(mover, verb, by);
  if (isRetargeted) await retargetUnsent(mover);
}

/** Sent is sent; what is planned gets one of the new targets, where one of them may take users. */
async function retargetUnsent(mover: Mover): Promise<void> {
  const targetIds = mover.inbox.targetIds ?? [];
  const isWrong = ({ isSent, targetId }: OpenChunk): boolean =>
    !isSent && targetIds.length > 0 && !targetIds.includes(targetId);
  const wrong = mover.state?.openChunks.filter(isWrong) ?? [];
  if (mover.state === null || wrong.length === 0) return;
  const { sourceId } = mover.state.request;
  const { candidates } = await moverActivities.readMoveSituation({ sourceId, targetIds });
  mover.state = reassign(mover.state, wrong, candidates, targetIds);
}

/** Shares chunks that are not sent out anew; where there is no target, all stay as planned. */
export function reassign(
  state: MoverState,
  chunks: readonly OpenChunk[],
  candidates: readonly TargetCandidate[],
  targetIds: readonly string[],
): MoverState {
  const users = chunks.reduce((sum, chunk) => sum + chunk.counts.remaining, 0);
  const { sourceId } = state.request;
  const { quotas } = selectTargets(candidates, { sourceId, targetIds, users });
  return assignTargets(state, chunks, quotas);
}

/** Each chunk goes to the target that still lacks the most; without any, all stay as planned. */
function assignTargets(
  state: MoverState,
  chunks: readonly OpenChunk[],
  quotas: TargetSelection['quotas'],
): MoverState {
  const lacking = quotas.map(({ backendId, users }) => ({ backendId, users }));
  const targets = new Map<number, string>();
  for (const { chunk, counts } of chunks) {
    const [first] = lacking.sort((a, b) => b.users - a.users);
    if (first === undefined) return state;
    first.users -= counts.remaining;
    targets.set(chunk, first.backendId);
  }
  const openChunks = state.openChunks.map((chunk): OpenChunk => {
    const targetId = targets.get(chunk.chunk);
    return targetId === undefined ? chunk : { ...chunk, targetId, isRetargeted: true };
  });
  return { ...state, openChunks };
}
