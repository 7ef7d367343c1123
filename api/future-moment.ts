/** Moments in requests. */
import { fieldError } from './errors.ts';
import { momentToMs } from './schemas/problem.ts';

/** Milliseconds; null where none is given. Throws a 422 that names the field where it is over. */
export function futureMoment(
  field: string,
  moment: string | number | null | undefined,
  nowMs: number,
): number | null {
  if (moment === undefined || moment === null) return null;
  const atMs = momentToMs(moment);
  if (atMs <= nowMs) {
    throw fieldError(field, 'must lie in the future');
  }
  return atMs;
}
