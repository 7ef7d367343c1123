/** A flag with an expiry against a real Cassandra: its former state is back within 5 s, whoever reads it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSwitches } from '../../activities/read-flags.ts';
import { createGateways } from '../../gateways/create-gateways.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { resolveFeature } from '../../workflows/policy/resolve-feature.ts';
import { openControllerRig, type ControllerRig } from '../support/controller-rig.ts';
import { eventually } from '../support/eventually.ts';

let rig: ControllerRig;
const LIFE_MS = 2_000;
const MOST_MS = 5_000;

beforeAll(async () => {
  rig = await openControllerRig({ octet: 14, backends: [{ name: 'mail1', byte: 1, users: 0 }] });
}, 120_000);
afterAll(() => rig.close());

/** As a process does that has just been started: with connections and memory of its own. */
async function readInNewProcess(): Promise<string> {
  const logger = createLogger({ level: 'silent', role: 'test' });
  const metrics = createMetrics({ isDefaultIncluded: false });
  const gateways = createGateways(rig.config, logger, metrics);
  try {
    const context = { ...gateways, config: rig.config, logger, metrics };
    const nowMs = Date.now();
    const { flags } = await readSwitches(context, nowMs);
    const place = { siteId: rig.siteId, backendId: null, nowMs };
    return resolveFeature(flags, 'BackendHealthAutoHandling', place).state;
  } finally {
    await gateways.close();
  }
}

it('is back at its former state within 5 s, also in a process that did not know it before', async () => {
  const flag = {
    level: 'site',
    targetId: rig.siteId,
    feature: 'BackendHealthAutoHandling',
    state: 'disabled',
  } as const;
  const expiresAtMs = Date.now() + LIFE_MS;
  await rig.store.saveFeatureOverride({
    ...flag,
    setBy: 'session:operator',
    reason: 'maintenance',
    setAtMs: Date.now(),
    expiresAtMs,
    formerState: 'enabled',
  });
  await rig.geodb.writeFeature(flag);
  const before = await readInNewProcess();
  if (Date.now() < expiresAtMs) expect(before).toBe('disabled');
  const isBack = async (): Promise<boolean> => (await readInNewProcess()) === 'enabled';
  await eventually('the former state is back', isBack, { timeoutMs: 30_000, intervalMs: 200 });
  expect(Date.now()).toBeGreaterThanOrEqual(expiresAtMs);
  // The row still holds the temporary state: nobody has to clean up for the expiry to count.
  expect(await rig.geodb.readFeatureRows()).toContainEqual(flag);
  expect(Date.now() - expiresAtMs).toBeLessThan(MOST_MS);
});
