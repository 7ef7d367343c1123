/** What the process keeps in memory for its routes: caches only, nothing that must survive. */
import type { Dependencies } from './dependencies.ts';
import { createDependencyHealth, type DependencyHealth } from './dependency-health.ts';
import { createFigures, type Figures } from './figures.ts';
import { createLiveHub, type LiveHub } from './live-hub.ts';
import { createOwnership, type Ownership } from './ownership.ts';
import { createReadiness, type Readiness } from './readiness.ts';
import { createSiteMetrics, type SiteMetricsReader } from './site-metrics.ts';
import { createTaskBook, type TaskBook } from './task-view.ts';
import { createUserCounts, type UserCounts } from './user-counts.ts';

/** What the views need. */
export interface ViewState {
  readonly dependencies: Dependencies;
  readonly health: DependencyHealth;
  readonly metrics: SiteMetricsReader;
  readonly ownership: Ownership;
  readonly userCounts: UserCounts;
  readonly tasks: TaskBook;
}

export interface ApiState extends ViewState {
  readonly live: LiveHub;
  readonly figures: Figures;
  readonly readiness: () => Promise<Readiness>;
}

export function createState(dependencies: Dependencies): ApiState {
  const views: ViewState = {
    dependencies,
    health: createDependencyHealth(dependencies),
    metrics: createSiteMetrics(dependencies),
    ownership: createOwnership(dependencies),
    userCounts: createUserCounts(dependencies),
    tasks: createTaskBook(dependencies),
  };
  return {
    ...views,
    live: createLiveHub(dependencies),
    figures: createFigures(views),
    readiness: createReadiness(views),
  };
}
