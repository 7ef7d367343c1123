/** Where users live: reads by name, by Backend and of everybody; forced writes. */
import type { UserHome, UserHomeWithWriteTime } from '../../workflows/domain/user-move.ts';
import { inGroups, type CassandraSession, type Row } from '../cassandra-session.ts';
import { msOf, numberOf, requiredText, textOf, toBigint } from '../cassandra-values.ts';
import { GatewayError } from '../gateway-error.ts';
import type { ForcedHome, Geodb, UserPage } from './geodb.ts';
import type { GeodbStatements } from './statements.ts';
import { HIGHEST_TOKEN, LOWEST_TOKEN } from './statements.ts';

type UserMethods = Pick<
  Geodb,
  | 'readUser'
  | 'readUsers'
  | 'pageUsers'
  | 'countUsers'
  | 'countAllUsers'
  | 'readMovingUsers'
  | 'forceHomes'
  | 'clearMoves'
>;

const MAX_PAGE = 1000;
/** A quarter of what reading one by one costs Cassandra; more names a read hardly save more. */
const NAMES_A_READ = 25;
const SCAN_PAGE = 5000;
const SCAN_RANGES = 4n;
/** What nobody waits for goes through one range after the other: others want the same cores meanwhile. */
const UNHURRIED_RANGES = 1;
const SCAN_TIMEOUT_MS = 20_000;
const INDEX_KNOWN_FOR_MS = 60_000;

/** Where users stand, for the look-up of its index. */
interface UserTable {
  readonly keyspace: string;
  readonly table: string;
  readonly backendId: string;
}

export function userMethods(
  session: CassandraSession,
  statements: GeodbStatements,
  where: UserTable,
): UserMethods {
  const hasHomeIndex = createHomeIndexCheck(session, statements, where);

  const readUser = async (username: string): Promise<UserHomeWithWriteTime | null> => {
    const row = await session.readOne('readUser', statements.readUser, [username]);
    return row === null ? null : toHomeWithWriteTime(row);
  };

  const countAllUsers: Geodb['countAllUsers'] = ({ isHurried = true } = {}) =>
    scanHomes(session, statements, isHurried ? Number(SCAN_RANGES) : UNHURRIED_RANGES);

  return {
    readUser,
    readUsers: async (usernames) => {
      const homes = new Map<string, UserHomeWithWriteTime>();
      await session.forEach(inGroups(usernames, NAMES_A_READ), async (names) => {
        for (const row of await session.read('readUsers', statements.readUsers, [names])) {
          const home = toHomeWithWriteTime(row);
          homes.set(home.username, home);
        }
      });
      return homes;
    },
    pageUsers: async (backendId, { limit, cursor }) => {
      const wanted = { backendId, limit: Math.min(limit, MAX_PAGE), after: parseCursor(cursor) };
      return (await hasHomeIndex())
        ? pageByIndex(session, statements, wanted)
        : pageByScan(session, statements, wanted);
    },
    countUsers: async (backendId) => {
      if (!(await hasHomeIndex())) return (await countAllUsers()).get(backendId) ?? 0;
      return countByIndex(session, statements, backendId);
    },
    countAllUsers,
    readMovingUsers: (limit) => scanMoving(session, statements, limit),
    forceHomes: (homes) =>
      session.writeMany(
        'forceHomes',
        homes.map((home) => ({ statement: statements.forceHome, params: toForcedParams(home) })),
      ),
    clearMoves: (users) =>
      session.writeMany(
        'clearMoves',
        users.map(({ username, timestampMicros }) => ({
          statement: statements.clearMove,
          params: [toBigint(timestampMicros), username],
        })),
      ),
  };
}

/** Whether users can be asked for by home; looked up again every minute. */
function createHomeIndexCheck(
  session: CassandraSession,
  statements: GeodbStatements,
  { keyspace, table, backendId }: UserTable,
): () => Promise<boolean> {
  let known: { hasIndex: boolean; untilMs: number } | undefined;
  return async () => {
    if (known !== undefined && known.untilMs > Date.now()) return known.hasIndex;
    const rows = await session.read('readIndexes', statements.readIndexes, [keyspace, table]);
    const hasIndex = rows.some((row) => {
      const options = row['options'] as Readonly<Record<string, string>> | null;
      return options?.['target'] === backendId;
    });
    known = { hasIndex, untilMs: Date.now() + INDEX_KNOWN_FOR_MS };
    return hasIndex;
  };
}

interface WantedPage {
  readonly backendId: string;
  readonly limit: number;
  readonly after: bigint;
}

async function pageByIndex(
  session: CassandraSession,
  statements: GeodbStatements,
  { backendId, limit, after }: WantedPage,
): Promise<UserPage> {
  const { rows } = await session.readPage(
    'pageUsers',
    statements.pageUsersByHome,
    [backendId, after, limit],
    { fetchSize: limit },
  );
  const last = rows.at(-1);
  const isFull = rows.length === limit && last !== undefined;
  return { users: rows.map(toHome), cursor: isFull ? String(last['user_token']) : null };
}

