/** Tells the proxies of the cluster whom this Backend sends away, and where to. */
import { authorizationOf } from './api-key.ts';
import type { MoveNews } from './move-news.ts';
import type { Endpoint } from './settings.ts';

/** Returns at once; a proxy that does not listen asks the GeoDB instead. */
export type ProxyTeller = (news: MoveNews) => void;

/** News that is older helps nobody. */
const TIMEOUT_MS = 500;

/** @param proxies where the cluster service of each proxy of the cluster answers */
export function createProxyTeller(proxies: readonly Endpoint[], apiKey: string): ProxyTeller {
  const lines = proxies.map((proxy) => createLine(proxy, apiKey));
  return (news) => {
    if (news.users.length === 0) return;
    for (const tell of lines) tell(news);
  };
}

/** One request runs; what comes meanwhile goes with the next one, in order. */
function createLine({ address, port }: Endpoint, apiKey: string): ProxyTeller {
  const headers = { Authorization: authorizationOf(apiKey), 'Content-Type': 'application/json' };
  let waiting: MoveNews[] = [];
  let isRunning = false;
  const run = async () => {
    isRunning = true;
    while (waiting.length > 0) {
      const oldestMs = Date.now() - TIMEOUT_MS;
      const body = JSON.stringify(waiting.filter(({ atMs }) => atMs >= oldestMs));
      waiting = [];
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const init = { method: 'POST', headers, body, signal };
      await fetch(`http://${address}:${port}/moves`, init)
        .then(
          (answer) => answer.arrayBuffer(),
          () => undefined,
        )
        .catch(() => undefined);
    }
    isRunning = false;
  };
  return (news) => {
    waiting.push(news);
    if (!isRunning) void run();
  };
}
