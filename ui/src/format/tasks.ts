/** The scheduled tasks, by their documented names. */
import type { TaskName } from '../api/model.ts';

export const TASK_NAMES: readonly TaskName[] = [
  'cache_metrics',
  'scrape_stats',
  'check_user_moves',
  'rebalance_sites',
  'check_backend_health',
  'evacuate_zero_load_factor_hosts',
  'check_site_reachability',
  'delete_stale_data',
];

export const TASK_TEXTS: Readonly<Record<TaskName, string>> = {
  cache_metrics: 'Reads the metrics of the Site, and wakes the health check.',
  scrape_stats: 'Refreshes exported figures when they are scraped.',
  check_user_moves: 'Finds stuck moves and has them retried or forced.',
  rebalance_sites: 'Moves some Users from the most to the least loaded Backend.',
  check_backend_health: 'Judges Backends; evacuates, relieves, brings back.',
  evacuate_zero_load_factor_hosts: 'Empties Backends whose load factor is 0.',
  check_site_reachability: 'Reads what the proxies measured. Never acts.',
  delete_stale_data: 'Removes rows that belong to nothing. Never a User.',
};

/** "nothing: 11, acted: 1"; the counts of the last run. */
export function outcomesText(outcomes: Readonly<Record<string, number>>): string {
  const parts = Object.entries(outcomes)
    .filter(([, many]) => many > 0)
    .map(([name, many]) => `${name}: ${many}`);
  return parts.length === 0 ? '—' : parts.join(', ');
}