/** Reads on until the page is full or nobody is left. */
async function pageByScan(
  session: CassandraSession,
  statements: GeodbStatements,
  { backendId, limit, after }: WantedPage,
): Promise<UserPage> {
  const users: UserHome[] = [];
  let position = after;
  for (;;) {
    const { rows } = await session.readPage(
      'pageUsers',
      statements.pageUsersByToken,
      [position, SCAN_PAGE],
      { fetchSize: SCAN_PAGE, readTimeoutMs: SCAN_TIMEOUT_MS },
    );
    for (const row of rows) {
      position = row['user_token'] as bigint;
      if (textOf(row, 'backend_id') !== backendId) continue;
      users.push(toHome(row));
      if (users.length === limit) return { users, cursor: String(position) };
    }
    if (rows.length < SCAN_PAGE) return { users, cursor: null };
  }
}

/** Page by page: the server's own count of 100,000 users runs into its deadline as a whole. */
async function countByIndex(
  session: CassandraSession,
  { homesByHome }: GeodbStatements,
  backendId: string,
): Promise<number> {
  let users = 0;
  let pageState: string | undefined;
  do {
    const options = { fetchSize: SCAN_PAGE, pageState, readTimeoutMs: SCAN_TIMEOUT_MS };
    const page = await session.readPage('countUsers', homesByHome, [backendId], options);
    users += page.rows.length;
    pageState = page.pageState ?? undefined;
  } while (pageState !== undefined);
  return users;
}

/** Exclusive below, inclusive above. */
function tokenRanges(): { after: bigint; upTo: bigint }[] {
  const width = (HIGHEST_TOKEN - LOWEST_TOKEN) / SCAN_RANGES;
  return Array.from({ length: Number(SCAN_RANGES) }, (_, index) => {
    const after = LOWEST_TOKEN + width * BigInt(index);
    const isLast = BigInt(index) === SCAN_RANGES - 1n;
    return { after, upTo: isLast ? HIGHEST_TOKEN : after + width };
  });
}

async function scanHomes(
  session: CassandraSession,
  statements: GeodbStatements,
  rangesAtOnce: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const scanRange = async ({ after, upTo }: { after: bigint; upTo: bigint }): Promise<void> => {
    let pageState: string | undefined;
    do {
      const page = await session.readPage('countAllUsers', statements.scanHomes, [after, upTo], {
        fetchSize: SCAN_PAGE,
        pageState,
        readTimeoutMs: SCAN_TIMEOUT_MS,
      });
      for (const row of page.rows) {
        const backendId = textOf(row, 'backend_id');
        if (backendId !== null) counts.set(backendId, (counts.get(backendId) ?? 0) + 1);
      }
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined);
  };
  await session.forEach(tokenRanges(), scanRange, rangesAtOnce);
  return counts;
}

async function scanMoving(
  session: CassandraSession,
  statements: GeodbStatements,
  limit: number,
): Promise<UserHomeWithWriteTime[]> {
  const found: UserHomeWithWriteTime[] = [];
  const scanRange = async ({ after, upTo }: { after: bigint; upTo: bigint }): Promise<void> => {
    let pageState: string | undefined;
    do {
      const page = await session.readPage(
        'readMovingUsers',
        statements.scanMoving,
        [after, upTo, limit],
        { pageState, readTimeoutMs: SCAN_TIMEOUT_MS },
      );
      found.push(...page.rows.map(toHomeWithWriteTime));
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined && found.length < limit);
  };
  await session.forEach(tokenRanges(), scanRange, UNHURRIED_RANGES);
  return found.slice(0, limit);
}

function parseCursor(cursor: string | null): bigint {
  if (cursor === null) return LOWEST_TOKEN;
  if (/^-?\d{1,19}$/.test(cursor)) return BigInt(cursor);
  throw new GatewayError('the cursor of this page is not one of ours', {
    system: 'cassandra',
    operation: 'pageUsers',
    code: 'InvalidArgument',
    isTemporary: false,
    subject: 'cursor',
  });
}

/** The time of the move is the time of its write timestamp. */
function toForcedParams({ username, targetId, sourceId, timestampMicros }: ForcedHome): unknown[] {
  const movedAt = new Date(Math.floor(timestampMicros / 1000));
  return [toBigint(timestampMicros), targetId, sourceId, movedAt, username];
}

function toHome(row: Row): UserHome {
  return {
    username: requiredText(row, 'username'),
    backendId: requiredText(row, 'backend_id'),
    altBackendId: textOf(row, 'alt_backend_id'),
    isMoving: (textOf(row, 'moving') ?? '') !== '',
    lastMovedMs: msOf(row, 'last_moved'),
  };
}

function toHomeWithWriteTime(row: Row): UserHomeWithWriteTime {
  return { ...toHome(row), homeWrittenAtMicros: numberOf(row, 'home_written_at') ?? 0 };
}
