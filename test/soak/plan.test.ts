/** Plans of runs: the same for the same seed, within their time, and bearable for a site. */
import { describe, expect, it } from 'vitest';
import { planRun, type PlannedFault } from './plan.ts';
import { hostNames, siteOfHost } from './site-parts.ts';

const SECONDS = 90;
const SEEDS = Array.from({ length: 150 }, (_, index) => index + 1);
const plans = SEEDS.map((seed) => planRun(seed, SECONDS));

const activeAt = (faults: readonly PlannedFault[], secs: number): PlannedFault[] =>
  faults.filter(({ atSecs, forSecs }) => atSecs <= secs && secs < atSecs + forSecs);
const PROCESS_FAULTS = ['kill', 'down', 'stop', 'freeze'];
const BREAKING = ['backendKill', 'backendFreeze', 'deny', 'temp', 'storage'];

describe('the plan of a run', () => {
  it('is the same for the same seed, and another one for another', () => {
    expect(planRun(7, SECONDS)).toEqual(planRun(7, SECONDS));
    expect(planRun(7, SECONDS).faults).not.toEqual(planRun(8, SECONDS).faults);
  });

  it('stays within the run', () => {
    for (const { faults, actions } of plans) {
      for (const { atSecs, forSecs } of faults) {
        expect(atSecs).toBeGreaterThanOrEqual(0);
        expect(atSecs + forSecs).toBeLessThanOrEqual(SECONDS + 0.001);
      }
      for (const { atSecs } of actions) expect(atSecs).toBeLessThanOrEqual(SECONDS);
    }
  });

  it('breaks a Backend for long enough to be acted upon, and does a good deal more', () => {
    for (const { faults, actions } of plans) {
      expect(faults.some(({ kind, forSecs }) => BREAKING.includes(kind) && forSecs > 30)).toBe(
        true,
      );
      expect(faults.length).toBeGreaterThan(SECONDS / 10);
      expect(actions.length).toBeGreaterThan(SECONDS / 10);
    }
  });

  it('leaves half of the Backends of a site alone, unless it is about catastrophe protection', () => {
    for (const { faults, theme } of plans.filter((plan) => plan.theme === 'mixed')) {
      for (let secs = 0; secs < SECONDS; secs += 1) {
        for (const site of ['north', 'south']) {
          const broken = activeAt(faults, secs).filter(
            ({ kind, on }) => BREAKING.includes(kind) && siteOfHost(on) === site,
          );
          const half = hostNames(site, 'backend').length / 2;
          expect(broken.length, `${theme} at ${secs} s`).toBeLessThanOrEqual(half);
        }
      }
    }
    const catastrophes = plans.filter(({ theme }) => theme === 'catastrophe');
    expect(catastrophes.length).toBeGreaterThan(5);
  });

  it('never has two hands on the same part', () => {
    for (const { faults } of plans) {
      for (let secs = 0; secs < SECONDS; secs += 1) {
        const held = activeAt(faults, secs).flatMap(({ kind, on }) => {
          const isWhole = kind === 'backendKill' || kind === 'backendFreeze';
          if (isWhole) return [on, `${on}-cluster`];
          return PROCESS_FAULTS.includes(kind) ? [on] : [`${kind} ${on}`];
        });
        expect(new Set(held).size).toBe(held.length);
      }
    }
  });

  it('knows every kind of fault and every action', () => {
    const kinds = new Set(plans.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
    expect(kinds.size).toBe(13);
    const verbs = new Set(plans.flatMap(({ actions }) => actions.map(({ verb }) => verb)));
    expect(verbs.size).toBe(10);
  });
});
