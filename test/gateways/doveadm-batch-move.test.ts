import { afterEach, describe, expect, it } from 'vitest';
import type { Reply } from './doveadm-replay.ts';
import { DONE, DoveadmReplay, http } from './doveadm-replay.ts';
import { failureOf } from './gateway-rig.ts';

const replay = new DoveadmReplay();

afterEach(() => {
  replay.stop();
});

const COMMANDS = (...names: string[]): Reply =>
  http(
    '200 OK',
    JSON.stringify([
      {
        command: 'clusterUserBatchMove',
        parameters: names.map((name) => ({ name, type: name === 'user' ? 'array' : 'integer' })),
      },
    ]),
  );
describe('doveadm: batch move', () => {
  const request = {
    sourceHost: 'mail1',
    targetHost: 'mail2',
    minLastMovedSecs: null,
    maxParallel: 100,
    moveTimestampMicros: 1_700_000_000_000_001,
    timeoutMs: 3000,
  };
  const users = (count: number): string[] => Array.from({ length: count }, (_, at) => `u${at}`);

  it('sends the users, the target and what the host knows', async () => {
    const doveadm = await replay.start(
      COMMANDS('user', 'destHost', 'maxUsers', 'minLastMoved', 'moveTimestamp', 'maxParallel'),
      DONE,
    );
    await doveadm.batchMove({ ...request, usernames: ['a', 'b'], minLastMovedSecs: 300 });
    expect(replay.bodyOf(1)).toEqual([
      [
        'clusterUserBatchMove',
        {
          destHost: 'mail2',
          user: ['a', 'b'],
          minLastMoved: 300,
          moveTimestamp: 1_700_000_000_000_001,
          maxParallel: 100,
        },
        't1',
      ],
    ]);
  });

  it('leaves out what the host does not know, and counts where it takes no list', async () => {
    const doveadm = await replay.start(COMMANDS('destHost', 'maxUsers'), DONE);
    await doveadm.batchMove({ ...request, usernames: users(7), minLastMovedSecs: 300 });
    expect(replay.bodyOf(1)).toEqual([
      ['clusterUserBatchMove', { destHost: 'mail2', maxUsers: 7 }, 't1'],
    ]);
    expect(await doveadm.readCommands('mail1', { timeoutMs: 500, maxAgeMs: 60_000 })).toEqual({
      hasClusterCommands: true,
      hasUserList: false,
      hasMoveTimestamp: false,
    });
  });

  it('sends at most 200 users a command, and asks for the commands once', async () => {
    const doveadm = await replay.start(COMMANDS('user', 'destHost'), DONE);
    await doveadm.batchMove({ ...request, usernames: users(450) });
    const sizes = [1, 2, 3].map((at) => {
      const [[, parameters]] = replay.bodyOf(at) as [[string, { user: string[] }]];
      return parameters.user.length;
    });
    expect(sizes).toEqual([200, 200, 50]);
    await doveadm.batchMove({ ...request, usernames: users(1) });
    expect(replay.requests).toHaveLength(5);
  });

  it('refuses where the host has no such command', async () => {
    const doveadm = await replay.start(http('200 OK', '[{"command":"who","parameters":[]}]'));
    expect(await failureOf(doveadm.batchMove({ ...request, usernames: ['a'] }))).toMatchObject({
      code: 'UnknownCommand',
      isTemporary: false,
      subject: 'mail1',
    });
  });

  it('ends in time where the host freezes in the middle', async () => {
    const doveadm = await replay.start(COMMANDS('user', 'destHost'), 'silence');
    const error = await failureOf(
      doveadm.batchMove({ ...request, usernames: ['a'], timeoutMs: 400 }),
    );
    expect(error).toMatchObject({ code: 'Timeout', operation: 'batchMove', isTemporary: true });
  });

  it('passes a cancellation on as it is', async () => {
    const doveadm = await replay.start(COMMANDS('user', 'destHost'), 'silence');
    const cancel = new AbortController();
    const reason = new Error('cancelled by the operator');
    setTimeout(() => {
      cancel.abort(reason);
    }, 100);
    await expect(
      doveadm.batchMove({ ...request, usernames: ['a'], signal: cancel.signal }),
    ).rejects.toBe(reason);
  });
});
