/** Our side of the table: a lab with its controller of one site, asked as an operator would ask it. */
import type cassandra from 'cassandra-driver';
import { killBackends, restoreBackends } from '../../../lab/mail/faults.ts';
import { readLabSettings, type LabSettings } from '../../../lab/mail/lab-settings.ts';
import { placeUsers } from '../../../lab/mail/place-users.ts';
import { readCluster } from '../../../lab/mail/read-cluster.ts';
import { connectGeodb, seedUsers } from '../../../lab/mail/seed-geodb.ts';
import { startLab, type Lab } from '../../../lab/parts/lab.mjs';
import { createSiteApi, type SiteApi } from '../../system/site-api.ts';
import { eventually } from '../../support/eventually.ts';
import type { MailCluster } from './measure-move.ts';

export interface OurSide {
  readonly lab: Lab;
  readonly api: SiteApi;
  readonly cluster: MailCluster;
  /** Everybody of the site. */
  readonly users: readonly string[];
  /** Process groups of the lab, with the names of the parts. */
  groups(): Map<number, string>;
  /** No fault, no operation, everybody lives on the source. */
  prepare(): Promise<void>;
  /** Asks for the evacuation; settles when the operation has ended. */
  evacuate(speedPercent: number): Promise<void>;
  killSource(): Promise<void>;
  stop(): Promise<void>;
}

const SITE = 'north';
/**
 * Tuned, as the director beside it: everybody in one round, and no limit to what a target takes at once. With the
 * defaults (five rounds) a site is more careful than a director with its.
 */
const TUNED = { HOST_EVACUATE_STEP_RATIO: '1', MAX_PARALLEL_INFLOW: '1000' };
/** Of these, four of six live in our site. */
const LAB_USERS = 1_500;
const CALM_MS = 300_000;
const OPERATION_MS = 300_000;
const POLL_MS = 250;
/** Each look at an operation costs the controller some of what it moves users with; the clients tell when all are away. */
const LOOK_EVERY_MS = 2_000;

export async function startOurSide(options: {
  readonly net: number | 'free';
  readonly stateDir: string;
  readonly print: (line: string) => void;
}): Promise<OurSide> {
  process.env['LAB_USERS'] = String(LAB_USERS);
  const parts = ['infra', ...northParts()];
  const lab = await startLab({ ...options, parts, settings: TUNED, compilesFully: true });
  const settings = readLabSettings({ LAB_NET: String(lab.net), LAB_STATE: options.stateDir });
  const site = lab.sites.find(({ name }) => name === SITE);
  const source = site?.backends[0];
  if (site === undefined || source === undefined) throw new Error(`the lab has no site ${SITE}`);
  const token = await lab.runScript(SITE, ['api/issue-token.ts', 'operator']);
  const api = createSiteApi(site.api, token);
  const geodb = connectGeodb(settings.geodb);
  await switchBalancingOff(geodb, settings);
  const cluster = { proxies: site.proxies, backends: site.backends, source };
  return {
    lab,
    api,
    cluster,
    users: seedUsers(lab.net, LAB_USERS)
      .filter((user) => user.site === SITE)
      .map(({ username }) => username),
    groups: () =>
      new Map(lab.status().flatMap(({ pid, name }) => (pid === null ? [] : [[pid, name]]))),
    prepare: () => prepare(api, cluster, settings, geodb),
    evacuate: (speedPercent) => evacuate(api, source.name, speedPercent, options.print),
    killSource: () => killBackends(settings, [source.name]),
    async stop() {
      await geodb.shutdown();
      await lab.stop();
    },
  };
}

function northParts(): string[] {
  const hosts = ['proxy1', 'proxy2', 'mail1', 'mail2', 'mail3', 'mail4'];
  const mail = hosts.flatMap((host) => [`${SITE}-${host}`, `${SITE}-${host}-cluster`]);
  return [...mail, `worker-${SITE}`, `api-${SITE}`];
}

/** Balancing would give users back to whoever was emptied. */
async function switchBalancingOff(
  geodb: cassandra.Client,
  { geodb: { keyspace } }: LabSettings,
): Promise<void> {
  await geodb.execute(
    `UPDATE ${keyspace}.cluster_settings SET value = 'disabled'
       WHERE scope = 'global' AND target = 00000000-0000-0000-0000-000000000000
       AND name = 'BackendLoadBalancing'`,
  );
}

async function prepare(
  api: SiteApi,
  { backends, source }: MailCluster,
  settings: LabSettings,
  geodb: cassandra.Client,
): Promise<void> {
  const names = backends.map(({ name }) => name);
  await restoreBackends(settings, names);
  const options = { timeoutMs: CALM_MS, intervalMs: POLL_MS };
  const isCalm = async (): Promise<boolean> => {
    const overview = await api.readOverview();
    const own = overview.backends.filter(({ host }) => names.includes(host));
    const isFree = overview.operations.length === 0 && !overview.catastrophe.isHolding;
    return isFree && own.every(({ status, verdict }) => status === 'online' && isFine(verdict));
  };
  await eventually('all Backends are online and fine', isCalm, options);
  const isPlaced = async (): Promise<boolean> => {
    await placeUsers(settings, geodb, { sharePercent: 100, on: source.name });
    const { homes, moving } = await readCluster(settings, geodb);
    const here = homes.get(source.name)?.length ?? 0;
    const others = backends.filter(({ name }) => name !== source.name);
    return here > 0 && moving.size === 0 && others.every(({ name }) => !homes.has(name));
  };
  await eventually('everybody lives on the source', isPlaced, options);
}

const isFine = (verdict: string | null): boolean => verdict === 'healthy' || verdict === 'unknown';

async function evacuate(
  api: SiteApi,
  host: string,
  speedPercent: number,
  print: (line: string) => void,
): Promise<void> {
  const { operationId } = await api.evacuate(host, speedPercent);
  const isEnded = async (): Promise<boolean> => {
    const { endedAtMs } = await api.readOperation(operationId);
    return endedAtMs !== null;
  };
  const options = { timeoutMs: OPERATION_MS, intervalMs: LOOK_EVERY_MS };
  await eventually('the evacuation has ended', isEnded, options).catch(async () => {
    // What the clients saw stays a result: the row tells who was left behind, this tells why.
    const { state, stateReason, counts } = await api.readOperation(operationId);
    print(`the evacuation has not ended: ${state} (${stateReason}) ${JSON.stringify(counts)}`);
  });
}
