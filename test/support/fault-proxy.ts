/**
 * A TCP proxy between two parts that can fail as a network does. Bytes that a fault holds back are not
 * forgotten: as real packets do, they may arrive when the fault is over, even if their sender gave up.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Endpoint } from './tcp-proxy.ts';

/**
 * cut: every connection breaks, new ones are refused. silence: new connections are taken, and nothing
 * passes. noRequests and noReplies: one way only. delay: both ways, in milliseconds. reset: a connection
 * breaks once the server has said something. lostReply: the whole request arrives, its reply is lost and
 * the connection breaks. doubleRequest: what a connection says reaches the server twice, the second time
 * late; only for protocols with one request a connection.
 */
export const LINK_FAULTS = [
  'cut',
  'silence',
  'noRequests',
  'noReplies',
  'delay',
  'reset',
  'lostReply',
  'doubleRequest',
] as const;
export type LinkFaultKind = (typeof LINK_FAULTS)[number];

export interface LinkFault {
  readonly kind: LinkFaultKind;
  /** Of `delay`, and of the second request of `doubleRequest`. */
  readonly delayMs: number;
}

export interface FaultProxy {
  /** Null: all is well again; what was held back goes on. */
  set(fault: LinkFault | null): void;
  /** Connections that a fault has touched so far. */
  readonly touched: number;
  close(): Promise<void>;
}

type Direction = 'request' | 'reply';

/** One direction of a connection: in order, held back or delayed as the fault says. */
interface Lane {
  push(bytes: Buffer): void;
  end(): void;
  release(): void;
}

interface ProxyState {
  readonly target: Endpoint;
  fault: LinkFault | null;
  touched: number;
  readonly sockets: Set<Socket>;
  readonly lanes: Set<Lane>;
}

const HOLDING: Readonly<Record<Direction, readonly LinkFaultKind[]>> = {
  request: ['silence', 'noRequests'],
  reply: ['silence', 'noReplies'],
};

/** Listens at once; rejects where the port cannot be had. */
export async function startFaultProxy(listen: Endpoint, target: Endpoint): Promise<FaultProxy> {
  const state: ProxyState = {
    target,
    fault: null,
    touched: 0,
    sockets: new Set(),
    lanes: new Set(),
  };
  const server = createServer({ allowHalfOpen: true }, (client) => accept(client, state));
  await listenOn(server, listen);
  return {
    set(fault) {
      state.fault = fault;
      if (fault?.kind === 'cut') for (const socket of state.sockets) socket.resetAndDestroy();
      for (const lane of state.lanes) lane.release();
    },
    get touched() {
      return state.touched;
    },
    async close() {
      for (const socket of state.sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function listenOn(server: Server, { host, port }: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

function accept(client: Socket, state: ProxyState): void {
  track(client, state);
  const { fault } = state;
  if (fault?.kind === 'cut') {
    state.touched += 1;
    client.resetAndDestroy();
    return;
  }
  const upstream = connect({ ...state.target, allowHalfOpen: true });
  track(upstream, state);
  upstream.on('error', () => client.destroy());
  if (fault?.kind === 'doubleRequest') {
    askTwice(client, upstream, state, fault.delayMs);
    return;
  }
  join(client, upstream, 'request', state);
  join(upstream, client, 'reply', state);
}

function track(socket: Socket, { sockets }: ProxyState): void {
  sockets.add(socket);
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('close', () => sockets.delete(socket));
}

/** An end, too, waits behind what is held back: a request arrives after its sender gave up. */
function join(from: Socket, to: Socket, direction: Direction, state: ProxyState): void {
  const lane = createLane(to, direction, state);
  from.on('data', (bytes: Buffer) => {
    if (direction === 'reply' && isTearing(state)) tear(bytes, from, to, state);
    else lane.push(bytes);
  });
  from.on('end', () => lane.end());
  from.on('close', () => lane.end());
}

const isTearing = ({ fault }: ProxyState): boolean =>
  fault?.kind === 'reset' || fault?.kind === 'lostReply';

/** The request took effect; of the reply nothing (`lostReply`) or a beginning arrives. */
function tear(bytes: Buffer, upstream: Socket, client: Socket, state: ProxyState): void {
  state.touched += 1;
  if (state.fault?.kind === 'reset') client.write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
  setImmediate(() => {
    client.resetAndDestroy();
    upstream.destroySoon();
  });
}

function createLane(to: Socket, direction: Direction, state: ProxyState): Lane {
  const waiting: { bytes: Buffer | null; readonly notBeforeMs: number }[] = [];
  let isTouched = false;
  let timer: NodeJS.Timeout | null = null;
  const isHeld = (): boolean =>
    state.fault !== null && HOLDING[direction].includes(state.fault.kind);
  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    while (!isHeld()) {
      const next = waiting[0];
      if (next === undefined) return;
      const restMs = next.notBeforeMs - Date.now();
      if (restMs > 0) {
        timer = setTimeout(flush, restMs);
        return;
      }
      waiting.shift();
      if (next.bytes !== null) to.write(next.bytes);
      else {
        to.end();
        state.lanes.delete(lane);
        // Whoever was left alone by the other side goes too, once it was told everything.
        if (direction === 'reply') to.destroySoon();
      }
    }
  };
  const add = (bytes: Buffer | null): void => {
    const delayMs = state.fault?.kind === 'delay' ? state.fault.delayMs : 0;
    if (!isTouched && (delayMs > 0 || isHeld())) {
      isTouched = true;
      state.touched += 1;
    }
    waiting.push({ bytes, notBeforeMs: Date.now() + delayMs });
    flush();
  };
  let isEnded = false;
  const lane: Lane = {
    push: add,
    end() {
      if (!isEnded) add(null);
      isEnded = true;
    },
    release: flush,
  };
  state.lanes.add(lane);
  return lane;
}

/** The second request comes later than the first, as a repeated packet does; its reply goes nowhere. */
function askTwice(client: Socket, upstream: Socket, state: ProxyState, delayMs: number): void {
  state.touched += 1;
  const said: Buffer[] = [];
  client.on('data', (bytes: Buffer) => {
    said.push(bytes);
    upstream.write(bytes);
  });
  client.on('end', () => upstream.end());
  upstream.pipe(client);
  upstream.once('close', () => {
    client.destroySoon();
    setTimeout(() => repeat(said, state), delayMs);
  });
}

function repeat(said: readonly Buffer[], state: ProxyState): void {
  const again = connect(state.target);
  track(again, state);
  again.on('data', () => undefined);
  for (const bytes of said) again.write(bytes);
}
