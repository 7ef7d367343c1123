/** `Idempotency-Key`: the same request twice is carried out once and answered twice. */
import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { ApiError } from './errors.ts';
import type { ApiEnv } from './router.ts';

export const IdempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(200)
    .optional()
    .openapi({ description: 'Of your choice, one a request: a repeat gets the first answer.' }),
});

/**
 * Stores the answer under the key. An answer of 500 and above is not final: a repeat tries again.
 */
export const idempotent: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const given = c.req.header('idempotency-key');
  if (given === undefined || given === '' || given.length > 200) {
    await next();
    return;
  }
  const { accounts, logger, config } = c.get('api').dependencies;
  // Controllers of several sites share the store.
  const key = `${config.site}/${given}`;
  const actor = c.get('identity')?.actor ?? 'nobody';
  const requestHash = await hashRequest(c);
  const stored = await accounts.beginIdempotent(actor, key, requestHash);
  if (stored === 'inProgress') {
    throw new ApiError('IdempotencyInProgress', 'this Idempotency-Key is being answered right now');
  }
  if (stored !== 'begun') {
    if (stored.requestHash !== requestHash) {
      throw new ApiError(
        'IdempotencyKeyReused',
        'this Idempotency-Key was used for another request',
      );
    }
    if (stored.status < 500) {
      c.set('auditDetail', 'repeat');
      c.res = replay(stored.status, stored.body);
      return;
    }
  }
  await next();
  const body = await c.res.clone().text();
  const answer = { requestHash, status: c.res.status, body };
  await accounts.finishIdempotent(actor, key, answer).catch((error: unknown) => {
    logger.warn({ error }, 'answer could not be stored under its idempotency key');
  });
};

async function hashRequest(c: Context<ApiEnv>): Promise<string> {
  const body = await c.req.text();
  return createHash('sha256').update(`${c.req.method} ${c.req.path}\n${body}`).digest('hex');
}

function replay(status: number, body: string): Response {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  return new Response(body, {
    status,
    headers: { 'Content-Type': type, 'Idempotency-Replayed': 'true' },
  });
}
