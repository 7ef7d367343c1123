import { randomUUID } from 'node:crypto';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CassandraSession } from '../../gateways/cassandra-session.ts';
import type { Accounts } from '../../gateways/controller-store/accounts.ts';
import { hashOf } from '../../gateways/controller-store/audit.ts';
import { createAccounts } from '../../gateways/controller-store/cassandra-accounts.ts';
import { createControllerStore } from '../../gateways/controller-store/cassandra-store.ts';
import type {
  AuditEntry,
  ControllerStore,
} from '../../gateways/controller-store/controller-store.ts';
import { migrate } from '../../gateways/controller-store/migrate.ts';
import { cql, dropAndClose, logger, openSession, rigConfig } from './gateway-rig.ts';
import { eventually } from '../support/eventually.ts';

const config = rigConfig();
const { keyspace, localDataCenter } = config.cassandra;
const nowMs = Date.now();
let session: CassandraSession;
let store: ControllerStore;
let accounts: Accounts;

beforeAll(async () => {
  session = openSession(config);
  await migrate(session, logger, { keyspace, localDataCenter });
  store = createControllerStore(session, keyspace);
  accounts = createAccounts(session, keyspace);
});

afterAll(async () => {
  await dropAndClose(session, keyspace);
});

describe('controller store: memory and switches', () => {
  it('remembers many Backends at once, and keeps what else is known of them', async () => {
    const site = `site-${randomUUID()}`;
    const ids = Array.from(
      { length: 60 },
      (_, index) => `backend-${String(index).padStart(2, '0')}`,
    );
    await store.updateBackendMemory(site, { backendId: ids[7] ?? '', operatorHoldUntilMs: nowMs });
    const verdicts = ids.map((backendId) => ({
      backendId,
      verdict: 'healthy' as const,
      verdictSinceMs: nowMs,
      judgedAtMs: nowMs,
    }));
    await store.updateBackendMemories(site, [...verdicts, { backendId: 'nothing to say' }]);
    const known = await store.readBackendMemories(site);
    expect(known.map(({ backendId }) => backendId)).toEqual(ids);
    expect(
      known.every(({ verdict, judgedAtMs }) => verdict === 'healthy' && judgedAtMs === nowMs),
    ).toBe(true);
    expect(known[7]?.operatorHoldUntilMs).toBe(nowMs);
  });

  it('merges what is remembered of a Backend, field by field', async () => {
    const backendId = randomUUID();
    await store.updateBackendMemory('north', { backendId, operatorHoldUntilMs: nowMs });
    await store.updateBackendMemory('north', {
      backendId,
      verdict: 'critical',
      verdictSinceMs: nowMs,
      offlineWrittenAtMicros: nowMs * 1000 + 7,
      returnedAtMs: [1, 2],
    });
    await store.updateBackendMemory('north', { backendId, operatorHoldUntilMs: null });
    await store.updateBackendMemory('north', { backendId });
    await store.updateBackendMemory('south', { backendId, verdict: 'healthy' });
    expect(await store.readBackendMemories('north')).toEqual([
      {
        backendId,
        verdict: 'critical',
        verdictSinceMs: nowMs,
        judgedAtMs: null,
        lastPartialMoveAtMs: null,
        lastBalancedAtMs: null,
        offlineWrittenAtMicros: nowMs * 1000 + 7,
        offlineSinceMs: null,
        returnedAtMs: [1, 2],
        operatorHoldUntilMs: null,
      },
    ]);
  });

  it('remembers until when the users of a Backend rest, and forgets it by itself', async () => {
    const site = `site-${randomUUID()}`;
    await store.updateBackendMemory(site, { backendId: 'a', verdict: 'healthy' });
    const untilMs = Date.now() + 1_500;
    await store.noteUsersRest(site, 'a', untilMs);
    await store.noteUsersRest(site, 'a', Date.now() - 1);
    const read = async () => (await store.readBackendMemories(site))[0];
    expect(await read()).toMatchObject({ verdict: 'healthy', usersRestUntilMs: untilMs });
    await eventually('it is forgotten', async () => (await read())?.usersRestUntilMs === undefined);
    expect(await read()).toMatchObject({ verdict: 'healthy' });
  });

  it('keeps the automation switch, overrides and task runs', async () => {
    expect(await store.readAutomation('north')).toBeNull();
    const automation = {
      siteName: 'north',
      state: 'paused',
      setBy: 'ann',
      reason: 'maintenance',
      setAtMs: nowMs,
      untilMs: nowMs + 1000,
    } as const;
    await store.saveAutomation(automation);
    expect(await store.readAutomation('north')).toEqual(automation);

    const override = {
      level: 'site',
      targetId: randomUUID(),
      feature: 'MetricsExport',
      state: 'enabled',
      setBy: 'ann',
      reason: 'trial',
      setAtMs: nowMs,
      expiresAtMs: null,
      formerState: null,
    } as const;
    await store.saveFeatureOverride({ ...override, reason: 'first' });
    await store.saveFeatureOverride(override);
    expect(await store.readFeatureOverrides()).toEqual([override]);

    expect(await store.readReachability('north')).toEqual([]);
    const look = {
      backendId: 'id-mail1',
      isReachable: false,
      failure: 'Timeout',
      sinceMs: nowMs,
      nameFailingSinceMs: null,
      checkedAtMs: nowMs,
    };
    await store.saveReachability('north', [look]);
    expect(await store.readReachability('north')).toEqual([look]);

    const run = {
      siteName: 'north',
      task: 'cache_metrics',
      lastStartedAtMs: nowMs,
      lastSucceededAtMs: nowMs,
      lastDurationMs: 12,
      lastError: null,
      lastErrorAtMs: null,
      failingSinceMs: null,
      outcomes: { cached: 1 },
    } as const;
    await store.saveTaskRun(run);
    expect(await store.readTaskRuns('north')).toEqual([run]);
    expect(await store.readTaskRuns('south')).toEqual([]);
  });
});

