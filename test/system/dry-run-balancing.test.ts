/** DryRun of balancing on the wire: the pair is decided and recorded, nobody is asked to move anybody. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordedDecision } from '../../workflows/domain/decision.ts';
import type { FeatureState } from '../../workflows/domain/feature-flag.ts';
import { eventually } from '../support/eventually.ts';
import { openRecordedSite, type RecordedSite } from '../support/recorded-site.ts';
import { replayStored } from './replay-decisions.ts';

const USERS = 40;
const BACKENDS = ['mail1', 'mail2', 'mail3'];
const LONG = { timeoutMs: 120_000, intervalMs: 250 };
/** Whoever read the flag before has ended by then: two cycles. */
const CYCLE_MS = 2_000;
const LOADS = { cpu: 'played_cpu', memory: 'played_memory', metacache: 'played_metacache' };

const ofSite = (series: string): string => `${series}{site="$site"}`;

let site: RecordedSite;
let rig: RecordedSite['rig'];

/** mail1 has four times the load of the others. */
function playLoads(): void {
  const [exporter] = site.exporters;
  for (const host of BACKENDS) {
    const value = host === 'mail1' ? 400 : 100;
    for (const name of Object.values(LOADS)) exporter?.series.set(`${name}{host="${host}"}`, value);
    exporter?.series.set(`played_samples{host="${host}"}`, 10_000);
  }
}

const setBalancing = (state: FeatureState): Promise<void> =>
  rig.geodb.writeFeature({
    level: 'site',
    targetId: rig.siteId,
    feature: 'BackendLoadBalancing',
    state,
  });

const readOwners = () => rig.read('SELECT owner FROM {geodb}.site_controller');

async function findRebalance(isDryRun: boolean): Promise<RecordedDecision | undefined> {
  const { decisions } = await rig.store.readDecisions({
    siteName: rig.siteName,
    task: 'rebalance_sites',
    limit: 100,
  });
  return decisions.find((one) => one.kind === 'rebalance' && one.isDryRun === isDryRun);
}

beforeAll(async () => {
  site = await openRecordedSite({
    octet: 16,
    metricsByte: 121,
    backends: BACKENDS.map((name) => ({ name, users: USERS })),
    settings: {
      PROMETHEUS_CPU_QUERY: ofSite(LOADS.cpu),
      PROMETHEUS_MEMORY_QUERY: ofSite(LOADS.memory),
      PROMETHEUS_METACACHE_QUERY: ofSite(LOADS.metacache),
      PROMETHEUS_SAMPLES_QUERY: ofSite('played_samples'),
      REBALANCE_SITES_INTERVAL_SECS: String(CYCLE_MS / 1000),
      HOST_LOAD_BALANCE_BACKEND_COOL_TIME_SECS: '1',
      HOST_LOAD_BALANCE_MIN_COOL_TIME_SECS: '1',
    },
  });
  rig = site.rig;
  playLoads();
}, 240_000);
afterAll(() => site.close(), 60_000);

describe('balancing', () => {
  it('DryRun: the pair is decided again and again, and nothing is touched', async () => {
    // The claim of the site is the one row that a controller writes in any case, once.
    await eventually('the site is claimed', async () => (await readOwners()).length === 1, LONG);
    await setBalancing('dryRun');
    const before = { homes: await rig.homes(), backends: await rig.geodb.readBackends() };
    site.forget();
    const decision = await eventually(
      'a pair is decided, and once more',
      async () => {
        const found = await findRebalance(true);
        return found !== undefined && found.repeats >= 2 && found;
      },
      LONG,
    );
    expect(decision).toMatchObject({ reason: 'ScoreDelta', isDryRun: true });
    expect(decision.hosts[0]).toBe('mail1');
    expect(site.commands()).toEqual(['GET']);
    expect(site.geodbWrites()).toEqual([]);
    expect(site.cql.writes().length).toBeGreaterThan(0);
    expect(await rig.homes()).toEqual(before.homes);
    expect(await rig.geodb.readBackends()).toEqual(before.backends);
    const { operations } = await rig.store.listOperations(rig.siteName, { limit: 10 });
    expect(operations).toEqual([]);
  });

  it('Enabled: the same pair moves users, within a cycle of the change', async () => {
    const changedAtMs = Date.now();
    await setBalancing('enabled');
    const decision = await eventually('it is decided in earnest', () => findRebalance(false), LONG);
    expect(decision.hosts[0]).toBe('mail1');
    // a cycle, the 5 s for which flags may be remembered, and what a busy machine adds
    expect(decision.recordedAtMs - changedAtMs).toBeLessThan(CYCLE_MS + 10_000);
    await eventually(
      'somebody left mail1',
      async () =>
        Object.values(await rig.homes()).filter((home) => home === 'mail1').length < USERS,
      LONG,
    );
    expect(site.commands()).toContain('clusterUserBatchMove');
  });

  it('Disabled: within a cycle nothing is sent any more', async () => {
    await setBalancing('disabled');
    const isIdle = async (): Promise<boolean> => {
      const { operations } = await rig.store.listOperations(rig.siteName, { limit: 50 });
      return operations.every(({ endedAtMs }) => endedAtMs !== null);
    };
    await sleep(2 * CYCLE_MS);
    await eventually('what ran has ended', isIdle, LONG);
    site.forget();
    const homes = await rig.homes();
    await sleep(3 * CYCLE_MS);
    expect(site.commands().filter((command) => command !== 'GET')).toEqual([]);
    expect(site.geodbWrites()).toEqual([]);
    expect(await rig.homes()).toEqual(homes);
  });
});

it('every decision of this run comes out the same when it is made again', async () => {
  const { total, others } = await replayStored(rig.store, rig.siteName);
  expect(others).toEqual([]);
  expect(total).toBeGreaterThan(0);
});
