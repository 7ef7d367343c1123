/** Which steps bring up a lab, and what each of them waits for. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PORTS, TEMPORAL_HOST, coreAddressOf, sitesOf, temporalPortOf } from './addresses.mjs';
import { installPackages, missingPackages } from './apt-packages.mjs';
import { buildUi, buildWorkflowBundle } from './build.mjs';
import { CASSANDRA_TOOLS, cassandraPart, fetchCassandra } from './cassandra.mjs';
import { apiPart, controllerEnvironment, workerPart } from './controller.mjs';
import { DOVECOT_PACKAGES, checkDovecot } from './dovecot.mjs';
import { ROOT_DIR } from './folders.mjs';
import { LabProblem } from './lab-problem.mjs';
import { installNpmPackages } from './npm-packages.mjs';
import { PROMETHEUS_PACKAGES, prometheusPart } from './prometheus.mjs';
import { REDIS_PACKAGES, redisPart } from './redis.mjs';
import { findProductNode, runCommand } from './run-command.mjs';
import { TEMPORAL_TOOLS, fetchTemporal, temporalPart } from './temporal.mjs';

export const STORES = Object.freeze(['temporal', 'cassandra', 'redis', 'prometheus']);

/** Short names for many parts; a second worker is started only when it is named. */
const GROUPS = (net) => {
  const hosts = sitesOf(net).flatMap((site) => [...site.proxies, ...site.backends]);
  return {
    infra: STORES,
    mail: hosts.flatMap(({ name }) => [name, `${name}-cluster`]),
    traffic: ['traffic'],
    workers: sitesOf(net).map(({ name }) => `worker-${name}`),
    apis: sitesOf(net).map(({ name }) => `api-${name}`),
  };
};

const secondOf = (worker) => `${worker}-2`;

/** @param {number} net @param {string[] | undefined} wanted @returns {Set<string>} part names */
export function selectParts(net, wanted) {
  const groups = GROUPS(net);
  const names = (wanted ?? Object.keys(groups)).flatMap((name) => groups[name] ?? [name]);
  const known = new Set([...Object.values(groups).flat(), ...groups.workers.map(secondOf)]);
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) throw new LabProblem(`The lab has no part "${unknown}".`);
  return new Set(names);
}

/**
 * @param {number} net
 * @param {Set<string>} selected
 * @returns {{ part: string, address: string, port: number }[]} what the parts will listen on
 */
export function portsOf(net, selected) {
  const core = coreAddressOf(net);
  const at = (part, address, ...ports) => ports.map((port) => ({ part, address, port }));
  const mail = [PORTS.imap, PORTS.pop3, PORTS.lmtp, PORTS.dovecotMetrics];
  return [
    ...at('temporal', TEMPORAL_HOST, temporalPortOf(net)),
    ...at('temporal', core, PORTS.temporalUi),
    ...at('cassandra', core, PORTS.cassandra, PORTS.cassandraStorage),
    ...at('redis', core, PORTS.redis),
    ...at('prometheus', core, PORTS.prometheus),
    ...at('traffic', core, PORTS.traffic),
    ...sitesOf(net).flatMap((site) => [
      ...at(`worker-${site.name}`, core, site.workerPort),
      ...at(`worker-${site.name}-2`, core, site.workerPort + 10),
      ...at(`api-${site.name}`, core, site.apiPort),
      ...site.proxies.flatMap(({ name, address }) => [
        ...at(name, address, ...mail, PORTS.doveadm),
        ...at(`${name}-cluster`, address, PORTS.clusterServiceProxy),
      ]),
      ...site.backends.flatMap(({ name, address }) => [
        ...at(name, address, ...mail, PORTS.dovecotDoveadm),
        ...at(`${name}-cluster`, address, PORTS.doveadm, PORTS.clusterServiceBackend),
      ]),
    ]),
  ].filter(({ part }) => selected.has(part));
}

/**
 * @typedef {object} LabPlan
 * @property {number} net
 * @property {string} stateDir
 * @property {Set<string>} selected
 * @property {number} startedAtMs
 * @property {Record<string, string>} [settings] for the controller, over those of the lab
 * @property {Record<string, Record<string, string>>} [partSettings] for one part of it, over these
 * @property {boolean} [compilesFully] Cassandra's Java, as in production
 * @property {import('./supervisor.mjs').Supervisor} supervisor
 */

/** @param {LabPlan} plan @returns {Promise<import('./run-steps.mjs').Step[]>} */
export async function labSteps(plan) {
  return [
    ...(await fetchSteps(plan)),
    ...storeSteps(plan),
    ...geodbSteps(plan),
    ...controllerSteps(plan),
    ...(await mailSteps(plan)),
  ];
}

const hasAny = (plan, test) => [...plan.selected].some(test);
const hasMail = (plan) => hasAny(plan, (name) => /-(proxy|mail)\d/.test(name));
const hasWorker = (plan) => hasAny(plan, (name) => name.startsWith('worker-'));
const hasApi = (plan) => hasAny(plan, (name) => name.startsWith('api-'));

