import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiWorld, SITE, type ApiWorld } from '../support/api-world.ts';
import { eventually } from '../support/eventually.ts';
import { testNet } from '../support/test-net.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const address = `127.${testNet()}.0.1:18080`;

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world.close();
});

function start(file: string, words: string[] = [], more: Record<string, string> = {}) {
  const net = testNet();
  const child = spawn(process.execPath, [file, ...words], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      CLUSTER_SITE: SITE,
      CASSANDRA_SERVERS: `127.${net}.0.1:9042`,
      CASSANDRA_LOCAL_DC: 'datacenter1',
      CASSANDRA_GEODB_KEYSPACE: 'api_tests_geodb',
      CASSANDRA_KEYSPACE: 'api_tests',
      REDIS_URL: `redis://127.${net}.0.1:6379`,
      PROMETHEUS_URL: `http://127.${net}.0.1:9090`,
      TEMPORAL_ADDRESS: `127.0.0.1:${21_000 + Number(net)}`,
      HTTP_LISTEN: address,
      ...more,
    },
  });
  const output = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (output.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.err += data.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, output, ended };
}

const isAnswering = async (path: string): Promise<boolean> => {
  try {
    return (await fetch(`http://${address}${path}`)).ok;
  } catch {
    return false;
  }
};

describe('the API process', () => {
  it('serves, signs in by link, streams, and stops in order with a stream open', async () => {
    const { child, ended, output } = start('api/main.ts');
    try {
      await eventually('it is ready', () => isAnswering('/health/ready'));
      const link = start('api/issue-sign-in-link.ts', ['operator']);
      expect(await link.ended, link.output.err).toBe(0);
      const match = /^http:\/\/[\d.:]+\/sign-in#([\w-]+)\n$/.exec(link.output.out);
      const answer = await fetch(`http://${address}/api/v1/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ secret: match?.[1] }),
      });
      expect(answer.status).toBe(201);
      const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
      const stream = await fetch(`http://${address}/api/v1/events`, { headers: { cookie } });
      expect(stream.headers.get('content-type')).toContain('text/event-stream');
      const startedAtMs = Date.now();
      child.kill('SIGTERM');
      await stream.text();
      expect(await ended).toBe(0);
      expect(Date.now() - startedAtMs).toBeLessThan(5000);
      expect(output.out).not.toContain(match?.[1]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('names every bad setting and does not start', async () => {
    const { ended, output } = start('api/main.ts', [], {
      HOST_FAILURE_RATIO: 'ten',
      CASSANDRA_PORT: 'x',
    });
    expect(await ended).toBe(1);
    expect(output.err).toContain('HOST_FAILURE_RATIO');
    expect(output.err).toContain('CASSANDRA_PORT');
    expect(output.err).not.toContain('    at ');
  });

  it('starts and answers while Cassandra is down', async () => {
    const { child, ended } = start('api/main.ts', [], {
      CASSANDRA_SERVERS: `127.${testNet()}.0.1:1`,
    });
    try {
      await eventually('it lives', () => isAnswering('/health/live'));
      const response = await fetch(`http://${address}/api/v1/sites`, {
        headers: { authorization: 'Bearer dk_any' },
      });
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ code: 'CassandraUnavailable' });
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

describe('issue-token', () => {
  it('prints one token that works', async () => {
    const { ended, output } = start('api/issue-token.ts', ['viewer', '--name', 'drill']);
    expect(await ended, output.err).toBe(0);
    const response = await world.app.http.request('/api/v1/session', {
      headers: { authorization: `Bearer ${output.out.trim()}` },
    });
    expect(await response.json()).toMatchObject({ role: 'viewer', name: 'drill' });
  });

  it('says how it is used', async () => {
    const { ended, output } = start('api/issue-token.ts', ['king']);
    expect(await ended).toBe(1);
    expect(output.out).toBe('');
    expect(output.err).toContain('viewer, operator, admin');
  });
});
