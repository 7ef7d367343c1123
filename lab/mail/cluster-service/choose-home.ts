/** Where a user should live: pure functions of names and the cluster map, the same on every proxy. */
import { createHash } from 'node:crypto';
import type { ClusterMap } from './cluster-map.ts';
import type { BackendRow, ForceMoveRow } from './geodb.ts';

/**
 * The Backend for a user without a home: among the online ones of the site with a load factor
 * above 0 that take new users, by highest weighted hash, so that shares follow the load factors
 * and two proxies choose alike. null: no Backend takes new users now.
 */
export function chooseHome(username: string, siteId: string, map: ClusterMap): BackendRow | null {
  const open = map.backends.filter(
    (backend) =>
      backend.siteId === siteId &&
      backend.status === 'online' &&
      backend.loadFactor > 0 &&
      !map.closedBackends.has(backend.id),
  );
  const weigh = (backend: BackendRow) =>
    -backend.loadFactor / Math.log(hashToUnit(`${backend.id} ${username}`));
  return open.toSorted((a, b) => weigh(b) - weigh(a))[0] ?? null;
}

/**
 * The Backend that a force-move rule sends a user to at login; null where no rule applies.
 * The id of the rule is part of the hash: a higher percentage only adds users.
 */
export function findForcedHome(
  username: string,
  home: BackendRow,
  map: ClusterMap,
): BackendRow | null {
  const rule = map.forceMoves.find(
    ({ scope, targetId }) => targetId === (scope === 'site' ? home.siteId : home.id),
  );
  if (rule === undefined || hashToPercent(rule.id + username) >= rule.percentage) return null;
  return chooseDestination(username, rule, map);
}

function chooseDestination(username: string, rule: ForceMoveRow, map: ClusterMap) {
  if (rule.scope === 'site') {
    const sites = map.sites.filter(({ name }) => rule.destinations.includes(name));
    const site = pick(sites, rule.id + username);
    return site === undefined ? null : chooseHome(username, site.id, map);
  }
  const backends = map.backends.filter(
    ({ host, status }) => rule.destinations.includes(host) && status === 'online',
  );
  return pick(backends, rule.id + username) ?? null;
}

const pick = <T>(choices: readonly T[], text: string) =>
  choices[Math.floor(hashToUnit(`${text} destination`) * choices.length)];

const hashToPercent = (text: string) => Math.floor(hashToUnit(text) * 100);

/** Above 0 and below 1. */
function hashToUnit(text: string): number {
  const hash = createHash('sha256').update(text).digest().readUIntBE(0, 6);
  return (hash + 0.5) / 2 ** 48;
}
