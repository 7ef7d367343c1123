/**
 * Two Temporal installations with a controller each for the same site, over one Cassandra: only the owner
 * of the site acts, the other one says that it does not, and a claim changes that within a cycle.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OverviewView } from '../../api/schemas/overview.ts';
import type { OperationView } from '../../api/schemas/operation.ts';
import { createTemporal, type ClosableTemporal } from '../../gateways/temporal/temporal-client.ts';
import { createMetrics } from '../../platform/metrics.ts';
import {
  openControllerRig,
  type ControllerRig,
  type RunningProcess,
} from '../support/controller-rig.ts';
import { eventually } from '../support/eventually.ts';
import { playBackend } from '../support/played-backend.ts';
import {
  startRawDoveadm,
  type DoveadmCall,
  type RawDoveadm,
  type Reply,
} from '../support/raw-doveadm.ts';
import { startSecondTemporal, type SecondTemporal } from '../support/second-temporal.ts';

const DOVEADM_PORT = 24_280;
const USERS = 40;
const BACKENDS = ['mail1', 'mail2', 'mail3'].map((name, index) => ({
  name,
  byte: index + 1,
  users: index === 0 ? USERS : 0,
}));
/** Of a busy machine; a cycle is two seconds. */
const LONG = { timeoutMs: 120_000, intervalMs: 200 };
const TEST_MS = 240_000;
const DRAINS = 'evacuate_zero_load_factor_hosts';

interface Controller {
  readonly settings: Readonly<Record<string, string>>;
  readonly temporal: ClosableTemporal;
  readonly api: string;
  worker: RunningProcess;
}

let rig: ControllerRig;
let second: SecondTemporal;
let first: Controller;
let other: Controller;
let token: string;
const servers: RawDoveadm[] = [];
/** Sources that move nobody until they are let go. */
const held = new Map<string, Promise<void>>();
/** Who moved, each time that a home changed. */
const moves: { readonly user: string; readonly from: string; readonly to: string }[] = [];

async function listen({ name, byte }: { name: string; byte: number }): Promise<void> {
  let turn = Promise.resolve<unknown>(undefined);
  /** Whoever has left already is left alone, as on a real Backend. */
  const moveWhoIsHere = async (call: DoveadmCall): Promise<Reply> => {
    const users = (call.parameters['user'] ?? []) as string[];
    const homes = await rig.homes();
    const user = users.filter((each) => homes[each] === name);
    const reply = await playBackend(rig, name, {
      ...call,
      parameters: { ...call.parameters, user },
    });
    const to = String(call.parameters['destHost']);
    moves.push(...user.map((each) => ({ user: each, from: name, to })));
    return reply;
  };
  const server = await startRawDoveadm({ host: rig.at(byte), port: DOVEADM_PORT }, async (call) => {
    if (call.command !== 'clusterUserBatchMove') return playBackend(rig, name, call);
    await held.get(name);
    const moved = turn.then(() => moveWhoIsHere(call));
    turn = moved;
    return moved;
  });
  servers.push(server);
}

function startController(address: string, byte: number): Controller {
  const settings = {
    TEMPORAL_ADDRESS: address,
    HTTP_LISTEN: `${rig.at(byte)}:8080`,
    METRICS_LISTEN: `${rig.at(byte)}:9464`,
    EVACUATE_ZERO_LOAD_FACTOR_HOSTS_INTERVAL_SECS: '2',
  };
  const config = rig.configWith(settings).temporal;
  rig.start('api/main.ts', settings);
  return {
    settings,
    temporal: createTemporal(config, createMetrics({ isDefaultIncluded: false })),
    api: `http://${rig.at(byte)}:8080/api/v1`,
    worker: rig.start('worker/main.ts', settings),
  };
}

