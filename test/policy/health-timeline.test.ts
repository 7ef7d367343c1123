/** `check_backend_health` in closed loop: what comes of a fault, minute after minute, on a virtual clock. */
import { describe, expect, it } from 'vitest';
import { ENABLED } from '../support/cluster-builders.ts';
import { HealthWorld } from '../support/health-world.ts';

const usersOf = (world: HealthWorld) =>
  Math.round(world.backends.reduce((sum, { users }) => sum + users, 0));
const operationOf = (world: HealthWorld, host: string) => world.backend(host).operation;

/** Three of four fail 15 s apart; evacuations are slow, so that protection finds them running. */
function oneAfterAnother(): HealthWorld {
  const world = new HealthWorld();
  world.roundSecs = 20;
  for (const host of ['mail1', 'mail2', 'mail3']) {
    world.deny(host);
    world.run(15);
  }
  return world;
}

describe('a site without faults', () => {
  it('is left alone', () => {
    const world = new HealthWorld();
    world.run(600);
    expect(world.acts()).toEqual([]);
  });
});

describe('one Backend of four failing', () => {
  it('is evacuated within a run of its verdict, and set offline when it is empty', () => {
    const world = new HealthWorld();
    world.deny('mail1');
    world.run(60);
    expect(world.acts()).toEqual(['evacuate FailureRateCritical mail1']);
    expect(world.backend('mail1')).toMatchObject({ status: 'offline', users: 0 });
    expect(usersOf(world)).toBe(2_000);
  });

  it('stays under its evacuation however few attempts are left to judge by', () => {
    const world = new HealthWorld();
    world.roundSecs = 120;
    world.deny('mail1');
    world.run(20);
    world.backend('mail1').users = 1;
    for (let minute = 0; minute < 8; minute += 1) {
      world.run(50);
      expect(world.backend('mail1').memory.verdict).not.toBe('healthy');
    }
    expect(world.acts()).toEqual(['evacuate FailureRateCritical mail1']);
  });

  it('comes back by itself after it was restored, and is judged anew', () => {
    const world = new HealthWorld();
    world.deny('mail1');
    world.run(60);
    world.restore('mail1');
    world.run(40);
    expect(world.acts()).toEqual([
      'evacuate FailureRateCritical mail1',
      'setOnline ProbesSucceed mail1',
    ]);
    world.backend('mail1').users = 500;
    world.run(60);
    expect(world.backend('mail1').memory.verdict).toBe('healthy');
    expect(world.acts()).toHaveLength(2);
  });

  it('keeps its users where it recovers half-way', () => {
    const world = new HealthWorld();
    world.roundSecs = 20;
    world.deny('mail1');
    world.run(40);
    world.restore('mail1');
    world.run(120);
    expect(world.acts().at(-1)).toBe('endEvacuation FailureRateRecovered mail1');
    expect(world.backend('mail1')).toMatchObject({ status: 'online', operation: null });
    expect(world.backend('mail1').users).toBeGreaterThan(0);
  });

  it('is held down longer each time it fails again', () => {
    const world = new HealthWorld();
    const heldSecs: number[] = [];
    for (let time = 0; time < 4; time += 1) {
      world.backend('mail1').users = 500;
      world.deny('mail1');
      while (world.backend('mail1').status === 'online') world.run(1);
      world.restore('mail1');
      const offlineAt = world.nowSecs;
      while (world.backend('mail1').status === 'offline') world.run(1);
      heldSecs.push(world.nowSecs - offlineAt);
    }
    for (const [index, atLeast] of [15, 30, 60, 60].entries()) {
      expect(heldSecs[index]).toBeGreaterThanOrEqual(atLeast);
      expect(heldSecs[index]).toBeLessThan(atLeast + 20);
    }
  });

  it('only in part loses some users at a time, in cool time none', () => {
    const world = new HealthWorld();
    world.backend('mail1').fault = 0.3;
    world.run(70);
    expect(world.acts()).toEqual(['movePartially FailureRateDegraded mail1']);
    world.run(60);
    expect(world.acts()).toHaveLength(2);
    world.restore('mail1');
    world.run(40);
    expect(world.backend('mail1').memory.verdict).toBe('healthy');
  });

  it('under DryRun is decided about, and nothing happens', () => {
    const world = new HealthWorld();
    world.features = { ...ENABLED, BackendHealthAutoHandling: 'dryRun' };
    world.deny('mail1');
    world.run(120);
    expect(new Set(world.acts())).toEqual(new Set(['dry evacuate FailureRateCritical mail1']));
    expect(world.backend('mail1')).toMatchObject({ status: 'online', users: 500, operation: null });
  });
});

