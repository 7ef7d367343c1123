/** A lab for a table: only the parts that it needs, users straight into the GeoDB, and who uses the cores. */
import type cassandra from 'cassandra-driver';
import { createDoveadmClient } from '../../lab/mail/cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from '../../lab/mail/dovecot-config.mjs';
import { hostsOf, PORTS } from '../../lab/mail/hosts.mjs';
import { readLabSettings, type LabSettings } from '../../lab/mail/lab-settings.ts';
import { connectGeodb, labId } from '../../lab/mail/seed-geodb.ts';
import { startLab, type Lab } from '../../lab/parts/lab.mjs';
import { createSiteApi, PATIENT, type SiteApi } from '../system/site-api.ts';
import { eventually } from '../support/eventually.ts';
import type { Bench } from './bench-table.ts';
import { startUsageMeter, type UsageMeter } from './usage-by-part.ts';

export interface BenchLabOptions {
  /** Names of parts or groups; absent: all. */
  readonly parts?: readonly string[];
  /** Users that the lab makes by itself, with mailboxes. */
  readonly labUsers: number;
  /** Cassandra's Java compiles as in production, and needs a first turn to warm up; absent: quickly. */
  readonly compilesFully?: boolean;
  /** Settings of the controllers, over those of the lab. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface BenchLab {
  readonly lab: Lab;
  readonly settings: LabSettings;
  readonly geodb: cassandra.Client;
  readonly usage: UsageMeter;
  readonly api: SiteApi;
  /** Starts an evacuation as an operator does; its id. */
  evacuate(host: string): Promise<string>;
  /** Every task of the site, until it is resumed. */
  pauseTasks(): Promise<void>;
  close(): Promise<void>;
}

/** Everything of one site but its traffic. */
export const NORTH_ONLY: readonly string[] = [
  'infra',
  ...hostsOf(0)
    .filter(({ site }) => site === 'north')
    .flatMap(({ name }) => [name, `${name}-cluster`]),
  'worker-north',
  'api-north',
];

const SITE = 'north';
const WRITES_AT_ONCE = 256;
const WRITE_ATTEMPTS = 5;
const SCAN_PAGE = 5_000;
const ANSWERS_MS = 60_000;
const SESSIONS_MS = 60_000;

export async function openBenchLab(bench: Bench, options: BenchLabOptions): Promise<BenchLab> {
  const { stateDir, print } = bench;
  const lab = await startLab({
    net: bench.net,
    stateDir,
    print,
    ...(options.parts === undefined ? {} : { parts: options.parts }),
    compilesFully: options.compilesFully ?? false,
    settings: { LAB_USERS: String(options.labUsers), ...options.settings },
  });
  const settings = readLabSettings({ LAB_NET: String(lab.net), LAB_STATE: stateDir });
  const geodb = connectGeodb(settings.geodb);
  const usage = startUsageMeter(lab);
  const address = lab.sites.find(({ name }) => name === SITE)?.api ?? '';
  const token = await lab.runScript(SITE, ['api/issue-token.ts', 'operator']);
  const api = createSiteApi(address, token, PATIENT);
  await eventually('the API answers', () => api.readOverview().catch(() => false as const), {
    timeoutMs: ANSWERS_MS,
  });
  return {
    lab,
    settings,
    geodb,
    usage,
    api,
    evacuate: async (host) => {
      const path = `/backends/${host}/evacuate`;
      const answer = await ask(address, token, path, { reason: 'bench' });
      return (answer as { operationId: string }).operationId;
    },
    async pauseTasks() {
      const { tasks } = (await ask(address, token, '/tasks')) as { tasks: { task: string }[] };
      for (const { task } of tasks) {
        // Whatever does not run by itself cannot be paused.
        const path = `/tasks/${task}/pause`;
        await ask(address, token, path, { reason: 'bench' }).catch(() => undefined);
      }
    },
    close: async () => {
      usage.stop();
      await geodb.shutdown();
      await lab.stop();
    },
  };
}

async function ask(address: string, token: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`http://${address}/api/v1${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** u0000000@north.example, ...: names that the proxies of the lab know. */
export function benchUsers(count: number, first = 0): string[] {
  return Array.from(
    { length: count },
    (_, index) => `u${String(first + index).padStart(7, '0')}@${SITE}.example`,
  );
}

/** From now on they live there and are not moving, whatever was before. */
export async function giveHomes(
  { geodb, settings }: Pick<BenchLab, 'geodb' | 'settings'>,
  users: readonly string[],
  host: string,
): Promise<void> {
  const query =
    `INSERT INTO ${settings.geodb.keyspace}.users (username, backend_id, moving) ` +
    'VALUES (?, ?, null)';
  const id = labId(host);
  await inParallel(users, WRITES_AT_ONCE, (user) =>
    patiently(() => geodb.execute(query, [user, id])),
  );
}

/** Online and open to new users again, as an operator would do it. */
export async function openBackend(
  { geodb, settings }: Pick<BenchLab, 'geodb' | 'settings'>,
  host: string,
): Promise<void> {
  const { keyspace } = settings.geodb;
  const id = labId(host);
  await geodb.execute(`UPDATE ${keyspace}.backends SET status = 'online' WHERE id = ?`, [id]);
  await geodb.execute(
    `DELETE FROM ${keyspace}.cluster_settings
       WHERE scope = 'backend' AND target = ? AND name = 'accept_new_users'`,
    [id],
  );
}

/** By a scan: the index of so many users who were just moved takes longer than Cassandra allows. */
export async function countHomes(
  { geodb, settings }: Pick<BenchLab, 'geodb' | 'settings'>,
  host: string,
): Promise<number> {
  const query = `SELECT backend_id FROM ${settings.geodb.keyspace}.users`;
  const id = labId(host);
  let users = 0;
  for await (const row of await geodb.execute(query, [], { prepare: true, fetchSize: SCAN_PAGE })) {
    if (String(row['backend_id']) === id) users += 1;
  }
  return users;
}

/** Users with sessions, as the Dovecot of that Backend says. */
export async function readSessionsOf(net: number, host: string): Promise<Set<string>> {
  const address = hostsOf(net).find(({ name }) => name === host)?.address ?? '';
  const endpoint = { address, port: PORTS.dovecotDoveadm };
  const sessions = await createDoveadmClient(endpoint, DOVEADM_API_KEY).who();
  return new Set(sessions.map(({ username }) => username));
}

/** Until all of them have their sessions on that Backend. */
export async function awaitSessionsOn(
  net: number,
  host: string,
  users: readonly string[],
): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const here = await readSessionsOf(net, host);
    return users.every((user) => here.has(user));
  };
  const options = { timeoutMs: SESSIONS_MS, intervalMs: 200 };
  await eventually(`all sessions are on ${host}`, isThere, options);
}

/** At most `limit` at a time; fails with the first failure. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const waiting = items.values();
  const lane = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, lane));
}

/** A busy machine makes Cassandra miss its own deadline now and then. */
async function patiently(write: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await write();
      return;
    } catch (error) {
      if (attempt === WRITE_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * 200));
    }
  }
}
