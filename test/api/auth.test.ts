import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashSecret, newSecret, SESSION_COOKIE } from '../../api/auth.ts';
import { openapiDocument } from '../../api/openapi.ts';
import { ROLES, type Role } from '../../gateways/controller-store/accounts.ts';
import { createApiWorld, ORIGIN, problemFrom, type ApiWorld, SITE } from '../support/api-world.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world.close();
});

interface Route {
  readonly method: string;
  readonly path: string;
  readonly role: Role | null;
}

const routes: Route[] = Object.entries(openapiDocument().paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods as Record<string, Record<string, unknown>>).map(([method, operation]) => ({
    method: method.toUpperCase(),
    path,
    role: (operation['x-required-role'] ?? null) as Role | null,
  })),
);
const guarded = routes.filter((route): route is Route & { role: Role } => route.role !== null);
const concrete = (path: string): string => path.replaceAll(/\{\w+\}/g, 'nothing');

async function signInLink(role: Role, lifetimeMs = 60_000): Promise<string> {
  const secret = newSecret('');
  await world.dependencies.accounts.saveSignInLink({
    secretHash: hashSecret(secret),
    role,
    createdBy: 'test',
    expiresAtMs: Date.now() + lifetimeMs,
  });
  return secret;
}

async function signIn(role: Role): Promise<string> {
  const response = await world.ask(null, 'POST', '/api/v1/session', {
    secret: await signInLink(role),
  });
  expect(response.status).toBe(201);
  return response.headers.get('set-cookie')?.split(';')[0] ?? '';
}

const withCookie = (
  cookie: string,
  method: string,
  path: string,
  headers: Record<string, string> = {},
) => world.app.http.request(`${ORIGIN}${path}`, { method, headers: { cookie, ...headers } });

describe('authentication', () => {
  it('lets only health, metrics and sign-in answer without a session or token', () => {
    const open = routes.filter(({ role }) => role === null).map(({ path }) => path);
    expect(open.sort()).toEqual(['/api/v1/session', '/health/live', '/health/ready', '/metrics']);
  });

  it.each(guarded)('refuses $method $path without either: 401', async ({ method, path }) => {
    const response = await world.ask(null, method, concrete(path));
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect((await problemFrom(response)).code).toBe('Unauthenticated');
  });

  it('refuses the OpenAPI document and unknown paths without either', async () => {
    expect((await world.ask(null, 'GET', '/api/v1/openapi.json')).status).toBe(401);
    expect((await world.ask(null, 'GET', '/api/v1/nothing')).status).toBe(401);
    expect((await world.ask('viewer', 'GET', '/api/v1/openapi.json')).status).toBe(200);
  });

  it('refuses a token that is unknown, malformed or has expired', async () => {
    const expired = newSecret('dk_');
    await world.dependencies.accounts.saveToken({
      tokenId: 'expired',
      secretHash: hashSecret(expired),
      name: 'expired',
      role: 'admin',
      createdBy: 'test',
      createdAtMs: 1,
      expiresAtMs: 2,
    });
    for (const authorization of [
      'Bearer dk_unknown',
      'Bearer',
      'Basic YTpi',
      `Bearer ${expired}`,
    ]) {
      const response = await world.app.http.request(`${ORIGIN}/api/v1/sites`, {
        headers: { authorization },
      });
      expect(response.status, authorization).toBe(401);
    }
  });

  it('stores no secret', async () => {
    const tokens = await world.dependencies.accounts.listTokens();
    expect(JSON.stringify(tokens)).not.toContain(world.tokens.viewer);
  });
});

describe('roles', () => {
  const cases = guarded.flatMap((route) => ROLES.map((role) => ({ ...route, asked: role })));
  const isEnough = (has: Role, needs: Role) => ROLES.indexOf(has) >= ROLES.indexOf(needs);

  it.each(cases)('$method $path for $asked', async ({ method, path, role, asked }) => {
    if (path.endsWith('/events') && isEnough(asked, role)) return;
    const response = await world.ask(
      asked,
      method,
      concrete(path),
      method === 'GET' ? undefined : {},
    );
    if (isEnough(asked, role)) {
      expect([200, 204, 404, 422]).toContain(response.status);
    } else {
      expect(response.status).toBe(403);
      expect((await problemFrom(response)).code).toBe('RoleTooLow');
    }
  });

  it('audits a refused change with who asked', async () => {
    await world.ask('viewer', 'PUT', '/api/v1/automation', {
      state: 'paused',
      reason: 'I want to',
    });
    const entries = await world.dependencies.store.readAudit(SITE, { limit: 1000 });
    expect(entries).toContainEqual(
      expect.objectContaining({
        actor: 'token:test-viewer',
        action: 'automation.set',
        outcome: 'refused',
        reason: 'I want to',
        detail: 'RoleTooLow',
      }),
    );
  });

  it('audits a change of somebody who is not signed in', async () => {
    await world.ask(null, 'POST', '/api/v1/backends/north-mail3/evacuate', { reason: 'anonymous' });
    const entries = await world.dependencies.store.readAudit(SITE, { limit: 1000 });
    expect(entries).toContainEqual(
      expect.objectContaining({
        actor: 'nobody',
        action: 'request.refused',
        outcome: 'refused',
        reason: 'anonymous',
      }),
    );
  });
});

