/** Changes refused before their route was reached: nobody signed in, or another origin. */
import type { MiddlewareHandler } from 'hono';
import { appendAudit } from './audit.ts';
import type { Dependencies } from './dependencies.ts';
import type { ApiEnv } from './router.ts';

/** Who is not signed in must not be able to fill the audit; what is over is only logged. */
const MAX_A_MINUTE = 60;
const CODES = ['Unauthenticated', 'CrossSiteRequest', 'BodyTooLarge'];

export function refusalsAudited({ logger, now }: Dependencies): MiddlewareHandler<ApiEnv> {
  let minute = 0;
  let inMinute = 0;
  const isOverLimit = (): boolean => {
    const present = Math.floor(now() / 60_000);
    inMinute = present === minute ? inMinute + 1 : 1;
    minute = present;
    return inMinute > MAX_A_MINUTE;
  };
  return async (c, next) => {
    await next();
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return;
    const code = c.get('problemCode');
    const isSignIn = c.get('isSignIn') === true;
    if (!isSignIn && (code === undefined || !CODES.includes(code))) return;
    if (isOverLimit()) {
      logger.warn({ code, requestId: c.get('requestId') }, 'refusal not audited: too many');
      return;
    }
    c.set('auditTarget', c.req.path.slice(0, 200));
    await appendAudit(c, isSignIn ? 'session.begin' : 'request.refused');
  };
}