async function fetchSteps(plan) {
  const { selected } = plan;
  const tools = [
    ...(selected.has('temporal') ? TEMPORAL_TOOLS : []),
    ...(selected.has('cassandra') ? CASSANDRA_TOOLS : []),
  ];
  const packages = [
    ...tools,
    ...(selected.has('redis') ? REDIS_PACKAGES : []),
    ...(selected.has('prometheus') ? PROMETHEUS_PACKAGES : []),
    ...(hasMail(plan) ? DOVECOT_PACKAGES : []),
  ];
  const afterTools = (await missingPackages(tools)).length > 0 ? ['packages'] : [];
  const step = (name, after, run) => ({ name, after, run });
  const temporal = step('fetch temporal', afterTools, (signal) => fetchTemporal({ signal }));
  const cassandra = step('fetch cassandra', afterTools, (signal) => fetchCassandra({ signal }));
  return [
    step('packages', [], () => installPackages(packages)),
    step('npm', [], (signal) => installNpmPackages({ signal })),
    ...(selected.has('temporal') ? [temporal] : []),
    ...(selected.has('cassandra') ? [cassandra] : []),
    ...(hasMail(plan) ? [step('dovecot', ['packages'], checkDovecot)] : []),
    ...(hasWorker(plan) ? [step('build workflows', ['npm'], buildWorkflowBundle)] : []),
    ...(hasApi(plan) ? [step('build ui', ['npm'], buildUi)] : []),
  ];
}

/** A step that starts one supervised part and waits until it answers. */
function partStep(plan, name, after, makeSpec) {
  return {
    name,
    after,
    run: async (signal) => {
      const part = plan.supervisor.add(await makeSpec());
      await part.startFirst(signal);
      if (part.isHeldDown) return `stays down (npm run lab -- start ${name})`;
      return part.state === 'frozen' ? 'frozen (npm run lab -- thaw)' : '';
    },
  };
}

function storeSteps(plan) {
  return [
    partStep(plan, 'temporal', ['fetch temporal'], () => temporalPart(plan)),
    partStep(plan, 'cassandra', ['fetch cassandra'], () => cassandraPart(plan)),
    partStep(plan, 'redis', ['packages'], () => redisPart(plan)),
    partStep(plan, 'prometheus', ['packages'], () => prometheusPart(plan)),
  ].filter(({ name }) => plan.selected.has(name));
}

/** Without Cassandra nothing is created; where it was there before, its tables still are. */
function geodbSteps(plan) {
  if (!plan.selected.has('cassandra')) return [];
  const runScript = async (script, signal) => {
    if (!existsSync(join(ROOT_DIR, script))) return `there is no ${script} yet`;
    if (plan.supervisor.part('cassandra').isHeldDown) return 'left out: cassandra stays down';
    const environment = controllerEnvironment({ ...plan, siteName: 'north' });
    const env = { ...environment, LAB_NET: String(plan.net), LAB_STATE: plan.stateDir };
    const said = await runCommand(findProductNode(), [script], { signal, env });
    const lastLine = said.trim().split('\n').at(-1);
    // a log line is for the log; a sentence is for the reader
    return lastLine.startsWith('{') ? '' : lastLine;
  };
  const step = (name, after, script) => ({
    name,
    after,
    run: (signal) => runScript(script, signal),
  });
  const hosts = GROUPS(plan.net).mail.filter((name) => plan.selected.has(name));
  const seed = step('lab users', ['geodb schema', ...hosts], 'lab/mail/seed.ts');
  const ours = step('controller store', ['npm', 'cassandra'], 'gateways/controller-store/init.ts');
  return [
    step('geodb schema', ['npm', 'cassandra'], 'gateways/geodb/init.ts'),
    ...(hasMail(plan) ? [seed] : []),
    ...(hasWorker(plan) || hasApi(plan) ? [ours] : []),
  ];
}

function controllerSteps(plan) {
  const { net, startedAtMs } = plan;
  const settingsOf = (part) => ({ ...plan.settings, ...plan.partSettings?.[part] });
  const stores = ['npm', 'geodb schema', 'lab users', 'controller store', 'temporal'];
  const workerAfter = [...stores, 'build workflows'];
  const apiAfter = [...stores, 'build ui'];
  const steps = sitesOf(net).flatMap(({ name: siteName }) => [
    partStep(plan, `worker-${siteName}`, workerAfter, () =>
      workerPart({ net, siteName, settings: settingsOf(`worker-${siteName}`) }),
    ),
    partStep(plan, `worker-${siteName}-2`, workerAfter, () =>
      workerPart({
        net,
        siteName,
        settings: settingsOf(`worker-${siteName}-2`),
        isSecond: true,
      }),
    ),
    partStep(plan, `api-${siteName}`, apiAfter, () =>
      apiPart({
        net,
        siteName,
        settings: settingsOf(`api-${siteName}`),
        readyAfterMs: startedAtMs,
      }),
    ),
  ]);
  return steps.filter(({ name }) => plan.selected.has(name));
}

async function mailSteps(plan) {
  const { net, stateDir, selected } = plan;
  if (!hasMail(plan) && !selected.has('traffic')) return [];
  const mail = await import('../mail/hosts.mjs');
  /** Writes the settings of all hosts once, as soon as there is a Node for the cluster service. */
  let parts = null;
  const partOf = (name) => {
    parts ??= mail.hostParts({ net, stateDir, node: findProductNode() });
    return { ...parts.find((part) => part.name === name), stage: 'mail', deadlineMs: 60_000 };
  };
  const hosts = GROUPS(net).mail.filter((name) => selected.has(name));
  const isTrafficThere = selected.has('traffic') && mail.trafficPart !== undefined;
  const traffic = partStep(plan, 'traffic', [...hosts, 'npm', 'lab users'], () => ({
    ...mail.trafficPart({ net, stateDir, node: findProductNode() }),
    stage: 'traffic',
    deadlineMs: 90_000,
  }));
  const afterOf = (name) => (name.endsWith('-cluster') ? ['geodb schema'] : []);
  return [
    ...hosts.map((name) =>
      partStep(plan, name, ['npm', 'dovecot', ...afterOf(name)], () => partOf(name)),
    ),
    ...(isTrafficThere ? [traffic] : []),
  ];
}
