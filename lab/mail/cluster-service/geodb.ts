/**
 * The GeoDB as the cluster service uses it: all of its CQL is here. Reads and plain writes at
 * LOCAL_QUORUM, conditional ones at LOCAL_SERIAL. Plain writes of homes carry their timestamp, so
 * that of two writers the one with the newer plan wins, however late the other one arrives.
 */
import type cassandra from 'cassandra-driver';
import { createJointAsker } from './ask-together.ts';
import { createGeodbClient } from './geodb-client.ts';
import {
  textOf,
  toBackend,
  toForceMove,
  toHome,
  toReachability,
  toSite,
  type BackendRow,
  type ForceMoveRow,
  type Home,
  type ReachabilityRow,
  type SiteRow,
} from './geodb-rows.ts';
import type { Settings } from './settings.ts';

export type { BackendRow, ForceMoveRow, Home, ReachabilityRow, SiteRow };

/** Connects in the background; until then, and while Cassandra is silent, every call fails, some after a while. */
export function openGeodb(settings: Settings['cassandra']) {
  const client = createGeodbClient(settings);
  const run = (query: string, params: unknown[], options: cassandra.QueryOptions = {}) =>
    client.execute(query, params, { prepare: true, ...options });
  return {
    ...clusterQueries(run, settings.keyspace),
    ...homeQueries(run, settings.keyspace),
    ...moveQueries(run, (writes) => client.batch(writes), settings.keyspace),
    ...statusQueries(run, settings.keyspace),
    close: () => client.shutdown(),
  };
}

export type Geodb = ReturnType<typeof openGeodb>;

type Run = (
  query: string,
  params: unknown[],
  options?: cassandra.QueryOptions,
) => Promise<cassandra.types.ResultSet>;

type RunAll = (writes: { query: string; params: unknown[] }[]) => Promise<unknown>;

function clusterQueries(run: Run, keyspace: string) {
  return {
    async readSites(): Promise<SiteRow[]> {
      const { rows } = await run(
        `SELECT id, name, load_balancer, status FROM ${keyspace}.sites`,
        [],
      );
      return rows.map(toSite);
    },
    async readBackends(): Promise<BackendRow[]> {
      const columns = 'id, site_id, host, status, load_factor';
      const { rows } = await run(`SELECT ${columns} FROM ${keyspace}.backends`, []);
      return rows.map(toBackend);
    },
    async readForceMoves(): Promise<ForceMoveRow[]> {
      const columns = 'scope, target, id, percentage, destinations';
      const { rows } = await run(`SELECT ${columns} FROM ${keyspace}.force_moves`, []);
      return rows.map(toForceMove);
    },
    /** Ids of Backends that must get no new users. */
    async readClosedBackends(): Promise<Set<string>> {
      const { rows } = await run(
        `SELECT scope, target, name, value FROM ${keyspace}.cluster_settings`,
        [],
      );
      const closed = rows.filter(
        (row) =>
          row['scope'] === 'backend' && row['name'] === 'accept_new_users' && row['value'] === 'no',
      );
      return new Set(closed.map((row) => String(row['target'])));
    },
    async readReachability(): Promise<ReachabilityRow[]> {
      const columns = 'src_site_id, dest_site_id, reachable, checked_at';
      const { rows } = await run(`SELECT ${columns} FROM ${keyspace}.site_reachability`, []);
      return rows.map(toReachability);
    },
    async writeReachability(sourceId: string, targetId: string, isReachable: boolean) {
      await run(
        `INSERT INTO ${keyspace}.site_reachability
           (src_site_id, dest_site_id, reachable, checked_at) VALUES (?, ?, ?, ?)`,
        [sourceId, targetId, isReachable ? 1 : 0, new Date()],
      );
    },
  };
}

const HOME_COLUMNS =
  'username, backend_id, alt_backend_id, moving, last_moved, WRITETIME(backend_id) AS written_at';

export interface MoveMark {
  readonly username: string;
  readonly targetId: string;
  readonly token: string;
  readonly micros: number;
}

export interface HomeEnd {
  readonly username: string;
  readonly targetId: string;
  readonly sourceId: string;
  readonly micros: number;
}

