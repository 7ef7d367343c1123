/** A TCP proxy that lets a test watch what goes through it, and cut it off as a dead neighbour would. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Sees the bytes of one connection, in order. */
export interface Tap {
  fromClient(bytes: Buffer): void;
  fromServer(bytes: Buffer): void;
}

export interface TcpProxy {
  /** Breaks every connection and refuses new ones. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** Listens at once unless `isCut`; `openTap` is asked for each connection. */
export async function startTcpProxy(
  listen: Endpoint,
  target: Endpoint,
  options: { readonly isCut?: boolean; readonly openTap?: () => Tap } = {},
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  const accept = (client: Socket): void => {
    const upstream = connect(target.port, target.host);
    const tap = options.openTap?.();
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => tap?.fromClient(bytes));
    upstream.on('data', (bytes: Buffer) => tap?.fromServer(bytes));
    client.pipe(upstream);
    upstream.pipe(client);
  };
  const restore = async (): Promise<void> => {
    if (server !== null) return;
    const next = createServer(accept);
    server = next;
    await new Promise<void>((resolve, reject) => {
      next.once('error', reject);
      next.listen(listen.port, listen.host, resolve);
    });
  };
  const cut = async (): Promise<void> => {
    const former = server;
    server = null;
    const closed = new Promise<void>((resolve) => {
      if (former === null) resolve();
      else former.close(() => resolve());
    });
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  if (options.isCut !== true) await restore();
  return { cut, restore, close: cut };
}