describe('controller store: audit', () => {
  const entry = (siteName: string, atMs: number, actor = 'ann'): AuditEntry => ({
    siteName,
    atMs,
    actor,
    action: 'operation.pause',
    target: 'mail1',
    outcome: 'done',
    reason: null,
    detail: null,
    requestId: null,
  });

  it('comes newest first, over days, and before a moment', async () => {
    const site = `site-${ulid()}`;
    const atMs = [nowMs - 2 * 86_400_000, nowMs - 86_400_000, nowMs - 2, nowMs];
    for (const one of atMs) await store.appendAudit(entry(site, one));
    const times = async (options: { limit: number; beforeMs?: number }): Promise<number[]> =>
      (await store.readAudit(site, options)).map((one) => one.atMs);
    expect(await times({ limit: 10 })).toEqual([...atMs].reverse());
    expect(await times({ limit: 2 })).toEqual([nowMs, nowMs - 2]);
    expect(await times({ limit: 10, beforeMs: nowMs - 2 })).toEqual([atMs[1], atMs[0]]);
  });

  it('is one chain of hashes, however many write at once, and over the end of a day', async () => {
    const site = `site-${ulid()}`;
    await store.appendAudit(entry(site, nowMs - 86_400_000, 'yesterday'));
    const actors = Array.from({ length: 12 }, (_, index) => `actor${index}`);
    await Promise.all(actors.map((actor) => store.appendAudit(entry(site, nowMs, actor))));
    const text = 'SELECT seq, body, previous_hash, hash FROM {ks}.audit WHERE site = ? AND day = ?';
    let former = '';
    for (const atMs of [nowMs - 86_400_000, nowMs]) {
      const day = new Date(atMs).toISOString().slice(0, 10);
      const rows = await session.read('test', cql(keyspace, 'audit', text), [site, day]);
      for (const row of [...rows].reverse()) {
        expect(row['previous_hash']).toBe(former);
        former = hashOf(former, String(row['body']));
        expect(row['hash']).toBe(former);
      }
    }
    expect(await store.readAudit(site, { limit: 100 })).toHaveLength(13);
    const days = cql(
      keyspace,
      'audit_days',
      'SELECT seq, hash FROM {ks}.audit_days WHERE site = ?',
    );
    expect(await session.readOne('test', days, [site])).toMatchObject({ seq: 12, hash: former });
  });
});