function homeQueries(run: Run, keyspace: string) {
  const users = `${keyspace}.users`;
  const readOne = async (username: string): Promise<Home | null> => {
    const query = `SELECT ${HOME_COLUMNS} FROM ${users} WHERE username = ?`;
    const { rows } = await run(query, [username]);
    return rows[0] === undefined ? null : toHome(rows[0]);
  };
  const readHomes = async (usernames: readonly string[]): Promise<Map<string, Home>> => {
    const query = `SELECT ${HOME_COLUMNS} FROM ${users} WHERE username IN ?`;
    const { rows } = await run(query, [[...usernames]]);
    const homes = rows.map(toHome).filter((home) => home !== null);
    return new Map(homes.map((home) => [home.username, home]));
  };
  const askFor = createJointAsker(readOne, readHomes);
  return {
    /** In a crowd, together with the others who ask. Nobody has the empty name, and Cassandra refuses it. */
    readHome: async (username: string) => (username === '' ? null : askFor(username)),
    /** By user name; whoever has no home is absent. A few names at a time. */
    readHomes,
    /** Everybody who lives on a Backend, a page at a time. */
    async *readHomesOf(backendId: string): AsyncGenerator<Home> {
      let pageState: string | undefined;
      do {
        const result = await run(
          `SELECT ${HOME_COLUMNS} FROM ${users} WHERE backend_id = ?`,
          [backendId],
          pageState === undefined ? {} : { pageState },
        );
        for (const row of result.rows) {
          const home = toHome(row);
          if (home !== null) yield home;
        }
        pageState = result.pageState ?? undefined;
      } while (pageState !== undefined);
    },
    /** Gives a new user a home, once: the answer is the home that holds now. */
    async claimHome(username: string, backendId: string): Promise<string> {
      const { rows } = await run(
        `INSERT INTO ${users} (username, backend_id) VALUES (?, ?) IF NOT EXISTS`,
        [username, backendId],
      );
      // An applied insert answers no home: then it is ours that holds.
      return (rows[0] === undefined ? null : textOf(rows[0], 'backend_id')) ?? backendId;
    },
  };
}

function moveQueries(run: Run, runAll: RunAll, keyspace: string) {
  const users = `${keyspace}.users`;
  return {
    /** The users are on their way. Ten at most: one request. */
    async beginMoves(homes: readonly MoveMark[]) {
      const query = `UPDATE ${users} USING TIMESTAMP ? SET alt_backend_id = ?, moving = ? WHERE username = ?`;
      await runAll(
        homes.map(({ username, targetId, token, micros }) => {
          return { query, params: [String(micros), targetId, token, username] };
        }),
      );
    },
    /** The users live on the target from now on, and are not moving. Ten at most: one request. */
    async endMoves(homes: readonly HomeEnd[]) {
      const query = `UPDATE ${users} USING TIMESTAMP ?
           SET backend_id = ?, alt_backend_id = ?, moving = null, last_moved = ?
         WHERE username = ?`;
      const nowMs = new Date();
      await runAll(
        homes.map(({ username, targetId, sourceId, micros }) => ({
          query,
          params: [String(micros), targetId, sourceId, nowMs, username],
        })),
      );
    },
    /** Takes back that the user is being moved; the home stays. */
    async dropMove(username: string, micros: number) {
      await run(`UPDATE ${users} USING TIMESTAMP ? SET moving = null WHERE username = ?`, [
        String(micros),
        username,
      ]);
    },
  };
}

function statusQueries(run: Run, keyspace: string) {
  return {
    /** False: there is no such Backend any more. */
    async writeStatus(backendId: string, status: string): Promise<boolean> {
      const { rows } = await run(
        `UPDATE ${keyspace}.backends SET status = ? WHERE id = ? IF EXISTS`,
        [status, backendId],
      );
      return rows[0]?.['[applied]'] === true;
    },
    async writeLoadFactor(backendId: string, loadFactor: number): Promise<boolean> {
      const { rows } = await run(
        `UPDATE ${keyspace}.backends SET load_factor = ? WHERE id = ? IF EXISTS`,
        [loadFactor, backendId],
      );
      return rows[0]?.['[applied]'] === true;
    },
    async writeForceMove(row: ForceMoveRow) {
      await run(
        `INSERT INTO ${keyspace}.force_moves (scope, target, id, percentage, destinations)
         VALUES (?, ?, ?, ?, ?)`,
        [row.scope, row.targetId, row.id, row.percentage, row.destinations.join(',')],
      );
    },
    async deleteForceMove(scope: ForceMoveRow['scope'], targetId: string) {
      await run(`DELETE FROM ${keyspace}.force_moves WHERE scope = ? AND target = ?`, [
        scope,
        targetId,
      ]);
    },
  };
}
