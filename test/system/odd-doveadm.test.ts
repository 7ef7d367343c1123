/**
 * A mover at work while the doveadm of its source answers nonsense: what is wrong is named, nobody is
 * lost, everybody ends up moved, and the ledger adds up. All sources at once, in one real worker.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayError } from '../../gateways/gateway-error.ts';
import type { MoveAnswer, MoveRequest } from '../../workflows/contract.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import type { LedgerRow } from '../../workflows/domain/user-move.ts';
import {
  openControllerRig,
  type ControllerRig,
  type RunningProcess,
} from '../support/controller-rig.ts';
import { eventually } from '../support/eventually.ts';
import { ODD_SOURCES } from '../support/odd-sources.ts';
import { moveUsers, playBackend } from '../support/played-backend.ts';
import { startRawDoveadm, type RawDoveadm } from '../support/raw-doveadm.ts';

const DOVEADM_PORT = 24_280;
const USERS = 6;
const SOURCES = Object.keys(ODD_SOURCES);
const TARGETS = ['good1', 'good2'];
/** Online for the GeoDB, and nobody listens until a test says so. */
const DEAD_TARGET = 'dead-target';
const PLAIN_SOURCE = 'good-source';
const BACKENDS = [...SOURCES, ...TARGETS, DEAD_TARGET, PLAIN_SOURCE];
const LONG = { timeoutMs: 240_000, intervalMs: 500 };

let rig: ControllerRig;
let worker: RunningProcess;
const servers: RawDoveadm[] = [];
const operations = new Map<string, string>();
/** What the rows said along the way. */
const reasonsSeen = new Map<string, Set<string>>();
let watch: NodeJS.Timeout;

const endpointOf = (host: string) => ({
  host: rig.at(BACKENDS.indexOf(host) + 1),
  port: DOVEADM_PORT,
});

async function listen(host: string): Promise<void> {
  const oddity = ODD_SOURCES[host];
  if (oddity?.answer === null) return;
  const server = await startRawDoveadm(endpointOf(host), (call) => {
    if (oddity?.answer == null) return playBackend(rig, host, call);
    return oddity.answer(call, (parameters) => moveUsers(rig, host, parameters));
  });
  servers.push(server);
}

function evacuation(host: string, fields: Partial<MoveRequest> = {}): MoveRequest {
  return {
    operationId: crypto.randomUUID(),
    siteName: rig.siteName,
    kind: 'evacuation',
    cause: 'operator',
    sourceId: rig.backendId(host),
    sourceHost: host,
    targetIds: TARGETS.map(rig.backendId),
    maxUsers: null,
    stepRatio: 1,
    minLastMovedSecs: null,
    endsOffline: false,
    isForced: false,
    requestedBy: 'ann',
    reason: 'test',
    decisionId: null,
    ...fields,
  };
}

/** Asked again where the answer is late: the same operation is never started twice. */
async function request(wanted: MoveRequest): Promise<string> {
  const ask = (): Promise<MoveAnswer | undefined> =>
    rig.temporal.requestMoves(wanted).catch((error: unknown) => {
      if (error instanceof GatewayError && error.isTemporary) return undefined;
      throw error;
    });
  const answer = await eventually('the mover answers', ask, LONG);
  expect(answer).toEqual({ answer: 'accepted', operationId: wanted.operationId });
  return wanted.operationId;
}

const untilEnded = (operationId: string): Promise<Operation> =>
  eventually(
    `operation ${operationId} has ended`,
    async () => {
      const operation = await rig.store.readOperation(operationId);
      return operation !== null && operation.endedAtMs !== null && operation;
    },
    LONG,
  );

async function readLedger(operationId: string): Promise<LedgerRow[]> {
  return (await rig.store.pageLedger(operationId, { limit: 500, cursor: null })).rows;
}

async function noteReasons(): Promise<void> {
  for (const { sourceHost, stateReason } of await rig.store.listOpenOperations(rig.siteName)) {
    if (stateReason === null) continue;
    const seen = reasonsSeen.get(sourceHost) ?? new Set();
    reasonsSeen.set(sourceHost, seen.add(stateReason));
  }
}

beforeAll(async () => {
  const backends = BACKENDS.map((name, index) => {
    const isSource = SOURCES.includes(name) || name === PLAIN_SOURCE;
    return { name, byte: index + 1, users: isSource ? USERS : 0 };
  });
  rig = await openControllerRig({ octet: 8, backends });
  for (const host of BACKENDS) if (host !== DEAD_TARGET) await listen(host);
  worker = rig.start('worker/main.ts');
  await eventually('the worker runs', () => worker.logged('worker runs').length > 0, LONG);
  watch = setInterval(() => void noteReasons().catch(() => undefined), 250);
  const asked = SOURCES.map(async (host) => operations.set(host, await request(evacuation(host))));
  await Promise.all(asked);
}, 240_000);

