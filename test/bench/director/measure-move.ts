/** One run of one row: the clients log in, somebody moves them, and what they noticed is summed up. */
import { setTimeout as pause } from 'node:timers/promises';
import { createDoveadmClient } from '../../../lab/mail/cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY, USER_PASSWORD } from '../../../lab/mail/dovecot-config.mjs';
import { PORTS } from '../../../lab/mail/hosts.mjs';
import { quantile } from '../bench-table.ts';
import { startCpuWatch, type CpuTimes } from './cpu-watch.ts';
import { startClients, type BenchClients } from './clients.ts';
import { countMail, startMailFlow } from './mail-flow.ts';
import { watchSessions } from './session-watch.ts';

export interface NamedHost {
  readonly name: string;
  readonly address: string;
}

/** Proxies with Backends behind them, whoever directs the users. */
export interface MailCluster {
  readonly proxies: readonly NamedHost[];
  readonly backends: readonly NamedHost[];
  /** Where all users are at the beginning. */
  readonly source: NamedHost;
}

export interface Trial {
  readonly cluster: MailCluster;
  readonly users: readonly string[];
  /** Users with a second client are this share of all. */
  readonly secondShare: number;
  /** `away`: over when everybody is served by another Backend; `again`: when everybody is logged in again. */
  readonly goal: 'away' | 'again';
  /** Milliseconds after which whoever is not served elsewhere is left behind. */
  readonly deadlineMs: number;
  /** Process groups of everything that takes part, with their names. */
  readonly groups: ReadonlyMap<number, string>;
  /** What moves the users; the trial goes on when it settles, and also before. */
  act(clients: BenchClients): Promise<void>;
}

export interface TrialResult {
  /** Seconds until the last client was back; null: not all came back. */
  readonly doneSecs: number | null;
  /** Milliseconds of standing clients without a session. */
  readonly gapP50Ms: number;
  readonly gapP99Ms: number;
  readonly failedAttempts: number;
  readonly failureReasons: ReadonlyMap<string, number>;
  /** Users whom two Backends served at once, as the clients saw it. */
  readonly overlapUsers: number;
  readonly longestOverlapMs: number;
  /** The same as the Backends say, in two looks in a row. */
  readonly overlapsByWho: number;
  readonly leftBehind: number;
  /** Sessions on another Backend that still run through the old one. */
  readonly relayed: number;
  /** Clients that were cut more than once. */
  readonly cutTwice: number;
  readonly mailAccepted: number;
  readonly mailLost: number;
  readonly mailDoubled: number;
  readonly mailDoubledExplained: number;
  readonly mailWaiting: number;
  /** While all are logged in and nobody moves: deliveries, looks, and idle parts. */
  readonly calmCpu: CpuTimes;
  /** From the beginning to the last client that was back. */
  readonly cpu: CpuTimes;
}

/** Long enough for the machine to have the logins behind it: right after them everything is slower. */
const CALM_BEFORE_MS = 15_000;
/** After the last client is back: who comes late, or is cut again? */
const WATCH_AFTER_MS = 3_000;
const POLL_MS = 20;

export async function runTrial(trial: Trial): Promise<TrialResult> {
  const { cluster, users } = trial;
  const at = (port: number) => cluster.proxies.map(({ address }) => ({ address, port }));
  const count = Math.round(users.length * trial.secondShare);
  const step = Math.max(1, Math.floor(users.length / Math.max(1, count)));
  const usersWithSecond = users.filter((_, index) => index % step === 0).slice(0, count);
  const options = { users, usersWithSecond, proxies: at(PORTS.imap), password: USER_PASSWORD };
  const clients = await startClients(options);
  const mail = startMailFlow(users, at(PORTS.lmtp));
  const who = watchSessions(cluster.backends);
  try {
    const readCalmCpu = startCpuWatch(trial.groups);
    await pause(CALM_BEFORE_MS);
    const calmCpu = readCalmCpu();
    const readCpu = startCpuWatch(trial.groups);
    const startedAtMs = clients.book.now();
    const acting = trial.act(clients);
    // Awaited below: until then a failure is nobody's to catch.
    acting.catch(() => undefined);
    const isOver = (): boolean => countMissing(trial, clients, startedAtMs) === 0;
    while (!isOver() && clients.book.now() - startedAtMs < trial.deadlineMs) {
      await pause(POLL_MS);
    }
    const cpu = readCpu();
    const leftBehind = countMissing(trial, clients, startedAtMs);
    const backAtMs = Math.max(...[...clients.book.standing.values()].map((one) => one.sinceMs));
    await pause(WATCH_AFTER_MS);
    await acting;
    const relayed = await countRelayed(cluster);
    const seen = summarize(clients, startedAtMs);
    await mail.finish();
    const doneSecs = leftBehind > 0 ? null : (backAtMs - startedAtMs) / 1_000;
    const stored = await countMail(mail.attempts, readableBackend(cluster));
    return {
      ...seen,
      calmCpu,
      cpu,
      doneSecs,
      leftBehind,
      relayed,
      overlapsByWho: who.seenOnTwo(),
      mailAccepted: stored.accepted,
      mailLost: stored.lost,
      mailDoubled: stored.doubled,
      mailDoubledExplained: stored.explained,
      mailWaiting: stored.waiting,
    };
  } finally {
    who.stop();
    await clients.stop();
  }
}

function countMissing(trial: Trial, { book }: BenchClients, sinceMs: number): number {
  const { source } = trial.cluster;
  return trial.users.filter((user) => {
    const session = book.standing.get(user);
    if (session === undefined) return true;
    return trial.goal === 'away' ? session.backend === source.name : session.sinceMs < sinceMs;
  }).length;
}

function summarize({ book }: BenchClients, sinceMs: number) {
  const gaps = book.gaps.filter((gap) => gap.fromMs >= sinceMs);
  const lengths = gaps.map((gap) => gap.toMs - gap.fromMs);
  const byUser = Map.groupBy(gaps, ({ user }) => user);
  const overlaps = book.overlaps.filter((overlap) => overlap.fromMs >= sinceMs);
  const ended = (toMs: number | null): number => toMs ?? book.now();
  const failures = book.failures.filter(({ atMs }) => atMs >= sinceMs);
  const failureReasons = new Map<string, number>();
  for (const { reason } of failures) {
    const short = reason.slice(0, 60);
    failureReasons.set(short, (failureReasons.get(short) ?? 0) + 1);
  }
  return {
    gapP50Ms: quantile(lengths, 0.5),
    gapP99Ms: quantile(lengths, 0.99),
    failedAttempts: failures.length,
    failureReasons,
    overlapUsers: new Set(overlaps.map(({ user }) => user)).size,
    longestOverlapMs: Math.max(0, ...overlaps.map((one) => ended(one.toMs) - one.fromMs)),
    cutTwice: [...byUser.values()].filter((each) => each.length > 1).length,
  };
}

/** A Backend that passed a login on to another one stays in the middle. A dead one relays nothing. */
async function countRelayed({ source }: MailCluster): Promise<number> {
  const endpoint = { address: source.address, port: PORTS.dovecotDoveadm };
  const doveadm = createDoveadmClient(endpoint, DOVEADM_API_KEY);
  const reply = await doveadm.run('proxyList', {}).catch(() => null);
  return reply?.kind === 'rows' ? reply.rows.length : 0;
}

function readableBackend({ backends, source }: MailCluster): string {
  const other = backends.find(({ name }) => name !== source.name);
  if (other === undefined) throw new Error('a cluster has more than one Backend');
  return other.address;
}
