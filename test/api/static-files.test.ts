import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiWorld, type ApiWorld } from '../support/api-world.ts';

let world: ApiWorld;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dovekeeper-ui-'));
  const uiDir = join(folder, 'dist');
  mkdirSync(join(uiDir, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  writeFileSync(join(uiDir, 'index.html'), '<title>Dovekeeper</title>');
  writeFileSync(join(uiDir, 'assets', 'app-1234.js'), 'export {};');
  world = await createApiWorld({ environment: { UI_DIR: uiDir }, isEmpty: true });
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true });
});

describe('the user interface', () => {
  it.each(['/', '/sign-in', '/operations/01ABC', '/index.html'])(
    'is the same page at %s',
    async (path) => {
      const response = await world.ask(null, 'GET', path);
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('<title>Dovekeeper');
      expect(response.headers.get('cache-control')).toBe('no-cache');
    },
  );

  it('runs only its own scripts and is framed by nobody', async () => {
    const { headers } = await world.ask(null, 'GET', '/');
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('lets browsers keep its hashed files', async () => {
    const response = await world.ask(null, 'GET', '/assets/app-1234.js');
    expect(response.headers.get('content-type')).toContain('text/javascript');
    expect(response.headers.get('cache-control')).toContain('immutable');
    expect((await world.ask(null, 'GET', '/assets/gone.js')).status).toBe(404);
  });

  it.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
  ])('does not leave its folder: %s', async (path) => {
    const response = await world.ask(null, 'GET', path);
    expect(response.status).toBe(404);
    expect(await response.text()).not.toContain('secret\n');
  });

  it('does not hide the API', async () => {
    expect((await world.ask(null, 'GET', '/api/v2/sites')).status).toBe(404);
    expect((await world.ask(null, 'POST', '/')).status).toBe(404);
  });
});
