/** What the clients saw: counted since the start, and since a mark that anybody may set. */
import type { DeliveryOutcome } from './delivery-queue.ts';
import type { LoginOutcome, SessionReport } from './login-clients.ts';

export interface TrafficSummary {
  readonly sinceMs: number;
  readonly logins: Readonly<Record<LoginOutcome, number>> & {
    readonly attempts: number;
    readonly failedShare: number;
  };
  readonly loginMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly sessions: Readonly<Record<'complete' | 'storageError' | 'cut', number>>;
  readonly deliveries: Readonly<Record<DeliveryOutcome, number>> & { readonly attempts: number };
  /** Long-lived sessions that were lost, and for how long their clients had none. */
  readonly gaps: { readonly count: number; readonly longestMs: number };
}

export interface TrafficStats {
  addSession(host: string, report: SessionReport): void;
  addDelivery(host: string, outcome: DeliveryOutcome): void;
  addGap(gapMs: number): void;
  mark(): void;
  summarize(): { sinceStart: TrafficSummary; sinceMark: TrafficSummary };
  /** Attempts a second to each Backend in the last ten seconds. */
  rates(): Record<string, number>;
}

const RATE_SECONDS = 10;
const LOGIN_SAMPLES = 5000;

/** Counters start now. */
export function createTrafficStats(): TrafficStats {
  const start = createWindow();
  let marked = createWindow();
  const rates = createRates();
  const both = (work: (window: Window) => void) => {
    work(start);
    work(marked);
  };
  return {
    addSession(host, report) {
      rates.add(host);
      both((window) => window.addSession(report));
    },
    addDelivery(host, outcome) {
      rates.add(host);
      both((window) => (window.deliveries[outcome] += 1));
    },
    addGap: (gapMs) => both((window) => window.addGap(gapMs)),
    mark: () => void (marked = createWindow()),
    summarize: () => ({ sinceStart: start.summarize(), sinceMark: marked.summarize() }),
    rates: rates.read,
  };
}

type Window = ReturnType<typeof createWindow>;

function createWindow() {
  const sinceMs = Date.now();
  const logins: Record<LoginOutcome, number> = { ok: 0, refused: 0, unavailable: 0, noAnswer: 0 };
  const sessions = { complete: 0, storageError: 0, cut: 0 };
  const deliveries: Record<DeliveryOutcome, number> = {
    ...{ accepted: 0, tempFailed: 0, lostAck: 0, noAnswer: 0, rejected: 0 },
  };
  const gaps = { count: 0, longestMs: 0 };
  const loginMs: number[] = [];
  let longestLoginMs = 0;
  let attempts = 0;
  const addSession = ({ login, loginMs: tookMs, session }: SessionReport) => {
    logins[login] += 1;
    if (session !== null) sessions[session] += 1;
    loginMs[attempts++ % LOGIN_SAMPLES] = tookMs;
    longestLoginMs = Math.max(longestLoginMs, tookMs);
  };
  const addGap = (gapMs: number) => {
    gaps.count += 1;
    gaps.longestMs = Math.max(gaps.longestMs, Math.round(gapMs));
  };
  const summarize = (): TrafficSummary => {
    const sorted = loginMs.toSorted((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
    const failed = attempts - logins.ok;
    return {
      sinceMs,
      logins: { ...logins, attempts, failedShare: attempts === 0 ? 0 : failed / attempts },
      loginMs: { p50: at(0.5), p99: at(0.99), max: Math.round(longestLoginMs) },
      sessions: { ...sessions },
      deliveries: { ...deliveries, attempts: sum(Object.values(deliveries)) },
      gaps: { ...gaps },
    };
  };
  return { addSession, addGap, deliveries, summarize };
}

function createRates() {
  const seconds = new Map<number, Map<string, number>>();
  const now = () => Math.floor(Date.now() / 1000);
  return {
    add(host: string) {
      const second = seconds.get(now()) ?? new Map<string, number>();
      seconds.set(now(), second);
      second.set(host, (second.get(host) ?? 0) + 1);
      for (const old of seconds.keys()) if (old < now() - RATE_SECONDS) seconds.delete(old);
    },
    read() {
      const totals: Record<string, number> = {};
      for (const [second, hosts] of seconds) {
        if (second < now() - RATE_SECONDS || second === now()) continue;
        for (const [host, count] of hosts) totals[host] = (totals[host] ?? 0) + count;
      }
      return Object.fromEntries(
        Object.entries(totals).map(([host, count]) => [host, count / RATE_SECONDS]),
      );
    },
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
