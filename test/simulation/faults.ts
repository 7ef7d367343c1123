/** What goes wrong in a simulated site, as data: who, from when to when, and how. */

/** Minutes are counted from the beginning of a scenario. */
interface Span {
  readonly fromMin: number;
  /** Left out: to the end. */
  readonly toMin?: number;
}

export type BackendFault = Span & { readonly hosts: readonly string[] } & (
    | {
        /** This share of the logins and deliveries fails. */
        readonly kind: 'deny';
        readonly share: number;
      }
    | {
        /** The mail store is gone: logins work, deliveries do not. */
        readonly kind: 'storage';
      }
    | {
        /** The share that fails goes to and fro between two values. */
        readonly kind: 'flap';
        readonly shares: readonly [number, number];
        readonly everySecs: number;
      }
    | {
        /** Only this share of its capacity is left: beyond it, load itself makes failures. */
        readonly kind: 'brownOut';
        readonly capacity: number;
      }
    | {
        /** Dead: nothing is served, exported or answered by doveadm. */
        readonly kind: 'kill';
      }
    | {
        /** doveadm takes moves and never ends them. */
        readonly kind: 'hang';
      }
    | {
        /** doveadm does not answer; mail is served. */
        readonly kind: 'noDoveadm';
      }
    | {
        /** The process began anew: its counters and its caches are empty, once. */
        readonly kind: 'restart';
      }
  );

export type SiteFault = Span &
  (
    | { readonly kind: 'noPrometheus' }
    /** One of the two proxies is not scraped: too few of them are seen. */
    | { readonly kind: 'proxyUnseen' }
    /** The proxies began anew: what they had counted before is not in any look-back, once. */
    | { readonly kind: 'counterReset' }
  );

export type Fault = BackendFault | SiteFault;

export function isOfBackend(fault: Fault): fault is BackendFault {
  return 'hosts' in fault;
}

export function isActive(fault: Fault, minute: number): boolean {
  return minute >= fault.fromMin && minute < (fault.toMin ?? Number.POSITIVE_INFINITY);
}

/** True in the one tick after that minute. */
export function isDue(atMin: number, nowSecs: number, tickSecs: number): boolean {
  return nowSecs > atMin * 60 && nowSecs <= atMin * 60 + tickSecs;
}

/** Share of the logins or deliveries that these faults make fail; load is not counted here. */
export function failingShare(
  faults: readonly BackendFault[],
  what: 'logins' | 'deliveries',
  nowSecs: number,
): number {
  let served = 1;
  for (const fault of faults) {
    if (fault.kind === 'kill') served = 0;
    if (fault.kind === 'deny') served *= 1 - fault.share;
    if (fault.kind === 'storage' && what === 'deliveries') served = 0;
    if (fault.kind === 'flap') {
      const turn = Math.floor(nowSecs / fault.everySecs) % 2 === 0 ? 0 : 1;
      served *= 1 - fault.shares[turn];
    }
  }
  return 1 - served;
}
