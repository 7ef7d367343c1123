/**
 * Payloads of Temporal that are large are kept compressed: the snapshot of a site of 500 Backends would be
 * over half a megabyte of JSON in the history of every run. Small ones stay as they are, so that people can
 * read them with the `temporal` command line.
 */
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';

const LEAST_BYTES = 16 * 1024;
const ENCODING = 'binary/deflate';
const INNER_ENCODING = 'inner-encoding';

const compress = promisify(deflate) as (data: Uint8Array) => Promise<Buffer>;
const decompress = promisify(inflate) as (data: Uint8Array) => Promise<Buffer>;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const payloadCodec: PayloadCodec = {
  encode: (payloads) => Promise.all(payloads.map(encode)),
  decode: (payloads) => Promise.all(payloads.map(decode)),
};

/** For every client and worker alike. */
export const DATA_CONVERTER: DataConverter = { payloadCodecs: [payloadCodec] };

async function encode(payload: Payload): Promise<Payload> {
  const { metadata, data } = payload;
  const encoding = metadata?.['encoding'];
  if (!data || !encoding || data.length < LEAST_BYTES) return payload;
  return {
    metadata: { ...metadata, encoding: bytes(ENCODING), [INNER_ENCODING]: encoding },
    data: await compress(data),
  };
}

/** What was written before there was a codec is read as it is. */
async function decode(payload: Payload): Promise<Payload> {
  const { [INNER_ENCODING]: encoding, ...metadata } = payload.metadata ?? {};
  if (!payload.data || !encoding) return payload;
  return { metadata: { ...metadata, encoding }, data: await decompress(payload.data) };
}
