/** What the process keeps in memory for its routes: caches only, nothing that must survive. */
import type { Dependencies } from './dependencies.ts';

export interface ApiState {
  readonly dependencies: Dependencies;
}
