/** Every table of `npm run bench`, in the order of docs/performance.md. */
import type { BenchTable } from '../bench-table.ts';

export const TABLES: readonly BenchTable[] = [];
