/**
 * What a process does to the world, seen at its gateways: every call that is no mere read is a side
 * effect, also one that is added tomorrow. A test may watch them, or end the process at one of them.
 */
import { appendFileSync } from 'node:fs';
import type { Gateways } from '../../gateways/create-gateways.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import type { ChunkInFlight, LedgerRow } from '../../workflows/domain/user-move.ts';

/** Whatever is called otherwise changes something. */
const READS = /^(read|list|page|count|is|find|who$|ping$|subscribe$|close$)/;
const SYSTEMS = ['geodb', 'store', 'doveadm', 'cache', 'temporal', 'prometheus'] as const;
type System = (typeof SYSTEMS)[number];

export interface SideEffect {
  /** `store.saveLedgerRows` */
  readonly kind: string;
  /** What tells it from others of its kind, as far as that is always the same. */
  readonly detail: string;
  /** The how manieth of this kind and detail by the same actor in this process, from 1. */
  readonly nth: number;
}

export interface CrashPoint extends SideEffect {
  readonly when: 'before' | 'after';
}

export const nameOf = ({ kind, detail, nth }: SideEffect): string =>
  `${kind}${detail === '' ? '' : ` (${detail})`}${nth === 1 ? '' : ` #${nth}`}`;

export const isSideEffect = (method: string): boolean => !READS.test(method);

export interface Watch {
  /** Whose side effect it is that happens now. */
  actorOf(): string;
  before(actor: string, effect: SideEffect): Promise<void>;
  after(actor: string, effect: SideEffect): Promise<void>;
}

/** The same gateways, with `watch` told before each side effect and after it, also one that was refused. */
export function watchSideEffects(gateways: Gateways, watch: Watch): Gateways {
  const seen = new Map<string, number>();
  const describers = new Map<string, Describe>();
  const describe = (actor: string, kind: string, args: readonly unknown[]): string => {
    const own = describers.get(actor) ?? createDescriber();
    describers.set(actor, own);
    return own(kind, args);
  };
  const wrap = (system: System): object => {
    const methods = Object.entries(gateways[system]).map(([method, call]) => {
      if (!isSideEffect(method)) return [method, call];
      const watched = async (...args: unknown[]): Promise<unknown> => {
        const kind = `${system}.${method}`;
        const actor = watch.actorOf();
        const detail = describe(actor, kind, args);
        const key = `${actor} ${kind} ${detail}`;
        const nth = (seen.get(key) ?? 0) + 1;
        seen.set(key, nth);
        await watch.before(actor, { kind, detail, nth });
        try {
          return await (call as (...each: unknown[]) => Promise<unknown>)(...args);
        } finally {
          await watch.after(actor, { kind, detail, nth });
        }
      };
      return [method, watched];
    });
    return Object.fromEntries(methods) as object;
  };
  const wrapped = Object.fromEntries(SYSTEMS.map((system) => [system, wrap(system)]));
  return { ...gateways, ...wrapped };
}

type Describe = (kind: string, args: readonly unknown[]) => string;

/** Rows of a running operation are written as time passes: its state and round are what tells them apart. */
function createDescriber(): Describe {
  let lastSaved = '';
  return (kind, args) => {
    switch (kind) {
      case 'store.saveOperation': {
        const { state, round } = args[0] as Operation;
        return (lastSaved = `${state}, round ${round}`);
      }
      case 'cache.publish':
        return lastSaved;
      case 'store.saveLedgerRows': {
        const [first] = args[0] as readonly LedgerRow[];
        return `${first?.state ?? 'none'}, chunk ${first?.chunk ?? '-'}`;
      }
      case 'store.saveChunkInFlight':
        return `chunk ${(args[0] as ChunkInFlight).chunk}`;
      case 'store.removeChunkInFlight':
        return `chunk ${String(args[3])}`;
      default:
        return '';
    }
  };
}

/** One home that became another; where it was the same already, nothing changed. */
export interface SeenHomeChange {
  readonly user: string;
  readonly from: string;
  readonly to: string;
}

/** The GeoDB with every home that the forced writes of this process change noted. */
export function noteForcedHomes(
  gateways: Gateways,
  note: (change: SeenHomeChange) => void,
): Gateways {
  const { geodb } = gateways;
  return {
    ...gateways,
    geodb: {
      ...geodb,
      forceHomes: async (homes) => {
        const former = await geodb.readUsers(homes.map(({ username }) => username));
        await geodb.forceHomes(homes);
        for (const { username: user, targetId: to } of homes) {
          const from = former.get(user)?.backendId ?? '';
          if (from !== to) note({ user, from, to });
        }
      },
    },
  };
}

/** Written at once and whole, so that a kill -9 in the next instant loses nothing. */
export function appendLine(file: string, entry: object): void {
  appendFileSync(file, `${JSON.stringify(entry)}\n`);
}
