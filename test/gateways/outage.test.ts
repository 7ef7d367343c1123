/** A process whose neighbours are dead keeps running, names them, and recovers by itself. */
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createGateways } from '../../gateways/create-gateways.ts';
import type { Gateways } from '../../gateways/create-gateways.ts';
import type { GatewayError } from '../../gateways/gateway-error.ts';
import { eventually } from '../support/eventually.ts';
import { testNet } from '../support/test-net.ts';
import { failureOf, logger, metrics, rigConfig } from './gateway-rig.ts';

const host = `127.${testNet()}.9.51`;
const { cassandra, temporal: temporalConfig } = rigConfig();
const cassandraServer = cassandra.servers[0] ?? '';
const opened: Gateways[] = [];
let forward: Forward | undefined;

/** Passes a port on to the real server; closing it is that server's death to whoever uses it. */
class Forward {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(target: string) {
    const [address = '', port] = target.split(':');
    this.#server = createServer((inner) => {
      const outer = connect(Number(port), address);
      for (const socket of [inner, outer]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
      }
      inner.pipe(outer).pipe(inner);
    });
  }

  async open(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, host, resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function open(more: Readonly<Record<string, string>>): Gateways {
  const gateways = createGateways(rigConfig(more), logger, metrics);
  opened.push(gateways);
  return gateways;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((gateways) => gateways.close()));
  await forward?.close();
  forward = undefined;
});

const works = (work: () => Promise<unknown>) => (): Promise<boolean> =>
  work().then(
    () => true,
    () => false,
  );

async function timed(work: Promise<unknown>): Promise<{ error: GatewayError; ms: number }> {
  const startedMs = Date.now();
  return { error: await failureOf(work), ms: Date.now() - startedMs };
}

describe('outage', () => {
  it('of everything at the start: each call names who is away', async () => {
    const gateways = open({
      CASSANDRA_SERVERS: `${host}:9043`,
      REDIS_URL: `redis://${host}:6399`,
      PROMETHEUS_URL: `http://${host}:9099`,
      TEMPORAL_ADDRESS: `${host}:7299`,
    });
    const { geodb, store, accounts, cache, prometheus, temporal } = gateways;
    const calls: [string, Promise<unknown>][] = [
      ['cassandra', geodb.ping()],
      ['cassandra', geodb.readSites()],
      ['cassandra', store.listOpenOperations('north')],
      ['cassandra', accounts.listTokens()],
      ['redis', cache.ping()],
      ['prometheus', prometheus.ping()],
      ['temporal', temporal.ping()],
      ['temporal', temporal.isMoverRunning('north', 'mail1')],
    ];
    const failures = await Promise.all(calls.map(([, call]) => timed(call)));
    expect(failures.map(({ error }) => error.system)).toEqual(calls.map(([system]) => system));
    for (const { error, ms } of failures) {
      expect(['Unreachable', 'Timeout']).toContain(error.code);
      expect(error.isTemporary).toBe(true);
      expect(ms).toBeLessThan(8000);
    }
  });

  it('of Cassandra ends without a restart, at the start and later', async () => {
    const { geodb } = open({ CASSANDRA_SERVERS: `${host}:9044` });
    expect(await failureOf(geodb.ping())).toMatchObject({ code: 'Unreachable' });
    forward = new Forward(cassandraServer);
    await forward.open(9044);
    await eventually(
      'it answers',
      works(() => geodb.ping()),
    );
    await forward.close();
    const { error, ms } = await timed(geodb.ping());
    expect(error).toMatchObject({ system: 'cassandra', isTemporary: true });
    expect(ms).toBeLessThan(6000);
    forward = new Forward(cassandraServer);
    await forward.open(9044);
    await eventually(
      'it answers again',
      works(() => geodb.ping()),
      { timeoutMs: 10_000 },
    );
  });

  it('of Cassandra that takes connections and answers no question: none is left open', async () => {
    const sockets = new Set<Socket>();
    let taken = 0;
    const mute = createServer((socket) => {
      taken += 1;
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', (frame: Buffer) => greet(socket, frame));
    });
    await new Promise<void>((resolve) => mute.listen(9045, host, resolve));
    const { geodb } = open({ CASSANDRA_SERVERS: `${host}:9045` });
    expect(await failureOf(geodb.ping())).toMatchObject({ isTemporary: true });
    expect(taken).toBeGreaterThan(0);
    await eventually('all are closed', () => sockets.size === 0, { timeoutMs: 5_000 });
    await new Promise((resolve) => mute.close(resolve));
  }, 30_000);

  it('of Temporal ends without a restart, at the start and later', async () => {
    const { temporal } = open({ TEMPORAL_ADDRESS: `${host}:7234` });
    expect(await failureOf(temporal.readOwnerName())).toMatchObject({ system: 'temporal' });
    forward = new Forward(temporalConfig.address);
    await forward.open(7234);
    await eventually(
      'it answers',
      works(() => temporal.ping()),
    );
    await forward.close();
    const { error, ms } = await timed(temporal.ping());
    expect(error).toMatchObject({ system: 'temporal', isTemporary: true });
    expect(ms).toBeLessThan(6000);
    forward = new Forward(temporalConfig.address);
    await forward.open(7234);
    await eventually(
      'it answers again',
      works(() => temporal.ping()),
      { timeoutMs: 10_000 },
    );
  });
});

const STARTUP = 0x01;
const READY = 0x02;
const OPTIONS = 0x05;
const SUPPORTED = 0x06;

/** The greeting of the CQL protocol, and not a word more. */
function greet(socket: Socket, frame: Buffer): void {
  const opcode = frame[4];
  if (opcode !== STARTUP && opcode !== OPTIONS) return;
  const body = opcode === STARTUP ? Buffer.alloc(0) : Buffer.alloc(2);
  const head = Buffer.from(frame.subarray(0, 9));
  head[0] = (frame[0] ?? 4) | 0x80;
  head[1] = 0;
  head[4] = opcode === STARTUP ? READY : SUPPORTED;
  head.writeInt32BE(body.length, 5);
  socket.write(Buffer.concat([head, body]));
}
