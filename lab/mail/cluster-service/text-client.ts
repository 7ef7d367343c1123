/** A client of line protocols (IMAP, POP3, LMTP). */
import { connect, type Socket } from 'node:net';
import type { Endpoint } from './settings.ts';

export interface TextClient {
  send(line: string): void;
  /** The first line that the test accepts; rejects when the connection or the deadline ends. */
  readUntil(isWanted: (line: string) => boolean): Promise<string>;
  /** Settles when the connection has ended, with the reason. */
  readonly ended: Promise<Error>;
  close(): void;
}

/** The conversation took too long. */
export class DeadlineError extends Error {}

interface Waiter {
  readonly isWanted: (line: string) => boolean;
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Connects at once; a failure shows at the next read. The deadline is for the whole conversation;
 * null: none.
 */
export function openTextClient({ address, port }: Endpoint, deadlineMs: number | null): TextClient {
  const lines: string[] = [];
  let tellEnd: (error: Error) => void = () => undefined;
  const whenEnded = new Promise<Error>((resolve) => (tellEnd = resolve));
  let rest = '';
  let ended: Error | null = null;
  let waiter: Waiter | null = null;
  const deliver = () => {
    while (waiter !== null && lines.length > 0) {
      const line = lines.shift() ?? '';
      if (!waiter.isWanted(line)) continue;
      waiter.resolve(line);
      waiter = null;
    }
    if (waiter !== null && ended !== null) {
      waiter.reject(ended);
      waiter = null;
    }
  };
  const socket: Socket = connect({ host: address, port });
  const end = (error: Error) => {
    ended ??= error;
    clearTimeout(timer);
    tellEnd(error);
    socket.destroy();
    deliver();
  };
  const expire = () => end(new DeadlineError(`no end in ${deadlineMs} ms`));
  const timer = deadlineMs === null ? undefined : setTimeout(expire, deadlineMs);
  socket.setEncoding('utf8').setNoDelay(true);
  socket.on('data', (text: string) => {
    const parts = (rest + text).split('\r\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    deliver();
  });
  socket.on('error', end);
  socket.on('close', () => end(new Error('connection closed')));
  return {
    send: (line) => void socket.write(`${line}\r\n`),
    readUntil: (isWanted) =>
      new Promise((resolve, reject) => {
        waiter = { isWanted, resolve, reject };
        deliver();
      }),
    ended: whenEnded,
    close: () => end(new Error('closed')),
  };
}
