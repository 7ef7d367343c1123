import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDoveadm } from '../../gateways/doveadm/http-doveadm.ts';
import type { Doveadm } from '../../gateways/doveadm/doveadm.ts';
import { eventually } from '../support/eventually.ts';
import { DOVEADM_PORT, logIn, startBackend, startProxy } from './dovecot-rig.ts';
import type { RunningDovecot } from './dovecot-rig.ts';
import { failureOf, metrics } from './gateway-rig.ts';

let backend: RunningDovecot;
let proxy: RunningDovecot;
let doveadm: Doveadm;

beforeAll(async () => {
  backend = await startBackend();
  proxy = await startProxy(backend);
  doveadm = createDoveadm(
    {
      port: DOVEADM_PORT,
      apiKey: 'labapikey',
      hostAddresses: { mail1: backend.address, proxy1: proxy.address },
    },
    metrics,
  );
});

afterAll(async () => {
  await Promise.all([backend.stop(), proxy.stop()]);
});

describe('doveadm: a real Dovecot', () => {
  it('answers, and knows no cluster commands', async () => {
    expect(await doveadm.isAnswering('mail1', 2000)).toBe(true);
    expect(await doveadm.readCommands('mail1', { timeoutMs: 2000, maxAgeMs: 0 })).toEqual({
      hasClusterCommands: false,
      hasUserList: false,
      hasMoveTimestamp: false,
    });
  });

  it('lists the users with sessions and ends those of one of them', async () => {
    const sessions = await Promise.all(
      ['u1', 'u1', 'u2', 'u3'].map((u) => logIn(backend.address, u)),
    );
    expect(await doveadm.who('mail1')).toEqual(new Set(['u1', 'u2', 'u3']));
    await doveadm.kick('mail1', 'u1');
    await eventually('the sessions of u1 are over', () =>
      sessions.slice(0, 2).every((session) => !session.isOpen()),
    );
    await eventually('only the others are left', async () => {
      const users = await doveadm.who('mail1');
      return users.size === 2 && !users.has('u1');
    });
    for (const session of sessions) session.close();
  });

  it('kicks nobody without an error', async () => {
    await expect(doveadm.kick('mail1', 'nobody-here')).resolves.toBeUndefined();
    await expect(doveadm.proxyKick('proxy1', 'nobody-here')).resolves.toBeUndefined();
  });

  it('lists and ends sessions that a proxy passes on', async () => {
    const session = await logIn(proxy.address, 'u7');
    expect(await doveadm.listProxySessions('proxy1', 'mail1')).toEqual(new Set(['u7']));
    expect(await doveadm.listProxySessions('proxy1', '127.0.0.99')).toEqual(new Set());
    await doveadm.proxyKick('proxy1', 'u7');
    await eventually('the session is over', () => !session.isOpen());
    expect(await doveadm.listProxySessions('proxy1', 'mail1')).toEqual(new Set());
  });

  it('is told that the key is wrong', async () => {
    const stranger = createDoveadm(
      { port: DOVEADM_PORT, apiKey: 'wrong', hostAddresses: { mail1: backend.address } },
      metrics,
    );
    expect(await failureOf(stranger.who('mail1'))).toMatchObject({
      code: 'Unauthorized',
      isTemporary: false,
      subject: 'mail1',
    });
    expect(await stranger.isAnswering('mail1', 1000)).toBe(false);
  });

  it('is told that a command is unknown', async () => {
    expect(await failureOf(doveadm.updateStatus('mail1', 'mail1', 'offline'))).toMatchObject({
      code: 'UnknownCommand',
      isTemporary: false,
      subject: 'mail1',
    });
  });

  it('cannot find a host that has no address', async () => {
    expect(await failureOf(doveadm.who('no-such-host.invalid'))).toMatchObject({
      code: 'NameNotResolved',
      isTemporary: true,
      subject: 'no-such-host.invalid',
    });
  });
});
