/** An operator who does, through the REST API, what the plan says; nothing is tried twice. */
import { hostsOf, PORTS } from '../../lab/mail/hosts.mjs';
import { DOVEADM_API_KEY } from '../../lab/mail/dovecot-config.mjs';
import { createDoveadmClient } from '../../lab/mail/cluster-service/doveadm-client.ts';
import { FEATURES } from '../../workflows/domain/feature-flag.ts';
import type { OperationView } from '../system/site-api.ts';
import type { ActionVerb, PlannedAction } from './plan.ts';
import { hostNames } from './site-parts.ts';
import type { SoakRig } from './soak-rig.ts';

export interface ActionRecord {
  readonly verb: ActionVerb | 'undo';
  readonly site: string;
  readonly what: string;
  readonly atMs: number;
  readonly answeredAtMs: number;
  /** HTTP status; 0: no answer. */
  readonly status: number;
  /** The code of a refusal, or the id of the operation that was accepted. */
  readonly answer: string;
}

export interface Operator {
  readonly records: readonly ActionRecord[];
  /** No further action. */
  stop(): Promise<void>;
}

interface Ask {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

const TASKS = ['check_backend_health', 'rebalance_sites', 'evacuate_zero_load_factor_hosts'];

/** Starts at once. */
export function startOperator(rig: SoakRig, actions: readonly PlannedAction[]): Operator {
  const records: ActionRecord[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  const later = (secs: number, work: () => Promise<void>): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      const done = work()
        .catch(() => undefined)
        .finally(() => running.delete(done));
      running.add(done);
    }, secs * 1000);
    timers.add(timer);
  };
  const act = async (action: PlannedAction): Promise<void> => {
    const { verb, site, forSecs } = action;
    const there = await findOpen(rig, site);
    const does = actOf(rig, action, there);
    if (does === null) return;
    const atMs = Date.now();
    const { status, answer } = await does.now();
    records.push({ verb, site, what: does.what, atMs, answeredAtMs: Date.now(), status, answer });
    const { undo } = does;
    if (undo === null) return;
    later(forSecs, async () => {
      const undoneAtMs = Date.now();
      const undone = await undo();
      const what = `${verb}: ${does.what}`;
      records.push({
        ...{ verb: 'undo', site, what, atMs: undoneAtMs, answeredAtMs: Date.now() },
        ...undone,
      });
    });
  };
  for (const action of actions) later(action.atSecs, () => act(action));
  return {
    records,
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(running);
    },
  };
}

interface Answer {
  readonly status: number;
  readonly answer: string;
}

interface Deed {
  readonly what: string;
  readonly now: () => Promise<Answer>;
  readonly undo: (() => Promise<Answer>) | null;
}

const reason = 'soak';

/** Null: there is nothing to do it to. */
function actOf(
  rig: SoakRig,
  { verb, site, pick, how }: PlannedAction,
  open: readonly OperationView[],
): Deed | null {
  const api = rig.api(site);
  const send = ({ method, path, body }: Ask) => api.send(method, path, { ...body, reason });
  const host = choose(hostNames(site, 'backend'), pick) ?? '';
  const post = (path: string, body: Ask['body'] = {}): Deed => ({
    what: `${path} ${JSON.stringify(body)}`,
    now: () => send({ method: 'POST', path, body }),
    undo: null,
  });
  const put = (path: string, body: Ask['body'], back: Ask['body']): Deed => ({
    what: `${path} ${JSON.stringify(body)}`,
    now: () => send({ method: 'PUT', path, body }),
    undo: () => send({ method: 'PUT', path, body: back }),
  });
  const operation = choose(open, pick);
  const onOperation = (deed: (path: string) => Deed): Deed | null =>
    operation === undefined ? null : deed(`/operations/${operation.operationId}`);
  switch (verb) {
    case 'evacuate':
      return post(`/backends/${host}/evacuate`);
    case 'pause':
    case 'resume':
      return onOperation((path) => post(`${path}/${verb}`));
    case 'cancel':
      return onOperation((path) => post(`${path}/cancel`, { holdSecs: Math.round(how * 15) }));
    case 'speed':
      return onOperation((path) =>
        post(`${path}/speed`, { speedPercent: choose([1, 10, 30, 100], how) }),
      );
    case 'flag': {
      const feature = choose(FEATURES, pick) ?? 'BackendHealthAutoHandling';
      const state = choose(['disabled', 'dryRun'], how);
      const level = choose(['global', 'site', 'backend'], (how * 7) % 1);
      const target =
        level === 'site' ? { target: site } : level === 'backend' ? { target: host } : {};
      const back = { level, ...target, state: level === 'global' ? globalOf(feature) : null };
      return put(`/features/${feature}`, { level, ...target, state }, back);
    }
    case 'automation':
      return put('/automation', { state: 'paused' }, { state: 'running' });
    case 'runTask':
      return post(`/tasks/${choose(TASKS, pick)}/run`);
    case 'loadFactor':
      return updateBackend(rig, host, { loadFactor: 0 }, { loadFactor: 100 });
    case 'status':
      return updateBackend(
        rig,
        host,
        { status: how < 0.5 ? 'standby' : 'offline' },
        { status: 'online' },
      );
  }
}

/** Balancing is on in a run only where an operator says so: a global flag goes back to what it was. */
const globalOf = (feature: (typeof FEATURES)[number]): string =>
  feature === 'BackendLoadBalancing' ? 'disabled' : 'enabled';

/** There is no route for it: an operator uses doveadm of any host that answers. */
function updateBackend(
  rig: SoakRig,
  host: string,
  change: Readonly<Record<string, unknown>>,
  back: Readonly<Record<string, unknown>>,
): Deed {
  const run = (fields: Readonly<Record<string, unknown>>) => () =>
    changeBackend(rig.lab.net, { host, ...fields });
  return { what: `${host} ${JSON.stringify(change)}`, now: run(change), undo: run(back) };
}

/** Through the first Backend that carries it out. */
export async function changeBackend(
  net: number,
  parameters: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const backends = hostsOf(net).filter(({ role }) => role === 'backend');
  for (const { address, name } of backends) {
    const client = createDoveadmClient({ address, port: PORTS.doveadm }, DOVEADM_API_KEY);
    const late = new Promise<null>((resolve) => setTimeout(resolve, 2_000, null).unref());
    const asked = client.run('clusterBackendUpdate', parameters).catch(() => null);
    const reply = await Promise.race([asked, late]);
    if (reply?.kind === 'rows') return { status: 200, answer: `via ${name}` };
  }
  return { status: 0, answer: 'no Backend answers' };
}

/** Open operations, in a fixed order; none where the API does not answer. */
async function findOpen(rig: SoakRig, site: string): Promise<readonly OperationView[]> {
  const operations = await rig
    .api(site)
    .readOperations()
    .catch(() => []);
  return operations
    .filter(({ isEnded }) => !isEnded)
    .sort((a, b) => (a.operationId < b.operationId ? -1 : 1));
}

function choose<T>(from: readonly T[], share: number): T | undefined {
  return from[Math.min(from.length - 1, Math.floor(share * from.length))];
}
