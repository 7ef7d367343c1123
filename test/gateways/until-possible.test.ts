import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../gateways/gateway-error.ts';
import { untilPossible } from '../../gateways/until-possible.ts';
import { logger } from './gateway-rig.ts';

const failure = (isTemporary: boolean): GatewayError =>
  new GatewayError('no', {
    system: 'cassandra',
    operation: 'migrate',
    code: isTemporary ? 'Timeout' : 'MissingTable',
    isTemporary,
    subject: 'schema_lock',
  });

describe('a one-time command', () => {
  it('tries temporary trouble again', async () => {
    let calls = 0;
    const work = (): Promise<string> => {
      calls += 1;
      return calls < 3 ? Promise.reject(failure(true)) : Promise.resolve('done');
    };
    expect(await untilPossible('try', logger, work, 1)).toBe('done');
    expect(calls).toBe(3);
  });

  it('gives up on trouble that stays, and at once on a refusal', async () => {
    for (const [isTemporary, expected] of [
      [true, 5],
      [false, 1],
    ] as const) {
      let calls = 0;
      const work = (): Promise<never> => {
        calls += 1;
        return Promise.reject(failure(isTemporary));
      };
      await expect(untilPossible('try', logger, work, 1)).rejects.toThrow('no');
      expect(calls).toBe(expected);
    }
  });
});
