/** Every change is audited once, also a refused or failed one. */
import type { Context, MiddlewareHandler } from 'hono';
import type { ApiEnv } from './router.ts';

/** An audit that takes longer is written behind the answer. */
const AUDIT_WAIT_MS = 1000;
const MAX_TEXT_LENGTH = 500;

/** Stands before the role check, so that a refusal is audited too. */
export function audited(action: string): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    await appendAudit(c, action);
  };
}

/** Writes the entry; a store that does not work is logged and does not change the answer. */
export async function appendAudit(c: Context<ApiEnv>, action: string): Promise<void> {
  const { store, logger, config, now } = c.get('api').dependencies;
  const entry = {
    siteName: config.site,
    atMs: now(),
    actor: c.get('identity')?.actor ?? 'nobody',
    action,
    target: c.get('auditTarget') ?? targetOf(c),
    outcome: outcomeOf(c.res.status),
    reason: await reasonOf(c),
    detail: c.get('auditDetail') ?? c.get('problemCode') ?? null,
    requestId: c.get('requestId'),
  } as const;
  const writing = store.appendAudit(entry).catch((error: unknown) => {
    logger.error({ error, action, outcome: entry.outcome }, 'audit entry could not be written');
  });
  await Promise.race([writing, delay(AUDIT_WAIT_MS)]);
}

function outcomeOf(status: number): 'done' | 'refused' | 'failed' {
  if (status < 400) {
    return 'done';
  }
  return status < 500 ? 'refused' : 'failed';
}

/** The path parameters: host, operation, feature, task or token. */
function targetOf(c: Context<ApiEnv>): string {
  return Object.values(c.req.param()).join('/').slice(0, MAX_TEXT_LENGTH);
}

/** Read from the body as it was sent, for a refused request was never validated. */
async function reasonOf(c: Context<ApiEnv>): Promise<string | null> {
  const fromQuery = c.req.query('reason');
  if (fromQuery !== undefined) {
    return fromQuery.slice(0, MAX_TEXT_LENGTH);
  }
  try {
    const body: unknown = await c.req.json();
    const hasReason = typeof body === 'object' && body !== null && 'reason' in body;
    const reason = hasReason ? body.reason : null;
    return typeof reason === 'string' ? reason.slice(0, MAX_TEXT_LENGTH) : null;
  } catch {
    // No body, or not JSON: the refusal itself is audited all the same.
    return null;
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
