/** All invariants over one run. */
import type { RunRecord, Violation } from '../record.ts';
import { checkBooks } from './books.ts';
import { checkEndings } from './endings.ts';
import { checkHomes } from './homes.ts';
import { checkLimits } from './limits.ts';
import { checkSwitches } from './switches.ts';
import { checkTargets } from './targets.ts';

/** In order of time. */
export function judge(record: RunRecord): Violation[] {
  return [
    ...checkBooks(record),
    ...checkHomes(record),
    ...checkLimits(record),
    ...checkSwitches(record),
    ...checkTargets(record),
    ...checkEndings(record),
  ].sort((a, b) => a.atMs - b.atMs);
}
