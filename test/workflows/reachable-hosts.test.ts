/** The activities against a real Cassandra and real sockets: what is not reached is remembered across processes. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createFindReachable } from '../../activities/reachable-hosts.ts';
import { createReadCluster } from '../../activities/read-cluster.ts';
import { createUserCounts } from '../../activities/user-counts.ts';
import { createDoveadm } from '../../gateways/doveadm/http-doveadm.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { openControllerRig, type ControllerRig } from '../support/controller-rig.ts';
import { playBackend } from '../support/played-backend.ts';
import { startRawDoveadm, type RawDoveadm } from '../support/raw-doveadm.ts';

let rig: ControllerRig;
let doveadm: RawDoveadm;
const BACKENDS = ['mail1', 'mail2', 'mail3'].map((name, index) => ({
  name,
  byte: index + 1,
  users: 1,
}));

beforeAll(async () => {
  rig = await openControllerRig({ octet: 12, backends: BACKENDS });
  const endpoint = { host: rig.at(1), port: 24_280 };
  doveadm = await startRawDoveadm(endpoint, (call) => playBackend(rig, 'mail1', call));
}, 120_000);
afterAll(async () => {
  await doveadm.close();
  await rig.close();
});

function contextOf(nameGraceSecs: number) {
  const { hostAddresses, ...others } = rig.config.doveadm;
  // mail3 is a name that nobody can resolve.
  const { mail3: _unknown, ...known } = hostAddresses;
  const config = { ...rig.config, doveadm: { ...others, hostAddresses: known, nameGraceSecs } };
  const logger = createLogger({ level: 'silent', role: 'test' });
  const metrics = createMetrics({ isDefaultIncluded: false });
  return { ...rig, doveadm: createDoveadm(config.doveadm, metrics), config, logger, metrics };
}

it('a snapshot knows who is reached: at once, but for a name within its grace', async () => {
  const context = contextOf(3600);
  const looks = {
    findReachable: createFindReachable(context),
    userCounts: createUserCounts(context),
  };
  const { snapshot } = await createReadCluster(context, looks).takeSnapshot();
  const reached = snapshot.backends.map(({ host, isDoveadmReachable }) => [
    host,
    isDoveadmReachable,
  ]);
  expect(reached).toEqual([
    ['mail1', true],
    ['mail2', false],
    ['mail3', true],
  ]);
  const stored = await rig.store.readReachability(rig.siteName);
  const of = (host: string) => stored.find(({ backendId }) => backendId === rig.backendId(host));
  expect(of('mail2')).toMatchObject({ isReachable: false, failure: 'Unreachable' });
  expect(of('mail3')).toMatchObject({ isReachable: true, failure: 'NameNotResolved' });
  expect(of('mail3')?.nameFailingSinceMs).toBeGreaterThan(0);
});

it('the grace began in another process: past it, no user is moved there', async () => {
  const stored = await rig.store.readReachability(rig.siteName);
  const earlier = stored.map((each) => ({
    ...each,
    nameFailingSinceMs: each.nameFailingSinceMs === null ? null : Date.now() - 11_000,
  }));
  await rig.store.saveReachability(rig.siteName, earlier);
  const others = (await rig.geodb.readBackends(rig.siteId)).filter(({ host }) => host !== 'mail2');
  expect(await createFindReachable(contextOf(10))(others)).toEqual(new Set(['mail1']));
  // A source is not looked at by its own mover, and not forgotten for that.
  expect(await rig.store.readReachability(rig.siteName)).toHaveLength(3);
});

it('at a large site an answer is good for a while, and silence is looked at every time', async () => {
  const context = contextOf(10);
  const asked = new Map<string, number>();
  const silent = new Set(['mail7']);
  const findReachable = createFindReachable({
    ...context,
    doveadm: {
      ...context.doveadm,
      findSilence: (host) => {
        asked.set(host, (asked.get(host) ?? 0) + 1);
        return Promise.resolve(silent.has(host) ? 'Unreachable' : null);
      },
    },
  });
  const many = Array.from({ length: 200 }, (_, index) => {
    return { id: crypto.randomUUID(), host: `mail${index}` };
  });
  expect((await findReachable(many)).has('mail7')).toBe(false);
  silent.clear();
  expect((await findReachable(many)).size).toBe(200);
  expect([asked.get('mail7'), asked.get('mail8')]).toEqual([2, 1]);
  await findReachable(many.slice(0, 50));
  expect(asked.get('mail8')).toBe(2);
});
