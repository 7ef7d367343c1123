/** The rhythms of a site at a real Temporal: created, left alone where they are right, put right where not. */
import { randomUUID } from 'node:crypto';
import { afterAll, expect, it } from 'vitest';
import { createTemporalClient } from '../../platform/temporal.ts';
import { keepRhythms, rhythmsOf } from '../../worker/schedules.ts';
import { ENDLESS_TASKS, taskIdOf } from '../../workflows/contract.ts';
import type { TaskName } from '../../workflows/domain/decision.ts';
import { rigConfig } from './gateway-rig.ts';

const site = `site-${randomUUID().slice(0, 8)}`;
const configWith = (more: Readonly<Record<string, string>> = {}) =>
  rigConfig({ CLUSTER_SITE: site, ...more });
const { client, close } = createTemporalClient(configWith().temporal);
const SCHEDULED = rhythmsOf(configWith())
  .filter(({ isEndless }) => !isEndless)
  .map(({ task }) => task);
const handleOf = (task: TaskName) => client.schedule.getHandle(taskIdOf(site, task));

afterAll(async () => {
  await Promise.allSettled([
    ...SCHEDULED.map((task) => handleOf(task).delete()),
    ...ENDLESS_TASKS.map((task) => client.workflow.getHandle(taskIdOf(site, task)).terminate()),
  ]);
  await close();
});

it('are created by two workers at once', async () => {
  await Promise.all([keepRhythms(client, configWith()), keepRhythms(client, configWith())]);
  for (const task of SCHEDULED) {
    const { spec, action } = await handleOf(task).describe();
    expect(spec.intervals).toHaveLength(1);
    expect(action.workflowId).toBe(taskIdOf(site, task));
  }
  for (const task of ENDLESS_TASKS) {
    const { status } = await client.workflow.getHandle(taskIdOf(site, task)).describe();
    expect(status.name).toBe('RUNNING');
  }
});

it('are not touched where they are as they should be', async () => {
  await handleOf('rebalance_sites').pause('ann: storage first');
  const before = (await handleOf('rebalance_sites').describe()).info.lastUpdatedAt;
  await keepRhythms(client, configWith());
  for (const task of SCHEDULED) {
    const { info, state } = await handleOf(task).describe();
    if (task === 'rebalance_sites') expect(state.paused).toBe(true);
    expect(info.lastUpdatedAt).toEqual(task === 'rebalance_sites' ? before : undefined);
  }
});

it('are put right where somebody changed them, and stay paused', async () => {
  await handleOf('rebalance_sites').update((former) => ({
    ...former,
    spec: { intervals: [{ every: '1h' }] },
  }));
  await keepRhythms(client, configWith({ REBALANCE_SITES_INTERVAL_SECS: '77' }));
  const { spec, state } = await handleOf('rebalance_sites').describe();
  expect(spec.intervals?.map(({ every }) => every)).toEqual([77_000]);
  expect(state).toMatchObject({ paused: true, note: 'ann: storage first' });
});

it.each([
  ['another time of day', { calendars: [{ hour: 3 }] }, {}],
  ['an end', { endAt: new Date(Date.now() + 3_600_000) }, {}],
  ['times to skip', { skip: [{ hour: 3 }] }, {}],
  ['a jitter', { jitter: '5s' as const }, {}],
  ['another overlap', {}, { overlap: 'BUFFER_ONE' as const }],
  ['another patience', {}, { catchupWindow: '1h' as const }],
])('are put right: %s', async (_name, spec, policies) => {
  await handleOf('check_site_reachability').update((former) => ({
    ...former,
    spec: { ...former.spec, ...spec },
    policies: { ...former.policies, ...policies },
  }));
  await keepRhythms(client, configWith());
  const found = await handleOf('check_site_reachability').describe();
  expect(found.spec.calendars ?? []).toEqual([]);
  expect(found.spec.skip ?? []).toEqual([]);
  expect(found.spec.jitter ?? 0).toBe(0);
  expect(found.spec.endAt).toBeUndefined();
  expect(found.policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 10_000 });
});
