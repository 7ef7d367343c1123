/** `delete_stale_data` against a real Cassandra: what goes, what stays, and that its decision can be made again. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCleanUp } from '../../activities/clean-up.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { decideStaleData, findStaleData } from '../../workflows/policy/find-stale-data.ts';
import { replayDecision } from '../../workflows/policy/replay-decision.ts';
import { aSnapshot } from '../support/cluster-builders.ts';
import { openControllerRig, type ControllerRig } from '../support/controller-rig.ts';

let rig: ControllerRig;
const gone = randomUUID();

beforeAll(async () => {
  rig = await openControllerRig({
    octet: 13,
    backends: [{ name: 'mail1', byte: 1, users: 2 }],
  });
}, 120_000);
afterAll(() => rig.close());

it('removes every kind of orphaned row, and reports users without touching them', async () => {
  const logger = createLogger({ level: 'silent', role: 'test' });
  const context = { ...rig, logger, metrics: createMetrics({ isDefaultIncluded: false }) };
  const cleanUp = createCleanUp(context);
  const home = rig.backendId('mail1');
  const insertFlag = 'INSERT INTO {geodb}.cluster_settings (scope, target, name, value) VALUES ';
  for (const target of [home, gone]) {
    await rig.cql(`${insertFlag}(?, ?, ?, ?)`, ['backend', target, 'MetricsExport', 'off']);
    await rig.cql('INSERT INTO {geodb}.force_moves (scope, target, id) VALUES (?, ?, ?)', [
      'backend',
      target,
      'one',
    ]);
    const memory = { backendId: target, verdictSinceMs: 1 };
    await rig.store.updateBackendMemory(rig.siteName, memory);
    await rig.cql(
      'INSERT INTO {geodb}.site_reachability (src_site_id, dest_site_id, reachable) VALUES (?, ?, ?)',
      [rig.siteId, target === gone ? gone : rig.siteId, 1],
    );
  }
  const stray = 'INSERT INTO {geodb}.users (username, backend_id) VALUES (?, ?)';
  await rig.cql(stray, ['stray', gone]);

  const takenId = await rig.store.saveSnapshot(aSnapshot({ backends: [] }), { keep: false });
  const reading = await cleanUp.readReferences({ snapshotId: takenId });
  const stale = findStaleData(reading);
  expect(stale.strandedUsers).toBe(1);
  expect(stale.rows.map(({ table }) => table).sort()).toEqual([
    'backend_memory',
    'cluster_settings',
    'force_moves',
    'site_reachability',
  ]);
  const decision = decideStaleData(stale, true);
  const snapshot = await rig.store.readSnapshot(reading.snapshotId);
  expect(snapshot === null ? null : replayDecision(decision, snapshot).outcome).toBe('identical');

  await cleanUp.deleteRows({ rows: stale.rows });
  const again = findStaleData(await cleanUp.readReferences({ snapshotId: takenId }));
  expect(again).toEqual({ rows: [], strandedUsers: 1 });
  expect(await rig.geodb.readUser('stray')).toMatchObject({ backendId: gone });
  const left = await rig.store.readBackendMemories(rig.siteName);
  expect(left.map(({ backendId }) => backendId)).toEqual([home]);
});