describe('accounts', () => {
  it('lets a sign-in link work once, also when it is used twice at the same moment', async () => {
    const link = {
      secretHash: randomUUID(),
      role: 'admin',
      createdBy: 'terminal',
      expiresAtMs: Date.now() + 60_000,
    } as const;
    await accounts.saveSignInLink(link);
    const uses = await Promise.all(
      Array.from({ length: 5 }, () => accounts.useSignInLink(link.secretHash)),
    );
    expect(uses.filter((use) => use !== null)).toEqual([link]);
    expect(await accounts.useSignInLink(link.secretHash)).toBeNull();
    expect(await accounts.useSignInLink('unknown')).toBeNull();
  });

  it('lets a sign-in link expire', async () => {
    const secretHash = randomUUID();
    const expiresAtMs = Date.now() - 1;
    await accounts.saveSignInLink({ secretHash, role: 'viewer', createdBy: 'x', expiresAtMs });
    expect(await accounts.useSignInLink(secretHash)).toBeNull();
  });

  it('keeps sessions until they end or expire', async () => {
    const session1 = {
      secretHash: randomUUID(),
      role: 'operator',
      name: 'ann',
      createdAtMs: nowMs,
      expiresAtMs: Date.now() + 60_000,
    } as const;
    await accounts.saveSession(session1);
    expect(await accounts.readSession(session1.secretHash)).toEqual(session1);
    await accounts.removeSession(session1.secretHash);
    expect(await accounts.readSession(session1.secretHash)).toBeNull();
    const old = { ...session1, secretHash: randomUUID(), expiresAtMs: Date.now() - 1 };
    await accounts.saveSession(old);
    expect(await accounts.readSession(old.secretHash)).toBeNull();
  });

  it('keeps tokens until they are removed or expire', async () => {
    const token = {
      tokenId: ulid(),
      secretHash: randomUUID(),
      name: 'monitoring',
      role: 'viewer',
      createdBy: 'ann',
      createdAtMs: nowMs,
      expiresAtMs: null,
    } as const;
    const expired = { ...token, tokenId: ulid(), secretHash: randomUUID(), expiresAtMs: nowMs - 1 };
    await accounts.saveToken(token);
    await accounts.saveToken(expired);
    expect(await accounts.readTokenByHash(token.secretHash)).toEqual(token);
    expect(await accounts.readTokenByHash(expired.secretHash)).toBeNull();
    expect(await accounts.readTokenByHash('unknown')).toBeNull();
    expect(await accounts.listTokens()).toHaveLength(2);
    expect(await accounts.removeToken(token.tokenId)).toBe(true);
    expect(await accounts.removeToken(token.tokenId)).toBe(false);
    expect(await accounts.readTokenByHash(token.secretHash)).toBeNull();
  });

  it('lets one of several equal requests begin, and gives its answer to the others', async () => {
    const key = ulid();
    const begin = (): Promise<unknown> => accounts.beginIdempotent('ann', key, 'hash1');
    const begun = await Promise.all([begin(), begin(), begin()]);
    expect(begun.filter((one) => one === 'begun')).toHaveLength(1);
    expect(begun.filter((one) => one === 'inProgress')).toHaveLength(2);
    const answer = { requestHash: 'hash1', status: 202, body: '{"operationId":"x"}' };
    await accounts.finishIdempotent('ann', key, answer);
    expect(await begin()).toEqual(answer);
    expect(await accounts.beginIdempotent('bob', key, 'hash1')).toBe('begun');
  });
});
