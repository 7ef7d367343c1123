/** Tells the proxies of the cluster whom this Backend sends away, and where to. */
import { authorizationOf } from './api-key.ts';
import type { MoveNews } from './move-news.ts';
import { createLine } from './send-together.ts';
import type { Endpoint } from './settings.ts';

/** Returns at once; a proxy that does not listen asks the GeoDB instead. */
export type ProxyTeller = (news: MoveNews) => void;

/** News that is older helps nobody. */
const TIMEOUT_MS = 500;

/** @param proxies where the cluster service of each proxy of the cluster answers */
export function createProxyTeller(proxies: readonly Endpoint[], apiKey: string): ProxyTeller {
  const tellers = proxies.map((proxy) => createTeller(proxy, apiKey));
  return (news) => {
    if (news.users.length === 0) return;
    for (const tell of tellers) void tell(news);
  };
}

function createTeller({ address, port }: Endpoint, apiKey: string) {
  const headers = { Authorization: authorizationOf(apiKey), 'Content-Type': 'application/json' };
  return createLine<MoveNews>(async (news) => {
    const oldestMs = Date.now() - TIMEOUT_MS;
    const body = JSON.stringify(news.filter(({ atMs }) => atMs >= oldestMs));
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    await fetch(`http://${address}:${port}/moves`, { method: 'POST', headers, body, signal })
      .then((answer) => answer.arrayBuffer())
      .catch(() => undefined);
  });
}
