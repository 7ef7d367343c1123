/** Every table of `npm run bench`, in the order of docs/performance.md. */
import type { BenchTable } from '../bench-table.ts';
import { countsTable } from './counts.ts';
import { cycleTable } from './cycle.ts';
import { decide } from './decide.ts';
import { directorTable } from './director.ts';
import { evacuateTable } from './evacuate.ts';
import { idleTable } from './idle.ts';
import { reactionTable } from './reaction.ts';

export const TABLES: readonly BenchTable[] = [
  evacuateTable,
  reactionTable,
  idleTable,
  directorTable,
  decide,
  countsTable,
  cycleTable,
];
