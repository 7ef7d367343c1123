/**
 * One connection to Cassandra, shared by the GeoDB and our own keyspace. It opens at the first call
 * and again after every loss; while Cassandra is away each call fails soon, by name.
 */
import cassandra from 'cassandra-driver';
import type { CassandraConfig } from '../platform/config.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import { clientOptions, READ_TIMEOUT_MS } from './cassandra-options.ts';
import { INVALID, protocolCodeOf, toCassandraError } from './cassandra-errors.ts';
import { closeControlConnection } from './close-control-connection.ts';
import { GatewayError } from './gateway-error.ts';
import { createMeasured } from './measured.ts';
import type { Measured } from './measured.ts';

/** A CQL text and the keyspace and table that it is about. */
export interface Statement {
  readonly cql: string;
  readonly keyspace: string;
  readonly table: string;
}

export type Row = Readonly<Record<string, unknown>>;
export type Params = readonly unknown[];

export interface ReadOptions {
  readonly fetchSize?: number;
  readonly pageState?: string | undefined;
  readonly readTimeoutMs?: number;
}

export interface Page {
  readonly rows: readonly Row[];
  readonly pageState: string | null;
}

export interface WriteMany {
  readonly statement: Statement;
  readonly params: Params;
}

const IN_FLIGHT = 64;
/** Cassandra warns of batches over more partitions than this. */
const MOST_PARTITIONS = 10;

/** Every method throws GatewayError{system: 'cassandra', subject: table}. */
export class CassandraSession {
  readonly #config: CassandraConfig;
  readonly #logger: Logger;
  readonly #measured: Measured;
  #opening: Promise<cassandra.Client> | undefined;
  #isClosed = false;

