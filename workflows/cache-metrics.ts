import { frequentActivities, taskActivities } from './activity-options.ts';
import type { TaskInput } from './contract.ts';
import { runEndlessly } from './endless-task.ts';
import { assessHealth } from './policy/assess-health.ts';

/**
 * `cache_metrics`: the latest metrics to Redis every 5 s. When a Backend just turned critical it wakes
 * `check_backend_health`, so that nobody waits for the minute to be over.
 */
export async function cacheMetrics(input: TaskInput): Promise<void> {
  let critical: readonly string[] = [];
  await runEndlessly(input, 'cache_metrics', async () => {
    const glance = await frequentActivities().cacheLatestMetrics();
    if (!glance.isExporting) return { skipped: 1 };
    if (glance.blindReason !== null) return { blind: 1 };
    const now = glance.suspects
      .filter(({ attempts }) => assessHealth(attempts, glance.settings).verdict === 'critical')
      .map(({ host }) => host);
    const isNew = now.some((host) => !critical.includes(host));
    critical = now;
    if (isNew) await taskActivities.wakeTask({ task: 'check_backend_health' });
    return { cached: 1, woken: isNew ? 1 : 0 };
  });
}
