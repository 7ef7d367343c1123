import { taskActivities } from './activity-options.ts';
import type { TaskInput } from './contract.ts';
import { runOnce } from './endless-task.ts';

/**
 * `check_site_reachability`: reads what the proxies measured between sites, for UI, API and metrics.
 * Source: controller documentation, warning under "site reachability": no automatic action is taken.
 */
export async function checkSiteReachability(_input: TaskInput): Promise<void> {
  await runOnce('check_site_reachability', () => taskActivities.readSiteReachability());
}