  constructor(config: CassandraConfig, logger: Logger, metrics: Metrics) {
    this.#config = config;
    this.#logger = logger;
    this.#measured = createMeasured('cassandra', metrics, (error, operation) =>
      toCassandraError(error, operation, undefined),
    );
  }

  /** All rows: for answers that are known to be small. */
  async read(operation: string, statement: Statement, params: Params): Promise<readonly Row[]> {
    const rows: Row[] = [];
    let pageState: string | undefined;
    do {
      const page = await this.readPage(operation, statement, params, { pageState });
      rows.push(...page.rows);
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined);
    return rows;
  }

  async readOne(operation: string, statement: Statement, params: Params): Promise<Row | null> {
    return (await this.readPage(operation, statement, params)).rows[0] ?? null;
  }

  async readPage(
    operation: string,
    statement: Statement,
    params: Params,
    options: ReadOptions = {},
  ): Promise<Page> {
    const result = await this.#run(operation, statement, params, {
      isIdempotent: true,
      readTimeout: options.readTimeoutMs ?? READ_TIMEOUT_MS,
      ...(options.fetchSize === undefined ? {} : { fetchSize: options.fetchSize }),
      ...(options.pageState === undefined ? {} : { pageState: options.pageState }),
    });
    const { pageState }: { pageState?: string | null } = result;
    return { rows: rowsOf(result), pageState: pageState ?? null };
  }

  /** A plain write: may be repeated by the driver. */
  async write(operation: string, statement: Statement, params: Params): Promise<void> {
    await this.#run(operation, statement, params, { isIdempotent: true });
  }

  /** A conditional write. `applied` false: the row that stands in the way, where there is one. */
  async writeIf(
    operation: string,
    statement: Statement,
    params: Params,
  ): Promise<{ applied: boolean; row: Row | null }> {
    const result = await this.#run(operation, statement, params, { isIdempotent: false });
    return { applied: result.wasApplied(), row: rowsOf(result)[0] ?? null };
  }

  /**
   * Plain writes to many partitions, ten a request, which costs Cassandra half as much as one by one;
   * fails with the first failure after all in flight have ended. Some may be done then, as with any
   * writes side by side.
   */
  async writeMany(operation: string, writes: readonly WriteMany[]): Promise<void> {
    await this.forEach(inGroups(writes, MOST_PARTITIONS), (group) =>
      this.batch(operation, group, { isLogged: false }),
    );
  }

  /** Writes to one partition at once, or (logged) to several that must not part. */
  async batch(
    operation: string,
    writes: readonly WriteMany[],
    options: { isLogged: boolean },
  ): Promise<void> {
    const [first] = writes;
    if (first === undefined) return;
    await this.#call(operation, first.statement, (client) =>
      client.batch(
        writes.map(({ statement, params }) => ({ query: statement.cql, params: [...params] })),
        { prepare: true, isIdempotent: true, logged: options.isLogged },
      ),
    );
  }

  /** At most 64 in flight, or as many as are told. */
  async forEach<T>(
    items: readonly T[],
    work: (item: T) => Promise<unknown>,
    inFlight = IN_FLIGHT,
  ): Promise<void> {
    let next = 0;
    let failure: { error: unknown } | undefined;
    const lane = async (): Promise<void> => {
      while (next < items.length && failure === undefined) {
        const item = items[next++] as T;
        try {
          await work(item);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(inFlight, items.length) }, lane));
    if (failure !== undefined) throw failure.error;
  }

  /** Unprepared: schema changes, whose text is ours alone. */
  async executeSchema(operation: string, cql: string): Promise<void> {
    const statement = { cql, keyspace: 'system_schema', table: 'tables' };
    await this.#call(operation, statement, (client) =>
      client.execute(cql, [], { prepare: false, readTimeout: 20_000 }),
    );
  }

  /** How many nodes of the local data centre are known. */
  async countNodes(): Promise<number> {
    return this.#measured('countNodes', async () => (await this.#client()).hosts.length);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const opening = this.#opening;
    this.#opening = undefined;
    const client = await opening?.catch(() => undefined);
    await client?.shutdown().catch(() => undefined);
  }

  #run(
    operation: string,
    statement: Statement,
    params: Params,
    options: cassandra.QueryOptions,
  ): Promise<cassandra.types.ResultSet> {
    return this.#call(operation, statement, (client) =>
      client.execute(statement.cql, [...params], { prepare: true, ...options }),
    );
  }

  #call<T>(
    operation: string,
    statement: Statement,
    work: (client: cassandra.Client) => Promise<T>,
  ): Promise<T> {
    return this.#measured(operation, async () => {
      try {
        return await work(await this.#client());
      } catch (error) {
        if (error instanceof GatewayError) throw error;
        throw await this.#explain(error, operation, statement);
      }
    });
  }

  /** The protocol has one code for all that is invalid: whether the table is there, we look up. */
  async #explain(error: unknown, operation: string, statement: Statement): Promise<GatewayError> {
    const { keyspace, table } = statement;
    if (protocolCodeOf(error) === INVALID && !(await this.#hasTable(keyspace, table))) {
      return new GatewayError(
        `Cassandra: table ${keyspace}.${table} does not exist (${operation})`,
        {
          system: 'cassandra',
          operation,
          code: 'MissingTable',
          isTemporary: false,
          subject: table,
        },
        error,
      );
    }
    return toCassandraError(error, operation, table);
  }

  async #hasTable(keyspace: string, table: string): Promise<boolean> {
    try {
      const client = await this.#client();
      const result = await client.execute(
        'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?',
        [keyspace, table],
        { prepare: true, isIdempotent: true },
      );
      return rowsOf(result).length > 0;
    } catch {
      // Unknown: then the first error stands as it is.
      return true;
    }
  }

  /** A client whose first connection failed is thrown away: the next call begins anew. */
  #client(): Promise<cassandra.Client> {
    if (this.#isClosed) return Promise.reject(new Error('the connection was closed'));
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<cassandra.Client> {
    const client = new cassandra.Client(clientOptions(this.#config));
    client.setMaxListeners(0);
    client.on('hostDown', (host: { address: string }) => {
      this.#logger.warn({ address: host.address }, 'cassandra node is down');
    });
    client.on('hostUp', (host: { address: string }) => {
      this.#logger.info({ address: host.address }, 'cassandra node is up');
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.shutdown().catch(() => undefined);
      await closeControlConnection(client);
      throw error;
    }
  }
}

/** Splits a list into lists of at most `size`. */
export function inGroups<T>(items: readonly T[], size: number): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  return groups;
}

function rowsOf(result: cassandra.types.ResultSet): readonly Row[] {
  // A write has none at all, whatever the types of the driver say.
  const { rows }: { rows?: readonly Row[] } = result;
  return rows ?? [];
}
