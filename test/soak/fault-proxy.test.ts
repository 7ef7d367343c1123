/** The network between the parts, as the soak breaks it: each fault on real connections. */
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startFaultProxy, type FaultProxy, type LinkFaultKind } from '../support/fault-proxy.ts';

const HOST = '127.0.0.1';
const QUIET_MS = 150;

/** Answers every line with `echo <line>`, and writes down what it was told. */
let server: Server;
let heard: string[];
let proxy: FaultProxy;
let port: number;

beforeEach(async () => {
  heard = [];
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      heard.push(bytes.toString());
      socket.write(`echo ${bytes.toString()}`);
      if (bytes.toString() === 'once') socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const target = { host: HOST, port: (server.address() as AddressInfo).port };
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, HOST, resolve));
  port = (probe.address() as AddressInfo).port;
  await new Promise((resolve) => probe.close(resolve));
  proxy = await startFaultProxy({ host: HOST, port }, target);
});

afterEach(async () => {
  await proxy.close();
  await new Promise((resolve) => server.close(resolve));
});

function dial(): { socket: Socket; said: string[]; isOpen: () => boolean } {
  const said: string[] = [];
  let isClosed = false;
  const socket = connect(port, HOST);
  socket.on('error', () => undefined);
  socket.on('close', () => (isClosed = true));
  socket.on('data', (bytes) => said.push(bytes.toString()));
  return { socket, said, isOpen: () => !isClosed };
}

const set = (kind: LinkFaultKind, delayMs = 0): void => proxy.set({ kind, delayMs });
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, QUIET_MS));

describe('a fault proxy', () => {
  it('passes everything while nothing is wrong', async () => {
    const { socket, said } = dial();
    socket.write('hello');
    await eventually('answered', () => said.join('') === 'echo hello');
    expect(proxy.touched).toBe(0);
  });

  it('cut: breaks what is open, refuses what is new, and lets go', async () => {
    const old = dial();
    old.socket.write('hello');
    await eventually('answered', () => old.said.length > 0);
    set('cut');
    await eventually('broken', () => !old.isOpen());
    const fresh = dial();
    await eventually('refused', () => !fresh.isOpen());
    proxy.set(null);
    const later = dial();
    later.socket.write('again');
    await eventually('answered', () => later.said.join('') === 'echo again');
  });

  it('noRequests: what was said arrives late, even from a client that has gone', async () => {
    set('noRequests');
    const { socket, said } = dial();
    socket.write('hello');
    await quiet();
    expect(heard).toEqual([]);
    socket.destroy();
    await quiet();
    proxy.set(null);
    await eventually('heard', () => heard.join('') === 'hello');
    expect(said).toEqual([]);
  });

  it('noReplies: the request takes effect, the reply waits', async () => {
    set('noReplies');
    const { socket, said } = dial();
    socket.write('hello');
    await eventually('heard', () => heard.length > 0);
    await quiet();
    expect(said).toEqual([]);
    proxy.set(null);
    await eventually('answered', () => said.join('') === 'echo hello');
  });

  it('delay: late by so much each way, and in order', async () => {
    set('delay', 60);
    const { socket, said } = dial();
    const startedAtMs = Date.now();
    socket.write('one');
    await eventually('answered', () => said.join('') === 'echo one', { intervalMs: 5 });
    expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(115);
    expect(proxy.touched).toBeGreaterThan(0);
  });

  it('lostReply: the request takes effect, and the connection breaks without a word', async () => {
    set('lostReply');
    const { socket, said, isOpen } = dial();
    socket.write('hello');
    await eventually('broken', () => !isOpen());
    expect(heard).toEqual(['hello']);
    expect(said).toEqual([]);
  });

  it('reset: only a beginning of the reply arrives', async () => {
    set('reset');
    const { socket, said, isOpen } = dial();
    socket.write('hello');
    await eventually('broken', () => !isOpen());
    expect(heard).toEqual(['hello']);
    expect('echo hello'.startsWith(said.join(''))).toBe(true);
    expect(said.join('').length).toBeLessThan('echo hello'.length);
  });

  it('reset: a connection that was open before breaks too, at its next reply', async () => {
    const { socket, isOpen } = dial();
    socket.write('hello');
    await eventually('heard', () => heard.length > 0);
    set('reset');
    socket.write('again');
    await eventually('broken', () => !isOpen());
    expect(heard).toEqual(['hello', 'again']);
  });

  it('doubleRequest: the server hears it twice, the client gets one reply', async () => {
    set('doubleRequest', 50);
    const { socket, said, isOpen } = dial();
    socket.write('once');
    await eventually('ended', () => !isOpen());
    expect(said.join('')).toBe('echo once');
    await eventually('heard twice', () => heard.length === 2);
    expect(heard).toEqual(['once', 'once']);
  });
});
