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
