import type { BackendReachability } from '../domain/backend.ts';

/** The failure that has a grace; every other one counts at once. */
const NAME_FAILURE = 'NameNotResolved';

/**
 * Whether a Backend counts as reachable after one more look: any error marks it, a single success clears the mark.
 * A name that cannot be resolved is forgiven for
 * BACKEND_REACHABILITY_NAME_RESOLUTION_FAILURE_DURATION_ALLOWED_SECS, which does not clear a mark that is there.
 * Source: controller settings, that setting (grace of 10 s for name resolution).
 *
 * @param failure code of what was wrong; null: it answered
 */
export function judgeReachability(
  former: BackendReachability | null,
  look: { readonly backendId: string; readonly failure: string | null; readonly nowMs: number },
  nameGraceSecs: number,
): BackendReachability {
  const { backendId, failure, nowMs } = look;
  const isNameFailure = failure === NAME_FAILURE;
  const nameFailingSinceMs = isNameFailure ? (former?.nameFailingSinceMs ?? nowMs) : null;
  const isForgiven =
    nameFailingSinceMs !== null &&
    nowMs - nameFailingSinceMs < nameGraceSecs * 1000 &&
    (former?.isReachable ?? true);
  const isReachable = failure === null || isForgiven;
  const isSame = former?.isReachable === isReachable;
  return {
    backendId,
    isReachable,
    failure,
    sinceMs: isSame ? former.sinceMs : nowMs,
    nameFailingSinceMs,
    checkedAtMs: nowMs,
  };
}
