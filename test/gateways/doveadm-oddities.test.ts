/** What real servers were recorded to answer, byte by byte, and what becomes of it. */
import { afterEach, describe, expect, it } from 'vitest';
import { createDoveadm } from '../../gateways/doveadm/http-doveadm.ts';
import { DONE, DoveadmReplay, http } from './doveadm-replay.ts';
import type { Reply } from './doveadm-replay.ts';
import { failureOf, metrics } from './gateway-rig.ts';

const replay = new DoveadmReplay();

afterEach(() => {
  replay.stop();
});

describe('doveadm: recorded oddities', () => {
  it('reads `who` in its right shape', async () => {
    const doveadm = await replay.start(
      http(
        '200 OK',
        '[["doveadmResponse",[{"username":"u4","service":"imap","pid":"8790","ip":"127.0.0.1"},{"username":"u1","service":"imap","pid":"8788","ip":"127.0.0.1"},{"username":"u1","service":"imap","pid":"8789","ip":"127.0.0.1"}],"t1"]]',
      ),
    );
    expect(await doveadm.who('mail1')).toEqual(new Set(['u4', 'u1']));
  });

  it('reads `who` in the wrong shape that CE gives for several users', async () => {
    const doveadm = await replay.start(
      http(
        '200 OK',
        '[["doveadmResponse",[{"username":"u1","connections":"2","service":"imap","pids":"(8788 8789)","ips":"(127.0.0.1)"}],{"username":"u4","connections":"1","service":"imap","pids":"(8790)","ips":"(127.0.0.1)"},"t1"]]',
      ),
    );
    expect(await doveadm.who('mail1')).toEqual(new Set(['u1', 'u4']));
  });

  it('reads numbers where CE gives strings', async () => {
    const doveadm = await replay.start(http('200 OK', '[["doveadmResponse",[{"count":1}],"t1"]]'));
    await expect(doveadm.proxyKick('mail1', 'u1')).resolves.toBeUndefined();
  });

  it('takes nobody to kick for done', async () => {
    const doveadm = await replay.start(
      http('200 OK', '[["error",{"type":"exitCode", "exitCode":68},"t1"]]'),
    );
    await expect(doveadm.kick('mail1', 'u1')).resolves.toBeUndefined();
    expect(replay.bodyOf(0)).toEqual([['kick', { mask: ['u1'] }, 't1']]);
  });

  it('lists the sessions of a proxy to one Backend by its address', async () => {
    const doveadm = await replay.start(
      http(
        '200 OK',
        '[["doveadmResponse",[{"username":"u2","service":"imap","src-ip":"127.0.0.1","dest-ip":"127.0.2.2","dest-port":"10143"},{"username":"u1","service":"imap","src-ip":"127.0.0.1","dest-ip":"127.0.2.1","dest-port":"10143"}],"t1"]]',
      ),
    );
    expect(await doveadm.listProxySessions('mail1', 'mail2')).toEqual(new Set(['u2']));
  });

  it.each<[string, string, object]>([
    [
      'unknownMethod',
      '{"type":"unknownMethod", "exitCode":0}',
      { code: 'UnknownCommand', isTemporary: false },
    ],
    [
      'invalidRequest',
      '{"type":"invalidRequest", "exitCode":0}',
      { code: 'InvalidArgument', isTemporary: false },
    ],
    [
      'unAuthorized',
      '{"type":"unAuthorized", "exitCode":0}',
      { code: 'Unauthorized', isTemporary: false },
    ],
    [
      'internalError',
      '{"type":"internalError", "exitCode":0}',
      { code: 'Refused', isTemporary: true },
    ],
    [
      'exit code 64',
      '{"type":"exitCode", "exitCode":64}',
      { code: 'InvalidArgument', isTemporary: false },
    ],
    [
      'exit code 67',
      '{"type":"exitCode", "exitCode":67}',
      { code: 'NotFound', isTemporary: false },
    ],
    [
      'exit code 68',
      '{"type":"exitCode", "exitCode":68}',
      { code: 'NotFound', isTemporary: false },
    ],
    ['exit code 75', '{"type":"exitCode", "exitCode":75}', { code: 'Refused', isTemporary: true }],
    [
      'exit code as text',
      '{"type":"exitCode", "exitCode":"75"}',
      { code: 'Refused', isTemporary: true },
    ],
    ['no type', '{"exitCode":75}', { code: 'BadAnswer', isTemporary: true }],
  ])('names an error inside the answer: %s', async (_name, element, expected) => {
    const doveadm = await replay.start(http('200 OK', `[["error",${element},"t1"]]`));
    const error = await failureOf(doveadm.who('mail1'));
    expect(error).toMatchObject({ system: 'doveadm', subject: 'mail1', ...expected });
  });

  it.each<[string, string]>([
    [
      'a missing comma',
      '[["doveadmResponse",[],"a"]["error",{"type":"unknownMethod", "exitCode":0},"t1"]]',
    ],
    ['half an answer', '[["doveadmResponse",[{"username":"u1"'],
    ['no array', '{"ok":true}'],
    ['an empty array', '[]'],
    ['another tag', '[["doveadmResponse",[],"t2"]]'],
    ['another kind', '[["somethingElse",[],"t1"]]'],
    ['null', 'null'],
    ['nothing', ''],
  ])('calls nonsense a bad answer: %s', async (_name, body) => {
    const doveadm = await replay.start(http('200 OK', body));
    expect(await failureOf(doveadm.who('mail1'))).toMatchObject({
      code: 'BadAnswer',
      isTemporary: true,
      subject: 'mail1',
    });
  });

  it.each<[string, Reply, object]>([
    ['401', http('401 Authentication required', ''), { code: 'Unauthorized', isTemporary: false }],
    [
      '400',
      http('400 Bad Request', "JSON parse error: Missing '}'", 'text/plain; charset=utf-8'),
      { code: 'InvalidArgument', isTemporary: false },
    ],
    [
      '404',
      http('404 Not Found', 'Path Not Found', 'text/plain'),
      { code: 'NotFound', isTemporary: false },
    ],
    ['500', http('500 Internal Server Error', ''), { code: 'Refused', isTemporary: true }],
    [
      'no HTTP at all',
      { bytes: 'VERSION\tstats-reader-server\t2\t0\n' },
      { code: 'BadAnswer', isTemporary: true },
    ],
    [
      'a body cut short',
      { bytes: DONE.bytes.slice(0, -5) },
      { code: 'BadAnswer', isTemporary: true },
    ],
  ])('names what HTTP says: %s', async (_name, bytes, expected) => {
    const doveadm = await replay.start(bytes);
    expect(await failureOf(doveadm.who('mail1'))).toMatchObject({ subject: 'mail1', ...expected });
  });

  it.each<[string, Reply]>([
    ['closes', 'close'],
    ['resets', 'reset'],
  ])(
    'tries once more when the server %s without an answer, and once only',
    async (_name, reply) => {
      const doveadm = await replay.start(reply, DONE);
      expect(await doveadm.who('mail1')).toEqual(new Set());
      expect(replay.requests).toHaveLength(2);
      const stubborn = await replay.start(reply);
      replay.requests = [];
      expect(await failureOf(stubborn.who('mail1'))).toMatchObject({
        code: 'BadAnswer',
        isTemporary: true,
      });
      expect(replay.requests).toHaveLength(2);
    },
  );

  it('knows a host that does not listen from one that does not answer', async () => {
    const nobody = createDoveadm(
      { port: 9, apiKey: null, hostAddresses: { mail1: '127.0.0.1' } },
      metrics,
    );
    expect(await failureOf(nobody.who('mail1'))).toMatchObject({
      code: 'Unreachable',
      isTemporary: true,
    });
    expect(await nobody.isAnswering('mail1', 500)).toBe(false);
    const silent = await replay.start('silence');
    const startedMs = Date.now();
    expect(
      await failureOf(silent.readCommands('mail1', { timeoutMs: 300, maxAgeMs: 0 })),
    ).toMatchObject({ code: 'Timeout', isTemporary: true });
    expect(await silent.isAnswering('mail1', 300)).toBe(false);
    expect(Date.now() - startedMs).toBeLessThan(2000);
  });

  it('knows a name that cannot be resolved from a host that does not listen', async () => {
    const nameless = createDoveadm({ port: 9, apiKey: null, hostAddresses: {} }, metrics);
    const name = 'no-such-host.invalid';
    expect(await failureOf(nameless.who(name))).toMatchObject({
      code: 'NameNotResolved',
      isTemporary: true,
      subject: name,
    });
    expect(await nameless.findSilence(name, 500)).toBe('NameNotResolved');
    // Not even asked in time: nobody has told where the host is.
    expect(await nameless.findSilence('another.invalid', 1)).toBe('NameNotResolved');
    expect(await nameless.findSilence('127.0.0.1', 500)).toBe('Unreachable');
  });

  it('sends the key, one command and no word about the connection', async () => {
    const doveadm = await replay.start(DONE);
    await doveadm.updateStatus('mail1', 'mail2', 'offline');
    expect(replay.requests[0]).toMatch(/authorization: X-Dovecot-API bGFiYXBpa2V5\r\n/i);
    expect(replay.requests[0]).not.toMatch(/\r\nconnection:/i);
    expect(replay.bodyOf(0)).toEqual([
      ['clusterBackendUpdate', { host: 'mail2', status: 'offline' }, 't1'],
    ]);
  });
});
