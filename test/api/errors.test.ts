import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiWorld, ORIGIN, problemFrom, type ApiWorld } from '../support/api-world.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world.close();
});

const put = (body: string | undefined, headers: Record<string, string>) =>
  world.app.http.request(`${ORIGIN}/api/v1/automation`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${world.tokens.operator}`, ...headers },
    ...(body === undefined ? {} : { body }),
  });
const json = { 'content-type': 'application/json' };

describe('errors', () => {
  it('are problem documents with a code and the id of the request', async () => {
    const response = await world.ask('viewer', 'GET', '/api/v1/backends/mail99');
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const problem = await problemFrom(response);
    expect(problem).toMatchObject({ code: 'BackendUnknown', status: 404 });
    expect(problem.message).toContain('mail99');
    expect(problem.requestId).toBe(response.headers.get('x-request-id'));
  });

  it.each([
    ['GET', '/api/v1/backends/mail99/users', 'BackendUnknown'],
    ['POST', '/api/v1/backends/mail99/evacuate', 'BackendUnknown'],
    ['GET', '/api/v1/backends?site=east', 'SiteUnknown'],
    ['GET', '/api/v1/sites/east', 'SiteUnknown'],
    ['GET', '/api/v1/users/nobody@example.org', 'UserUnknown'],
    ['GET', '/api/v1/operations/01NONE', 'OperationUnknown'],
    ['GET', '/api/v1/operations/01NONE/moves', 'OperationUnknown'],
    ['POST', '/api/v1/operations/01NONE/pause', 'OperationUnknown'],
    ['GET', '/api/v1/decisions/01NONE', 'DecisionUnknown'],
    ['POST', '/api/v1/tasks/wash_dishes/run', 'TaskUnknown'],
    ['GET', '/api/v1/no/such/path', 'NotFound'],
    ['PATCH', '/api/v1/automation', 'NotFound'],
  ])('name what is unknown: %s %s -> %s', async (method, path, code) => {
    const body = method === 'POST' ? { reason: 'test' } : undefined;
    const response = await world.ask('admin', method, path, body);
    expect(response.status).toBe(404);
    expect((await problemFrom(response)).code).toBe(code);
  });

  it('name an unknown feature and those that there are', async () => {
    const wish = { level: 'site', state: 'enabled', reason: 'test' };
    const response = await world.ask('operator', 'PUT', '/api/v1/features/Teleport', wish);
    const problem = await problemFrom(response);
    expect(problem.code).toBe('FeatureUnknown');
    expect(problem.message).toContain('BackendHealthAutoHandling');
  });

  it.each(['{', '{"state": }', 'paused', ''])('say that %j is not JSON', async (body) => {
    const response = await put(body, json);
    expect(response.status).toBe(400);
    expect((await problemFrom(response)).code).toBe('MalformedJson');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
    'refuse the content type %s',
    async (type) => {
      const response = await put('{"state":"paused","reason":"x"}', { 'content-type': type });
      expect(response.status).toBe(415);
      expect((await problemFrom(response)).code).toBe('UnsupportedMediaType');
    },
  );

  it('refuse a body that is too large', async () => {
    const response = await put(JSON.stringify({ reason: 'x'.repeat(70_000) }), json);
    expect(response.status).toBe(413);
    expect((await problemFrom(response)).code).toBe('BodyTooLarge');
  });

  it.each([
    [{ state: 'paused' }, 'reason'],
    [{ state: 'paused', reason: '   ' }, 'reason'],
    [{ state: 'asleep', reason: 'x' }, 'state'],
    [{ state: 'paused', reason: 'x', until: 'soon' }, 'until'],
    [{ state: 'paused', reason: 'x', until: '2020-01-01T00:00:00Z' }, 'until'],
    [{ state: 'running', reason: 'x', until: Date.now() + 60_000 }, 'until'],
    [[], 'body'],
  ])('name the field of %j: %s', async (body, field) => {
    const response = await put(JSON.stringify(body), json);
    expect(response.status).toBe(422);
    const problem = await problemFrom(response);
    expect(problem.code).toBe('ValidationFailed');
    expect(problem.details?.map((detail) => detail.field)).toContain(field);
  });

  it.each([
    ['/api/v1/operations?limit=0', 'limit'],
    ['/api/v1/operations?limit=ten', 'limit'],
    ['/api/v1/operations?state=flying', 'state'],
    ['/api/v1/decisions?task=wash_dishes', 'task'],
    ['/api/v1/backends/north-mail1/users?limit=1001', 'limit'],
  ])('name the parameter of %s', async (path, field) => {
    const response = await world.ask('viewer', 'GET', path);
    expect(response.status).toBe(422);
    expect((await problemFrom(response)).details?.[0]?.field).toBe(field);
  });

  it.each([
    '/api/v1/backends/north-mail1/users?cursor=nonsense',
    '/api/v1/decisions?cursor=nonsense',
    '/api/v1/operations?cursor=nonsense',
  ])('never fail by a cursor that is none of ours: %s', async (path) => {
    const response = await world.ask('viewer', 'GET', path);
    expect([200, 422]).toContain(response.status);
  });
});
