/** Who asks, and what they may do. Secrets are compared and stored as SHA-256 hashes only. */
import { createHash, randomBytes } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { ROLES, type Accounts, type Role } from '../gateways/controller-store/accounts.ts';
import { ApiError } from './errors.ts';
import type { ApiEnv } from './router.ts';

export const SESSION_COOKIE = 'dovekeeper_session';
export const SESSION_LIFETIME_MS = 12 * 3_600_000;
export const SIGN_IN_LINK_LIFETIME_MS = 10 * 60_000;

export interface Identity {
  readonly kind: 'session' | 'token';
  readonly role: Role;
  readonly name: string;
  /** As the audit names it. */
  readonly actor: string;
  readonly expiresAtMs: number | null;
  readonly secretHash: string;
}

/** 256 random bits; tokens begin with `dk_` so that leaks can be found by search. */
export function newSecret(prefix: '' | 'dk_'): string {
  return prefix + randomBytes(32).toString('base64url');
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

export interface AuthOptions {
  readonly accounts: Accounts;
  readonly now: () => number;
  readonly publicUrl: string;
}

/**
 * Refuses whoever has neither a session nor a token: 401. A cookie alone is not enough for a
 * change: the browser must say that the request comes from our own pages, else 403.
 */
export function authenticate(options: AuthOptions): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const identity = await identify(c, options);
    if (identity === null) {
      throw new ApiError('Unauthenticated', 'sign in, or send a token (Authorization: Bearer)');
    }
    c.set('identity', identity);
    if (identity.kind === 'session' && c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      requireSameOrigin(c, options.publicUrl, { mustBeStated: true });
    }
    await next();
  };
}

export function requireRole(role: Role): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const identity = c.get('identity');
    if (identity === undefined || ROLES.indexOf(identity.role) < ROLES.indexOf(role)) {
      throw new ApiError('RoleTooLow', `this takes the role ${role}`);
    }
    await next();
  };
}

/** Sec-Fetch-Site where the browser sends it, else Origin against our own address. */
export function requireSameOrigin(
  c: Context,
  publicUrl: string,
  options: { readonly mustBeStated: boolean },
): void {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  if (site === undefined && origin === undefined && !options.mustBeStated) {
    return;
  }
  const isSameSite = site === undefined || site === 'same-origin';
  const isSameOrigin = origin === undefined || isOurOrigin(c, origin, publicUrl);
  if ((site === undefined && origin === undefined) || !isSameSite || !isSameOrigin) {
    throw new ApiError('CrossSiteRequest', 'a change by cookie must come from our own pages');
  }
}

export function setSessionCookie(c: Context, secret: string, publicUrl: string): void {
  setCookie(c, SESSION_COOKIE, secret, {
    httpOnly: true,
    sameSite: 'Strict',
    secure: publicUrl.startsWith('https:'),
    path: '/',
    maxAge: SESSION_LIFETIME_MS / 1000,
  });
}

export function clearSessionCookie(c: Context): void {
  deleteCookie(c, SESSION_COOKIE, { path: '/' });
}

/** True while this session or token may still be used; live streams ask again and again. */
export async function isStillValid(identity: Identity, options: AuthOptions): Promise<boolean> {
  const found =
    identity.kind === 'session'
      ? await options.accounts.readSession(identity.secretHash)
      : await options.accounts.readTokenByHash(identity.secretHash);
  return found !== null && !isExpired(found.expiresAtMs, options.now());
}

async function identify(c: Context, options: AuthOptions): Promise<Identity | null> {
  const header = c.req.header('authorization');
  if (header !== undefined) {
    const secret = /^Bearer ([\w.~+/-]{1,200}=*)$/i.exec(header)?.[1];
    return secret === undefined ? null : await identifyToken(hashSecret(secret), options);
  }
  const secret = getCookie(c, SESSION_COOKIE);
  return secret === undefined ? null : await identifySession(hashSecret(secret), options);
}

async function identifyToken(secretHash: string, options: AuthOptions): Promise<Identity | null> {
  const token = await options.accounts.readTokenByHash(secretHash);
  if (token === null || isExpired(token.expiresAtMs, options.now())) {
    return null;
  }
  const { role, name, expiresAtMs } = token;
  return { kind: 'token', role, name, actor: `token:${name}`, expiresAtMs, secretHash };
}

async function identifySession(secretHash: string, options: AuthOptions): Promise<Identity | null> {
  const session = await options.accounts.readSession(secretHash);
  if (session === null || isExpired(session.expiresAtMs, options.now())) {
    return null;
  }
  const { role, name, expiresAtMs } = session;
  return { kind: 'session', role, name, actor: `session:${name}`, expiresAtMs, secretHash };
}

function isExpired(expiresAtMs: number | null, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

function isOurOrigin(c: Context, origin: string, publicUrl: string): boolean {
  const host = c.req.header('host');
  const allowed = [new URL(publicUrl).origin];
  if (host !== undefined) {
    allowed.push(`http://${host}`, `https://${host}`);
  }
  return allowed.includes(origin);
}