const ask = (controller: Controller, path: string, body?: object): Promise<Response> =>
  fetch(`${controller.api}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    signal: AbortSignal.timeout(20_000),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

async function readOverview(controller: Controller): Promise<OverviewView | undefined> {
  const answer = await ask(controller, '/overview').catch(() => null);
  return answer?.ok === true ? ((await answer.json()) as OverviewView) : undefined;
}

const untilOwner = (controller: Controller, isOwner: boolean): Promise<OverviewView> =>
  eventually(
    `the API says that it ${isOwner ? 'owns' : 'does not own'} the site`,
    async () => {
      const overview = await readOverview(controller);
      return overview?.ownership.isOwner === isOwner && overview;
    },
    LONG,
  );

const evacuate = async (controller: Controller, host: string): Promise<OperationView> => {
  const answer = await ask(controller, `/backends/${host}/evacuate`, { reason: 'test' });
  const body: unknown = await answer.json();
  expect([answer.status, body]).toEqual([202, expect.anything()]);
  return body as OperationView;
};

async function claim(controller: Controller): Promise<void> {
  const script = rig.start('gateways/geodb/claim.ts', controller.settings);
  expect(await script.ended).toBe(0);
}

const passiveRuns = ({ worker }: Controller, task: string): number =>
  worker.logged('passive: another controller owns the site', task).length;

/** Whole runs of a task from now on, so that whatever it wanted to do is done. */
const untilPassive = (controller: Controller, task: string): Promise<true> => {
  const before = passiveRuns(controller, task);
  const hasRun = (): boolean => passiveRuns(controller, task) >= before + 3;
  return eventually(`${task} has run three times`, () => hasRun() && (true as const), LONG);
};

const usersOn = async (host: string): Promise<number> =>
  Object.values(await rig.homes()).filter((home) => home === host).length;

const readOperation = async (operationId: string) => {
  const row = await rig.store.readOperation(operationId);
  expect(row).not.toBeNull();
  return row as NonNullable<typeof row>;
};

const untilEnded = (operationId: string) =>
  eventually(
    `operation ${operationId} ends`,
    async () => {
      const row = await readOperation(operationId);
      return row.endedAtMs !== null && row;
    },
    LONG,
  );

const setLoadFactor = (host: string, loadFactor: number): Promise<void> =>
  rig.cql(`UPDATE {geodb}.backends SET load_factor = ${loadFactor} WHERE id = ?`, [
    rig.backendId(host),
  ]);

beforeAll(async () => {
  rig = await openControllerRig({ octet: 13, backends: BACKENDS });
  second = await startSecondTemporal();
  token = await rig.issueToken('operator');
  await Promise.all(BACKENDS.map(listen));
  first = startController(rig.config.temporal.address, 250);
  await untilOwner(first, true);
  other = startController(second.address, 251);
  await eventually(
    'the second worker runs',
    () => other.worker.logged('worker runs').length > 0,
    LONG,
  );
}, TEST_MS);
afterAll(async () => {
  await rig.close();
  await Promise.all([first.temporal.close(), other.temporal.close(), second.stop()]);
  await Promise.all(servers.map((server) => server.close()));
}, 60_000);

describe('a second Temporal installation with the same site', () => {
  it(
    'acts on nothing, writes nothing and says so, also while the owner is down',
    async () => {
      const { ownership } = await untilOwner(other, false);
      expect(ownership).toEqual({
        isOwner: false,
        owner: await first.temporal.readOwnerName(),
        epoch: 1,
      });
      expect(await other.temporal.readOwnerName()).not.toBe(ownership.owner);
      first.worker.kill();
      await first.worker.ended;
      await setLoadFactor('mail1', 0);
      const [decisions, runs, memories] = await Promise.all([
        rig.store.readDecisions({ siteName: rig.siteName, limit: 500 }),
        rig.store.readTaskRuns(rig.siteName),
        rig.store.readBackendMemories(rig.siteName),
      ]);
      await untilPassive(other, DRAINS);
      await untilPassive(other, 'check_backend_health');
      expect(moves).toEqual([]);
      expect(await rig.store.listOpenOperations(rig.siteName)).toEqual([]);
      expect(await rig.store.readDecisions({ siteName: rig.siteName, limit: 500 })).toEqual(
        decisions,
      );
      expect(await rig.store.readTaskRuns(rig.siteName)).toEqual(runs);
      expect(await rig.store.readBackendMemories(rig.siteName)).toEqual(memories);
      const refused = await ask(other, '/backends/mail1/evacuate', { reason: 'mine' });
      expect(refused.status).toBe(409);
      expect(await refused.json()).toMatchObject({ code: 'NotTheOwner' });
    },
    TEST_MS,
  );

  it(
    'acts once it has claimed the site, and the former owner stays passive when it is back',
    async () => {
      await claim(other);
      const { ownership } = await untilOwner(other, true);
      expect(ownership.epoch).toBe(2);
      await eventually('mail1 is drained', async () => (await usersOn('mail1')) === 0, LONG);
      first.worker = rig.start('worker/main.ts', first.settings);
      await untilPassive(first, DRAINS);
      expect((await untilOwner(first, false)).ownership.epoch).toBe(2);
      expect(moves.length).toBe(USERS);
    },
    TEST_MS,
  );

  it(
    'takes a running operation along with the site: its former mover leaves within a cycle',
    async () => {
      const users = await usersOn('mail2');
      expect(users).toBeGreaterThan(0);
      const before = moves.length;
      let letGo: () => void = () => undefined;
      held.set('mail2', new Promise((resolve) => (letGo = resolve)));
      await setLoadFactor('mail1', 100);
      const { operationId } = await evacuate(other, 'mail2');
      await eventually(
        'some are on their way',
        async () => (await rig.store.readChunksInFlight(rig.siteName)).length > 0,
        LONG,
      );
      await claim(first);
      const claimedAtMs = Date.now();
      letGo();
      await eventually(
        'the former mover is gone',
        async () => !(await other.temporal.isMoverRunning(rig.siteName, 'mail2')),
        LONG,
      );
      expect(Date.now() - claimedAtMs).toBeLessThan(20_000);
      const row = await untilEnded(operationId);
      expect(row).toMatchObject({ state: 'done', originalCount: users });
      const { confirmed, skipped, failed, planned, remaining } = row.counts;
      expect(remaining).toBe(0);
      expect(planned).toBe(confirmed + skipped + failed);
      const ledger = await rig.store.pageLedger(operationId, { limit: 500, cursor: null });
      expect(ledger.rows.map(({ username }) => username).sort()).toEqual(
        moves
          .slice(before)
          .map(({ user }) => user)
          .sort(),
      );
      expect(ledger.rows.length).toBe(users);
      expect(await usersOn('mail2')).toBe(0);
      await untilOwner(other, false);
    },
    TEST_MS,
  );

  it(
    'a mover of an older claim stands in nobody’s way when its installation owns the site again',
    async () => {
      const host = (await usersOn('mail1')) > 0 ? 'mail1' : 'mail3';
      const { operationId } = await evacuate(first, host);
      const paused = await ask(first, `/operations/${operationId}/pause`, { reason: 'wait' });
      expect(paused.status).toBe(202);
      const isPaused = async () => (await readOperation(operationId)).state === 'paused';
      await eventually('it is paused', isPaused, LONG);
      await claim(other);
      const refused = await ask(first, `/operations/${operationId}/cancel`, { reason: 'mine' });
      expect(refused.status).toBe(409);
      await eventually(
        'the new owner has taken it up',
        () => other.temporal.isMoverRunning(rig.siteName, host),
        LONG,
      );
      await eventually('it is still paused', isPaused, LONG);
      const stood = moves.length;
      const cancelled = await ask(other, `/operations/${operationId}/cancel`, { reason: 'enough' });
      expect(cancelled.status).toBe(202);
      expect(await untilEnded(operationId)).toMatchObject({ state: 'cancelled' });
      expect(moves.length).toBe(stood);
      await claim(first);
      await untilOwner(first, true);
      expect(await first.temporal.isMoverRunning(rig.siteName, host)).toBe(true);
      const again = await evacuate(first, host);
      expect(await untilEnded(again.operationId)).toMatchObject({ state: 'done' });
      expect(await usersOn(host)).toBe(0);
      expect(await readOperation(operationId)).toMatchObject({ state: 'cancelled' });
    },
    TEST_MS,
  );
});