afterAll(async () => {
  clearInterval(watch);
  await rig.close();
  for (const server of servers) await server.close();
}, 60_000);

describe('a Backend whose doveadm answers nonsense is emptied all the same', () => {
  it.each(Object.entries(ODD_SOURCES))('%s', async (host, { code, isForced, isSilent }) => {
    const operationId = operations.get(host) ?? '';
    const operation = await untilEnded(operationId);
    const ledger = await readLedger(operationId);
    expect(operation).toMatchObject({ state: 'done', stateReason: null, originalCount: USERS });
    const { planned, confirmed, skipped, failed, remaining } = operation.counts;
    expect(planned).toBe(confirmed + skipped + failed + remaining);
    expect([failed, remaining]).toEqual([0, 0]);
    expect(ledger).toHaveLength(planned);
    expect(new Set(ledger.map((row) => row.username)).size).toBe(planned);
    const homes = await rig.homes();
    for (const row of ledger.filter(({ state }) => state === 'confirmed')) {
      expect(homes[row.username]).toBe(rig.hostOf(row.targetId));
    }
    expect(Object.values(homes)).not.toContain(host);
    if (isForced) {
      expect(operation.forced).toBe(USERS);
      expect(ledger.every((row) => row.isForced && row.reason === 'Forced')).toBe(true);
      // Asked once, asked again, then forced; or forced at once.
      const attempts = isSilent === true ? 1 : 3;
      expect(Math.min(...ledger.map((row) => row.attempts))).toBeGreaterThanOrEqual(attempts);
    }
    if (code === null) return;
    expect(worker.logged(`"backend":"${host}"`, `"code":"${code}"`)).not.toEqual([]);
    const word = isSilent === true ? 'SourceSilent' : 'SourceRefused';
    if (isSilent !== true)
      expect([...(reasonsSeen.get(host) ?? [])]).toContain(`${word} (${code})`);
  });
});

describe('a request that names what is not there', () => {
  it('fails, by the name of the unknown source', async () => {
    const sourceId = crypto.randomUUID();
    const wanted = evacuation('mail99', { sourceId });
    const operation = await untilEnded(await request(wanted));
    expect(operation).toMatchObject({
      state: 'failed',
      stateReason: `the GeoDB has no Backend ${sourceId}`,
    });
    const flags = await rig.geodb.readFeatureRows();
    expect(flags?.map(({ targetId }) => targetId)).not.toContain(sourceId);
  });

  it('fails for a source that is no id at all', async () => {
    const wanted = evacuation('mail98', { sourceId: 'nonsense' });
    const operation = await untilEnded(await request(wanted));
    expect(operation.state).toBe('failed');
    expect(operation.stateReason).toContain('backends');
  });

  it('waits for a target, and names the unknown and the dead ones; then it goes on', async () => {
    const unknown = crypto.randomUUID();
    const targetIds = [unknown, rig.backendId(DEAD_TARGET)];
    const operationId = await request(evacuation(PLAIN_SOURCE, { targetIds }));
    const waiting = await eventually(
      'it says that no target is left',
      async () => {
        const operation = await rig.store.readOperation(operationId);
        return operation?.stateReason?.startsWith('NoTargetLeft') === true && operation;
      },
      LONG,
    );
    expect(waiting.stateReason).toContain(`${DEAD_TARGET}: Unreachable`);
    expect(waiting.stateReason).toContain(`${unknown}: Unknown`);
    expect(waiting.counts).toMatchObject({ planned: USERS, remaining: USERS });
    await listen(DEAD_TARGET);
    expect(await untilEnded(operationId)).toMatchObject({
      state: 'done',
      counts: { planned: USERS, confirmed: USERS, remaining: 0 },
      forced: 0,
    });
  });
});

describe('afterwards', () => {
  it('nobody is lost, and the worker is still the same process', async () => {
    const homes = Object.values(await rig.homes());
    expect(homes).toHaveLength((SOURCES.length + 1) * USERS);
    expect(new Set(homes)).toEqual(new Set([...TARGETS, DEAD_TARGET]));
    expect(worker.isRunning()).toBe(true);
    expect(worker.errors()).toBe('');
    const alarms = worker.logged('"level":"error"').filter((line) => !line.includes('Blind'));
    expect(alarms).toEqual([]);
  });
});
