/** The overview of the home site: read again when the stream says so, and every 5 s without it. */
import { api } from '../api/client.ts';
import type { Overview } from '../api/model.ts';
import { clock } from './clock.svelte.ts';
import { history } from './history.svelte.ts';
import { live } from './live.svelte.ts';
import { createPoller } from './poller.svelte.ts';

const POLL_MS = 5000;
/** After so long without a good answer everything shown is marked stale, in seconds. */
export const STALE_SECS = 30;

const poller = createPoller<Overview>({
  intervalMs: POLL_MS,
  load: async (signal) => {
    const overview = await api.readOverview(signal);
    history.add(overview);
    return overview;
  },
});

export const cluster = {
  get overview(): Overview | undefined {
    return poller.data;
  },
  get error(): Error | null {
    return poller.error;
  },
  get ageSeconds(): number | null {
    return poller.ageSeconds;
  },
  /** The page shows something too old to be relied on. */
  get isStale(): boolean {
    return (poller.ageSeconds ?? 0) > STALE_SECS;
  },
  get updatedAtMs(): number | null {
    return poller.updatedAtMs;
  },
  /** Age of the newest metrics now: as told, plus the age of the telling. */
  get metricsAgeSeconds(): number | null {
    const overview = poller.data;
    if (overview === undefined || overview.metrics.ageSecs === null) return null;
    return Math.max(0, overview.metrics.ageSecs + (poller.ageSeconds ?? 0));
  },
  /** The server's clock: the viewer's may be wrong. */
  get nowMs(): number {
    const { data, updatedAtMs } = poller;
    if (data === undefined || updatedAtMs === null) return clock.nowMs;
    return data.nowMs + Math.max(0, clock.nowMs - updatedAtMs);
  },
  refresh: () => poller.refresh(),
  start(): () => void {
    const end = live.onChange(
      ['metrics', 'operations', 'decisions', 'features', 'automation'],
      () => void poller.refresh(),
    );
    poller.start();
    return () => {
      end();
      poller.stop();
    };
  },
};
