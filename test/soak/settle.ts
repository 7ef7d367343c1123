/** After the faults: everything an operator has to undo is undone, and the site comes to rest by itself. */
import { isEnded } from '../../workflows/domain/operation.ts';
import type { OverviewView } from '../system/site-api.ts';
import { changeBackend } from './operator.ts';
import { BACKENDS, SITES } from './site-parts.ts';
import type { SoakRig } from './soak-rig.ts';

const POLL_MS = 1_000;
const TELL_EVERY_MS = 20_000;
/** So long nothing may happen: what failed until a moment ago may still be acted upon in the next cycles. */
const STAYS_CALM_MS = 12_000;
const reason = 'soak: back to normal';

export interface Calm {
  readonly calmAtMs: number | null;
  /** What was not at rest when patience ended. */
  readonly unrest: readonly string[];
}

/**
 * Repeats the operator's part for as long as it takes, since an API may only just be coming back; nobody
 * helps the controller with its own.
 */
export async function settle(rig: SoakRig, timeoutMs: number): Promise<Calm> {
  const endMs = Date.now() + timeoutMs;
  let toldAtMs = Date.now();
  let calmSinceMs: number | null = null;
  for (;;) {
    const unrest = (await Promise.all(SITES.map((site) => settleSite(rig, site)))).flat();
    calmSinceMs = unrest.length > 0 ? null : (calmSinceMs ?? Date.now());
    if (calmSinceMs !== null && Date.now() - calmSinceMs >= STAYS_CALM_MS) {
      return { calmAtMs: calmSinceMs, unrest };
    }
    if (Date.now() > endMs) return { calmAtMs: null, unrest };
    if (unrest.length > 0 && Date.now() - toldAtMs > TELL_EVERY_MS) {
      toldAtMs = Date.now();
      rig.print(`  not calm yet: ${unrest.join('; ')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function settleSite(rig: SoakRig, site: string): Promise<string[]> {
  const overview = await rig
    .api(site)
    .readOverview()
    .catch(() => null);
  if (overview === null) return [`${site}: its API does not answer`];
  const wrongs = [
    ...(await resetSwitches(rig, site, overview)),
    ...(await resetBackends(rig, overview)),
  ];
  await resetOperations(rig, site, overview);
  const open = overview.operations.filter(({ state }) => !isEnded(state));
  return [
    ...wrongs,
    ...open.map(
      ({ operationId, kind, sourceHost, state, stateReason, counts }) =>
        `${kind} ${operationId} of ${sourceHost} is ${state} (${stateReason}), ${counts.remaining} left`,
    ),
    ...(overview.catastrophe.isHolding ? [`${site}: catastrophe protection holds`] : []),
    ...(overview.metrics.isBlind ? [`${site}: blind`] : []),
    ...overview.backends
      .filter(
        ({ status, verdict, users }) =>
          status !== 'online' ||
          verdict === 'critical' ||
          // without users it stays degraded until its look-back has forgotten the faults
          (verdict === 'degraded' && (users ?? 0) > 0),
      )
      .map(({ host, status, verdict }) => `${host} is ${status}, ${verdict}`),
  ];
}

async function resetSwitches(
  rig: SoakRig,
  site: string,
  { automation }: OverviewView,
): Promise<string[]> {
  const api = rig.api(site);
  const wrongs: string[] = [];
  if (automation.state === 'paused') {
    await api.send('PUT', '/automation', { state: 'running', reason });
    wrongs.push(`${site}: automation is paused`);
  }
  const rows = await rig.direct.geodb.readFeatureRows().catch(() => null);
  for (const { feature, level, targetId, state } of rows ?? []) {
    const wanted = feature === 'BackendLoadBalancing' ? 'disabled' : 'enabled';
    if (level === 'global' && state === wanted) continue;
    const target = level === 'site' ? { target: site } : {};
    const host = rig.hosts.get(targetId);
    // Each site puts its own flags right; the global ones are everybody's.
    if (level === 'backend' && !(host ?? '').startsWith(site)) continue;
    const about = level === 'backend' ? { target: host } : target;
    const next = level === 'global' ? wanted : null;
    const body = { level, ...about, state: next, reason };
    await api.send('PUT', `/features/${feature}`, body);
    if (level !== 'site') wrongs.push(`${site}: ${feature} is ${state} at ${level}`);
  }
  return wrongs;
}

/** What somebody set offline or standby, or emptied: the controller leaves that alone, rightly. */
async function resetBackends(rig: SoakRig, { backends }: OverviewView): Promise<string[]> {
  for (const { host, status, loadFactor, isOfflineByController } of backends) {
    if (!BACKENDS.includes(host)) continue;
    if (loadFactor !== 100) await changeBackend(rig.lab.net, { host, loadFactor: 100 });
    if (status !== 'online' && !isOfflineByController) {
      await changeBackend(rig.lab.net, { host, status: 'online' });
    }
  }
  return backends
    .filter(({ loadFactor }) => loadFactor !== 100)
    .map(({ host }) => `${host}: load factor is not 100`);
}

/** What an operator paused waits for an operator. */
async function resetOperations(
  rig: SoakRig,
  site: string,
  { operations }: OverviewView,
): Promise<void> {
  const automatic = ['AutomationPaused', 'FeatureDisabled', 'CatastropheProtection'];
  for (const { operationId, state, stateReason, speedPercent } of operations) {
    const path = `/operations/${operationId}`;
    if (state === 'paused' && !automatic.includes(stateReason ?? '')) {
      await rig.api(site).send('POST', `${path}/resume`, { reason });
    }
    if (speedPercent < 100 && !isEnded(state)) {
      await rig.api(site).send('POST', `${path}/speed`, { speedPercent: 100, reason });
    }
  }
}