describe('three of four failing', () => {
  it('at once: nobody is moved, and protection lets go once they are restored', () => {
    const world = new HealthWorld();
    world.deny('mail1', 'mail2', 'mail3');
    world.run(200);
    expect(world.acts()).toEqual([]);
    expect(world.log.at(-2)?.text).toBe('nothing CatastropheProtection mail1+mail2+mail3');
    world.restore('mail1', 'mail2', 'mail3');
    world.run(40);
    expect(world.acts()).toEqual([]);
    expect(world.log.at(-1)?.text).toBe('nothing Healthy mail1+mail2+mail3+mail4');
  });

  it('one after another: what runs pauses, the third does not start, and so it stays', () => {
    const world = oneAfterAnother();
    world.run(300);
    expect(world.acts()).toEqual([
      'evacuate FailureRateCritical mail1',
      'evacuate FailureRateCritical mail2',
      'pauseOperation CatastropheProtection mail1',
      'pauseOperation CatastropheProtection mail2',
    ]);
    expect(world.backend('mail3')).toMatchObject({ operation: null });
  });

  it('one after another, then restored: evacuations end, and none goes on for a moment before', () => {
    const world = oneAfterAnother();
    world.run(60);
    const restoredAt = world.nowSecs;
    world.restore('mail1', 'mail2', 'mail3');
    world.run(120);
    expect(world.acts(restoredAt)).toEqual([
      'endEvacuation FailureRateRecovered mail1',
      'endEvacuation FailureRateRecovered mail2',
    ]);
    expect(world.backends.map(({ status }) => status)).toEqual(Array(4).fill('online'));
  });

  it('with one that is empty by then: it is set offline, probed, and returns', () => {
    const world = oneAfterAnother();
    world.run(10);
    world.backend('mail4').users += world.backend('mail1').users;
    world.backend('mail1').users = 0;
    world.run(10);
    expect(world.acts().at(-1)).toBe('setOffline EmptyAndCritical mail1');
    world.restore('mail1', 'mail2', 'mail3');
    world.run(120);
    expect(world.acts()).toContain('setOnline ProbesSucceed mail1');
    expect(operationOf(world, 'mail2')).toBeNull();
  });

  it('with one that has too few users left to judge: protection lets go of it without wavering', () => {
    const world = oneAfterAnother();
    world.roundSecs = 60;
    world.run(10);
    world.backend('mail4').users += world.backend('mail1').users - 5;
    world.backend('mail1').users = 5;
    world.restore('mail2', 'mail3');
    world.run(900);
    const pauses = world.acts().filter((text) => text.startsWith('pauseOperation'));
    expect(pauses).toHaveLength(2);
    expect(world.backend('mail1')).toMatchObject({ status: 'offline', users: 0 });
    expect(usersOf(world)).toBe(2_000);
  });

  it('that all have too few users left: each is emptied, probed and returns', () => {
    const world = oneAfterAnother();
    world.run(10);
    for (const host of ['mail1', 'mail2']) {
      world.backend('mail4').users += world.backend(host).users - 5;
      world.backend(host).users = 5;
    }
    world.run(700);
    const turns = world.acts().filter((text) => /^(pause|resume)Operation/.test(text));
    expect(turns.length).toBeLessThanOrEqual(8);
  });

  it('going blind meanwhile lets nothing go on', () => {
    const world = oneAfterAnother();
    world.run(20);
    const blindSince = world.nowSecs;
    world.isBlind = true;
    world.run(600);
    expect(world.acts(blindSince)).toEqual([]);
    world.isBlind = false;
    world.run(60);
    expect(operationOf(world, 'mail1')?.state).toBe('paused');
  });
});

describe('the smallest sites', () => {
  it('of one Backend never move anybody', () => {
    const world = new HealthWorld(1);
    world.deny('mail1');
    world.run(200);
    expect(world.acts()).toEqual([]);
  });

  it('of two move off one, and never off both', () => {
    const world = new HealthWorld(2);
    world.deny('mail1');
    world.run(60);
    expect(world.backend('mail1')).toMatchObject({ status: 'offline', users: 0 });
    world.deny('mail2');
    world.run(200);
    expect(world.backend('mail2')).toMatchObject({ status: 'online', operation: null });
    expect(usersOf(world)).toBe(1_000);
  });
});
