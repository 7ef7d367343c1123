/**
 * Looks at a lab from outside every second: where everybody lives (GeoDB), who is logged in where
 * (`who` of each real Dovecot, past the cluster service), statuses, operations. It keeps what changed
 * rather than every sample whole. Whatever does not answer in time is missing from the sample.
 */
import type cassandra from 'cassandra-driver';
import { createDoveadmClient } from '../../lab/mail/cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from '../../lab/mail/dovecot-config.mjs';
import { hostsOf, PORTS, type LabHost } from '../../lab/mail/hosts.mjs';
import type { LabSettings } from '../../lab/mail/lab-settings.ts';
import { readCluster } from '../../lab/mail/read-cluster.ts';
import type { OperationView, SiteApi } from './site-api.ts';

export interface Sample {
  readonly atMs: number;
  /** By host name of the Backend; null: the GeoDB did not answer. */
  readonly users: ReadonlyMap<string, number> | null;
  readonly statuses: ReadonlyMap<string, string> | null;
  /** Users with IMAP or POP3 sessions, by Backend; a silent Backend is absent. */
  readonly sessions: ReadonlyMap<string, ReadonlySet<string>>;
  /** By site, newest first; a site whose API does not answer is absent. */
  readonly operations: ReadonlyMap<string, readonly OperationView[]>;
}

/** A home that was seen on one Backend and then on another. */
export interface HomeTransition {
  readonly atMs: number;
  readonly user: string;
  readonly from: string;
  readonly to: string;
}

/** A user who was seen with sessions on two Backends in a row of samples. */
export interface DoubleSession {
  readonly user: string;
  readonly hosts: readonly string[];
  readonly sinceMs: number;
  readonly untilMs: number;
}

export interface StatusChange {
  readonly atMs: number;
  readonly host: string;
  readonly to: string;
}

export interface Observer {
  readonly samples: readonly Sample[];
  readonly transitions: readonly HomeTransition[];
  readonly doubles: readonly DoubleSession[];
  readonly statusChanges: readonly StatusChange[];
  latest(): Sample | undefined;
  /** The first sample since then that fits; null: none within the time. */
  waitFor(
    isWanted: (sample: Sample) => boolean,
    options: { readonly sinceMs: number; readonly timeoutMs: number },
  ): Promise<Sample | null>;
  stop(): void;
}

export interface ObserverParts {
  readonly settings: LabSettings;
  readonly geodb: cassandra.Client;
  readonly sites: readonly string[];
  readonly api: (site: string) => SiteApi;
}

const INTERVAL_MS = 1_000;
/** With a silent Backend or API a sample takes so long; the GeoDB is what everything hangs on. */
const PATIENCE_MS = 900;
const GEODB_PATIENCE_MS = 3_000;
const POLL_MS = 100;

/** Starts at once. */
export function startObserver(parts: ObserverParts): Observer {
  const samples: Sample[] = [];
  const homes = trackHomes();
  const doubles = trackDoubles();
  const statuses = trackStatuses();
  let isLooking = false;
  const look = async (): Promise<void> => {
    const atMs = Date.now();
    const [cluster, sessions, operations] = await Promise.all([
      inTime(readCluster(parts.settings, parts.geodb), GEODB_PATIENCE_MS),
      readSessions(parts.settings.net),
      readOperations(parts),
    ]);
    if (cluster !== null) homes.see(atMs, cluster.homes);
    const now = cluster === null ? null : statusesOf(cluster.backends);
    if (now !== null) statuses.see(atMs, now);
    doubles.see(atMs, sessions);
    const users =
      cluster === null
        ? null
        : new Map([...cluster.homes].map(([host, names]) => [host, names.length]));
    samples.push({ atMs, users, statuses: now, sessions, operations });
  };
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void look().finally(() => (isLooking = false));
  }, INTERVAL_MS);
  return {
    samples,
    transitions: homes.transitions,
    doubles: doubles.found,
    statusChanges: statuses.changes,
    latest: () => samples.at(-1),
    async waitFor(isWanted, { sinceMs, timeoutMs }) {
      const endMs = Date.now() + timeoutMs;
      for (;;) {
        const found = samples.find((sample) => sample.atMs >= sinceMs && isWanted(sample));
        if (found !== undefined) return found;
        if (Date.now() > endMs) return null;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}

const statusesOf = (backends: ReadonlyMap<string, { readonly status: string }>) =>
  new Map([...backends].map(([host, { status }]) => [host, status]));

function trackHomes() {
  const last = new Map<string, string>();
  const transitions: HomeTransition[] = [];
  const see = (atMs: number, homes: ReadonlyMap<string, readonly string[]>): void => {
    for (const [to, users] of homes) {
      for (const user of users) {
        const from = last.get(user);
        if (from !== undefined && from !== to) transitions.push({ atMs, user, from, to });
        last.set(user, to);
      }
    }
  };
  return { transitions, see };
}

function trackStatuses() {
  const last = new Map<string, string>();
  const changes: StatusChange[] = [];
  const see = (atMs: number, statuses: ReadonlyMap<string, string>): void => {
    for (const [host, to] of statuses) {
      if (last.get(host) !== to && last.has(host)) changes.push({ atMs, host, to });
      last.set(host, to);
    }
  };
  return { changes, see };
}

function trackDoubles() {
  const running = new Map<string, DoubleSession>();
  const found: DoubleSession[] = [];
  const see = (atMs: number, sessions: ReadonlyMap<string, ReadonlySet<string>>): void => {
    const hosts = new Map<string, string[]>();
    for (const [host, users] of sessions) {
      for (const user of users) hosts.set(user, [...(hosts.get(user) ?? []), host]);
    }
    for (const user of [...running.keys()]) {
      if ((hosts.get(user)?.length ?? 0) < 2) running.delete(user);
    }
    for (const [user, names] of hosts) {
      if (names.length < 2) continue;
      const former = running.get(user);
      const sinceMs = former?.sinceMs ?? atMs;
      const seen = { user, hosts: names, sinceMs, untilMs: atMs };
      if (former !== undefined) found.splice(found.indexOf(former), 1);
      found.push(seen);
      running.set(user, seen);
    }
  };
  return { found, see };
}

async function readSessions(net: number): Promise<Map<string, Set<string>>> {
  const backends = hostsOf(net).filter(({ role }) => role === 'backend');
  const answers = await Promise.all(
    backends.map(async (host) => [host.name, await inTime(readUsers(host))] as const),
  );
  return new Map(answers.flatMap(([host, users]) => (users === null ? [] : [[host, users]])));
}

/** Test users of the probes live nowhere, and do not count. */
async function readUsers({ address }: LabHost): Promise<Set<string>> {
  const endpoint = { address, port: PORTS.dovecotDoveadm };
  const sessions = await createDoveadmClient(endpoint, DOVEADM_API_KEY).who();
  const people = sessions.filter(
    ({ username, service }) => service !== 'lmtp' && !username.startsWith('probe-'),
  );
  return new Set(people.map(({ username }) => username));
}

async function readOperations({ sites, api }: ObserverParts) {
  const answers = await Promise.all(
    sites.map(async (site) => [site, await inTime(api(site).readOperations())] as const),
  );
  return new Map(answers.flatMap(([site, list]) => (list === null ? [] : [[site, list]])));
}

/** Null: it failed, or took too long. */
async function inTime<T>(answer: Promise<T>, patienceMs = PATIENCE_MS): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, patienceMs, null);
  });
  return Promise.race([answer.catch(() => null), late]).finally(() => {
    clearTimeout(timer);
  });
}
