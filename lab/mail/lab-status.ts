/** The state of a lab: Backends with users, sessions and faults; proxies; parts. */
import type cassandra from 'cassandra-driver';
import { describeError } from '../../platform/describe-error.ts';
import { createDoveadmClient } from './cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from './dovecot-config.mjs';
import { readFaults } from './faults.ts';
import { hostsOf, PORTS, type LabHost } from './hosts.mjs';
import { readParts, type PartStatus } from './lab-control.ts';
import type { LabSettings } from './lab-settings.ts';
import { readCluster, type LabCluster } from './read-cluster.ts';

export interface BackendState {
  readonly host: string;
  readonly site: string;
  /** null: the GeoDB does not answer. */
  readonly status: string | null;
  readonly loadFactor: number | null;
  readonly users: number | null;
  readonly moving: number | null;
  /** null: its doveadm does not answer. */
  readonly sessions: number | null;
  readonly faults: readonly string[];
}

export interface LabStatus {
  readonly net: number;
  readonly backends: readonly BackendState[];
  readonly proxies: readonly { host: string; site: string; sessions: number | null }[];
  readonly parts: readonly PartStatus[];
  /** What could not be read. */
  readonly problems: readonly string[];
}

const PATIENCE_MS = 4000;

/** Throws LabError where no lab runs. */
export async function readLabStatus(
  lab: LabSettings,
  client: cassandra.Client,
): Promise<LabStatus> {
  const parts = await readParts(lab);
  const problems: string[] = [];
  const cluster = await inTime(readCluster(lab, client)).catch((error: unknown) => {
    problems.push(describeError(error));
    return null;
  });
  const hosts = hostsOf(lab.net);
  const backends = hosts.filter(({ role }) => role === 'backend');
  const proxies = hosts.filter(({ role }) => role === 'proxy');
  return {
    net: lab.net,
    backends: await Promise.all(backends.map((host) => readBackend(lab, host, { cluster, parts }))),
    proxies: await Promise.all(
      proxies.map(async (host) => ({
        host: host.name,
        site: host.site,
        sessions: await countRows(host, 'proxyList', {}),
      })),
    ),
    parts,
    problems,
  };
}

async function readBackend(
  lab: LabSettings,
  host: LabHost,
  { cluster, parts }: { cluster: LabCluster | null; parts: readonly PartStatus[] },
): Promise<BackendState> {
  const { name, site } = host;
  const row = cluster?.backends.get(name);
  const fileFaults = [...readFaults(lab, name)].map(([fault, value]) => `${fault} ${value}`.trim());
  const holds = parts.filter((part) => part.name === name && part.hold !== 'none');
  return {
    host: name,
    site,
    status: row?.status ?? null,
    loadFactor: row?.loadFactor ?? null,
    users: cluster === null ? null : (cluster.homes.get(name)?.length ?? 0),
    moving: cluster === null ? null : (cluster.moving.get(name) ?? 0),
    sessions: await countRows(host, 'who', { separateConnections: true }),
    faults: [...holds.map(({ hold }) => hold), ...fileFaults],
  };
}

async function countRows({ address }: LabHost, command: string, parameters: object) {
  const doveadm = createDoveadmClient({ address, port: PORTS.doveadm }, DOVEADM_API_KEY);
  const reply = await inTime(doveadm.run(command, { ...parameters })).catch(() => null);
  return reply?.kind === 'rows' ? reply.rows.length : null;
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** For people. */
export function printLabStatus(status: LabStatus): string {
  const known = (value: string | number | null) => (value === null ? '?' : String(value));
  const backends = status.backends.map((one) => [
    one.host,
    known(one.status),
    known(one.loadFactor),
    `${known(one.users)}${one.moving ? ` (${one.moving} moving)` : ''}`,
    known(one.sessions),
    one.faults.join(', '),
  ]);
  const proxies = status.proxies.map(({ host, sessions }) => [host, known(sessions)]);
  const isMailHost = (name: string) => /-(proxy|mail)\d+(-cluster)?$/.test(name);
  const parts = status.parts
    .filter(({ name, state }) => !isMailHost(name) || state !== 'running')
    .map(({ name, state, hold, restarts }) => [
      name,
      state,
      hold === 'none' ? '' : hold,
      restarts === 0 ? '' : `restarted ${restarts} times`,
    ]);
  return [
    printTable(['Backend', 'status', 'load factor', 'users', 'sessions', 'faults'], backends),
    printTable(['Proxy', 'sessions'], proxies),
    printTable(['Part', 'state', 'held', ''], parts),
    ...status.problems.map((problem) => `! ${problem}`),
  ].join('\n');
}

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
