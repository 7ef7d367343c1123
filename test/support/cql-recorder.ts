/**
 * Records every statement that is not a mere read, as it passes by in the native protocol (v3, v4 and the
 * driver's own dialects of it, uncompressed): QUERY, EXECUTE of what was PREPAREd here, and BATCH.
 */
import { startTcpProxy, type Endpoint, type Tap, type TcpProxy } from './tcp-proxy.ts';

export interface RecordedWrite {
  readonly how: 'query' | 'execute' | 'batch';
  /** The text; `?` for an id that was not prepared through this proxy. */
  readonly cql: string;
}

export interface CqlRecorder extends TcpProxy {
  /** Since the start, or since `forget`. */
  writes(): readonly RecordedWrite[];
  /** Reads count too: that anything was seen at all. */
  statementCount(): number;
  forget(): void;
}

const HEADER_BYTES = 9;
const OPCODE = { result: 0x08, query: 0x07, prepare: 0x09, execute: 0x0a, batch: 0x0d } as const;
const FLAG = { compressed: 0x01, tracing: 0x02, payload: 0x04, warnings: 0x08 } as const;
const RESULT_PREPARED = 4;

export async function startCqlRecorder(
  listen: Endpoint,
  target: Endpoint,
  options: { readonly isCut?: boolean } = {},
): Promise<CqlRecorder> {
  const prepared = new Map<string, string>();
  const writes: RecordedWrite[] = [];
  let statements = 0;
  const record = (how: RecordedWrite['how'], cql: string): void => {
    statements += 1;
    if (!/^\s*(SELECT|USE)\b/i.test(cql)) writes.push({ how, cql });
  };
  const openTap = (): Tap => createTap(prepared, record);
  const proxy = await startTcpProxy(listen, target, { ...options, openTap });
  return {
    ...proxy,
    writes: () => [...writes],
    statementCount: () => statements,
    forget: () => {
      writes.length = 0;
    },
  };
}

type Record = (how: RecordedWrite['how'], cql: string) => void;

function createTap(prepared: Map<string, string>, record: Record): Tap {
  /** Texts on their way to be prepared, by stream. */
  const preparing = new Map<number, string>();
  const textOf = (id: Buffer): string => prepared.get(id.toString('hex')) ?? '?';
  const splitClient = createSplitter((frame) => {
    const { body } = frame;
    switch (frame.opcode) {
      case OPCODE.query:
        return record('query', body.longString());
      case OPCODE.prepare:
        return void preparing.set(frame.stream, body.longString());
      case OPCODE.execute:
        return record('execute', textOf(body.shortBytes()));
      case OPCODE.batch:
        return readBatch(body, textOf).forEach((cql) => record('batch', cql));
    }
  });
  const splitServer = createSplitter((frame) => {
    const text = preparing.get(frame.stream);
    if (text === undefined) return;
    preparing.delete(frame.stream);
    if (frame.opcode !== OPCODE.result || frame.body.int() !== RESULT_PREPARED) return;
    prepared.set(frame.body.shortBytes().toString('hex'), text);
  });
  return { fromClient: splitClient, fromServer: splitServer };
}

interface Frame {
  readonly opcode: number;
  readonly stream: number;
  readonly body: Reader;
}

function createSplitter(onFrame: (frame: Frame) => void): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUInt32BE(5);
      if (rest.length < end) return;
      const [version, flags] = [rest.readUInt8(0), rest.readUInt8(1)];
      const isAnswer = (version & 0x80) !== 0;
      if ((flags & FLAG.compressed) !== 0) throw new Error('compressed CQL cannot be recorded');
      const body = new Reader(rest.subarray(HEADER_BYTES, end));
      if (isAnswer && (flags & FLAG.tracing) !== 0) body.skip(16);
      if (isAnswer && (flags & FLAG.warnings) !== 0) body.skipStringList();
      if ((flags & FLAG.payload) !== 0) body.skipBytesMap();
      onFrame({ opcode: rest.readUInt8(4), stream: rest.readInt16BE(2), body });
      rest = rest.subarray(end);
    }
  };
}

function readBatch(body: Reader, textOf: (id: Buffer) => string): string[] {
  body.skip(1);
  return Array.from({ length: body.short() }, () => {
    const isPrepared = body.byte() === 1;
    const cql = isPrepared ? textOf(body.shortBytes()) : body.longString();
    for (let values = body.short(); values > 0; values -= 1) body.skip(Math.max(0, body.int()));
    return cql;
  });
}

/** The notations of the protocol, read one after the other. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#move(1));
  }

  short(): number {
    return this.#bytes.readUInt16BE(this.#move(2));
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#move(4));
  }

  shortBytes(): Buffer {
    return this.#take(this.short());
  }

  longString(): string {
    return this.#take(this.int()).toString('utf8');
  }

  skip(bytes: number): void {
    this.#move(bytes);
  }

  skipStringList(): void {
    for (let left = this.short(); left > 0; left -= 1) this.skip(this.short());
  }

  skipBytesMap(): void {
    for (let left = this.short(); left > 0; left -= 1) {
      this.skip(this.short());
      this.skip(Math.max(0, this.int()));
    }
  }

  #take(bytes: number): Buffer {
    const from = this.#move(bytes);
    return this.#bytes.subarray(from, from + bytes);
  }

  #move(bytes: number): number {
    const from = this.#at;
    this.#at += bytes;
    return from;
  }
}
