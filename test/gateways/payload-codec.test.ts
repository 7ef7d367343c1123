import type { Payload } from '@temporalio/common';
import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { payloadCodec } from '../../platform/payload-codec.ts';

const toPayload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const textOf = (payload: Payload | undefined, name: string): string =>
  new TextDecoder().decode(payload?.metadata?.[name] ?? new Uint8Array());

describe('payloadCodec', () => {
  it('leaves small payloads readable', async () => {
    const small = toPayload({ task: 'check_backend_health' });
    expect(await payloadCodec.encode([small])).toEqual([small]);
  });

  it('makes large ones small, and brings them back as they were', async () => {
    const value = Array.from({ length: 2000 }, (_, index) => ({
      host: `mail${index}`,
      users: index,
    }));
    const large = toPayload(value);
    const [encoded] = await payloadCodec.encode([large]);
    expect(textOf(encoded, 'encoding')).toBe('binary/deflate');
    expect(encoded?.data?.length ?? Infinity).toBeLessThan((large.data?.length ?? 0) / 4);
    const [decoded] = await payloadCodec.decode([encoded ?? {}]);
    expect(decoded && defaultPayloadConverter.fromPayload(decoded)).toEqual(value);
    expect(textOf(decoded, 'encoding')).toBe('json/plain');
  });

  it('reads what was written before there was a codec', async () => {
    const former = [toPayload('x'.repeat(100_000)), toPayload(null), {}];
    expect(await payloadCodec.decode(former)).toEqual(former);
  });
});