describe('sign-in', () => {
  it('sets a cookie that scripts cannot read and other sites cannot send', async () => {
    const secret = await signInLink('operator');
    const response = await world.ask(null, 'POST', '/api/v1/session', { secret });
    const cookie = response.headers.get('set-cookie') ?? '';
    expect(cookie).toContain(`${SESSION_COOKIE}=`);
    expect(cookie).toContain('HttpOnly');
    expect(cookie).toContain('SameSite=Strict');
    expect(cookie).not.toContain(secret);
    expect(await response.json()).toMatchObject({ kind: 'session', role: 'operator' });
  });

  it('works once', async () => {
    const secret = await signInLink('viewer');
    expect((await world.ask(null, 'POST', '/api/v1/session', { secret })).status).toBe(201);
    const again = await world.ask(null, 'POST', '/api/v1/session', { secret });
    expect(again.status).toBe(401);
    expect((await problemFrom(again)).code).toBe('SignInRefused');
  });

  it('works once also when asked twice at the same moment', async () => {
    const secret = await signInLink('viewer');
    const answers = await Promise.all(
      [1, 2, 3].map(() => world.ask(null, 'POST', '/api/v1/session', { secret })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 401, 401]);
  });

  it('refuses a link that has expired, and says the same as for a wrong one', async () => {
    const secret = await signInLink('viewer', -1);
    const expired = await world.ask(null, 'POST', '/api/v1/session', { secret });
    const wrong = await world.ask(null, 'POST', '/api/v1/session', { secret: 'wrong' });
    expect([expired.status, wrong.status]).toEqual([401, 401]);
    expect((await problemFrom(expired)).message).toBe((await problemFrom(wrong)).message);
  });

  it('is refused from another origin', async () => {
    const response = await world.app.http.request(`${ORIGIN}/api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'http://evil.test' },
      body: JSON.stringify({ secret: await signInLink('admin') }),
    });
    expect(response.status).toBe(403);
  });

  it('is over after sign-out', async () => {
    const cookie = await signIn('viewer');
    expect((await withCookie(cookie, 'GET', '/api/v1/session')).status).toBe(200);
    const headers = { 'sec-fetch-site': 'same-origin' };
    expect((await withCookie(cookie, 'DELETE', '/api/v1/session', headers)).status).toBe(204);
    expect((await withCookie(cookie, 'GET', '/api/v1/session')).status).toBe(401);
  });

  it.each([
    ['no statement of origin', {}, 403],
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a sibling site', { 'sec-fetch-site': 'same-site' }, 403],
    ['another origin', { origin: 'http://evil.test' }, 403],
    ['a null origin', { origin: 'null' }, 403],
    ['our own pages', { 'sec-fetch-site': 'same-origin', origin: ORIGIN }, 422],
    ['our own origin', { origin: ORIGIN }, 422],
  ])('takes a change by cookie from %s: %o -> %i', async (_name, headers, status) => {
    const cookie = await signIn('operator');
    const response = await world.app.http.request(`${ORIGIN}/api/v1/automation`, {
      method: 'PUT',
      headers: { cookie, 'content-type': 'application/json', ...headers },
      body: '{}',
    });
    expect(response.status).toBe(status);
  });
});

describe('tokens', () => {
  it('are created, listed without their secret, and stop working when removed', async () => {
    const wish = { name: 'monitoring', role: 'viewer', reason: 'for the dashboards' };
    const created = await world.ask('admin', 'POST', '/api/v1/tokens', wish);
    expect(created.status).toBe(201);
    const { token, tokenId } = (await created.json()) as { token: string; tokenId: string };
    const use = () =>
      world.app.http.request(`${ORIGIN}/api/v1/sites`, {
        headers: { authorization: `Bearer ${token}` },
      });
    expect((await use()).status).toBe(200);
    const list = await (await world.ask('admin', 'GET', '/api/v1/tokens')).text();
    expect(list).toContain(tokenId);
    expect(list).not.toContain(token);
    expect(list).not.toContain(hashSecret(token));
    const path = `/api/v1/tokens/${tokenId}`;
    expect((await world.ask('admin', 'DELETE', path)).status).toBe(422);
    expect((await world.ask('admin', 'DELETE', `${path}?reason=done`)).status).toBe(204);
    expect((await use()).status).toBe(401);
    const gone = await world.ask('admin', 'DELETE', `${path}?reason=again`);
    expect((await problemFrom(gone)).code).toBe('TokenUnknown');
  });
});
