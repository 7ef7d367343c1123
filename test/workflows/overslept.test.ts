/** A worker that was stopped and goes on later: it must not act on plans from before. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { assertAwake, withHeartbeat } from '../../activities/heartbeat.ts';

/** Nothing of this process's JavaScript runs meanwhile, timers included: so it is after a SIGSTOP. */
function stopFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Of an attempt that Temporal has just handed out. */
const prompt = () => ({ currentAttemptScheduledTimestampMs: Date.now() });

describe('an attempt whose worker was stopped', () => {
  it('takes no new timestamp, neither at once nor after its heart beats again', async () => {
    const environment = new MockActivityEnvironment(prompt());
    const attempt = environment.run(() =>
      withHeartbeat(async () => {
        assertAwake();
        stopFor(1_700);
        expect(assertAwake).toThrow(/did not run for more than 1500 ms/);
        // The timers of the heartbeat run before this does.
        for (let turns = 0; turns < 5; turns += 1) await turn();
        assertAwake();
      }),
    );
    await expect(attempt).rejects.toMatchObject({ type: 'Overslept', nonRetryable: false });
  });

  it('tells nothing more to the server, so that a successor is started', async () => {
    const environment = new MockActivityEnvironment(prompt());
    let beats = 0;
    environment.on('heartbeat', () => (beats += 1));
    await environment.run(() =>
      withHeartbeat(async () => {
        stopFor(1_700);
        for (let turns = 0; turns < 5; turns += 1) await turn();
      }),
    );
    expect(beats).toBe(0);
  });

  it('asks at once whether it has a successor where it began late', async () => {
    const late = { currentAttemptScheduledTimestampMs: Date.now() - 600 };
    const environment = new MockActivityEnvironment(late);
    let beats = 0;
    environment.on('heartbeat', () => (beats += 1));
    await environment.run(() => withHeartbeat(() => Promise.resolve()));
    expect(beats).toBe(1);
  });

  it('goes on where it was only slow', async () => {
    const environment = new MockActivityEnvironment(prompt());
    let beats = 0;
    environment.on('heartbeat', () => (beats += 1));
    await environment.run(() =>
      withHeartbeat(async () => {
        for (let times = 0; times < 3; times += 1) {
          stopFor(600);
          for (let turns = 0; turns < 5; turns += 1) await turn();
          assertAwake();
        }
      }),
    );
    expect(beats).toBe(3);
  });
});
