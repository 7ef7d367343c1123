import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HEALTH_VERDICTS,
  type BackendFacts,
  type HealthVerdict,
} from '../../workflows/domain/cluster-snapshot.ts';
import {
  assessCatastrophe,
  isOfflineByUs,
  type AssessedBackend,
} from '../../workflows/policy/catastrophe.ts';
import {
  aBackend,
  aMemory,
  anOperation,
  offlineByUs,
  settings,
} from '../support/cluster-builders.ts';
import { holdsFor } from '../support/property.ts';

function assessed(
  verdict: HealthVerdict,
  facts: Partial<BackendFacts> = {},
  verdictAgeSecs = 0,
): AssessedBackend {
  return { facts: aBackend(facts), verdict, verdictAgeSecs };
}

const site = (failing: number, of: number, verdict: HealthVerdict = 'critical') =>
  Array.from({ length: of }, (_, index) =>
    assessed(index < failing ? verdict : 'healthy', { host: `mail${index + 1}` }),
  );
const holds = (backends: readonly AssessedBackend[], percent = 50) =>
  assessCatastrophe(backends, { ...settings, failureBackendNumThresholdPercent: percent })
    .isHolding;

/** How many of one failing and two healthy Backends count with this one among them. */
const countOf = (one: AssessedBackend) => assessCatastrophe([one], settings).failing.length;

describe('assessCatastrophe', () => {
  it.each([
    { of: 1, acts: 0, reason: 'nobody is left to move to' },
    { of: 2, acts: 1, reason: 'half is not more than half' },
    { of: 3, acts: 1, reason: 'two thirds are too many' },
    { of: 4, acts: 2, reason: 'three quarters are too many' },
    { of: 5, acts: 2, reason: 'three fifths are too many' },
  ])('acts on up to $acts failing of $of: $reason', ({ of, acts }) => {
    for (let failing = 0; failing <= of; failing += 1) {
      expect(holds(site(failing, of)), `${failing} of ${of}`).toBe(failing > acts);
      expect(holds(site(failing, of, 'degraded')), `${failing} of ${of}`).toBe(failing > acts);
    }
  });

  it.each([
    { percent: 0, failing: 1, expected: true },
    { percent: 0, failing: 0, expected: false },
    { percent: 74, failing: 3, expected: true },
    { percent: 75, failing: 3, expected: false },
    { percent: 100, failing: 4, expected: false },
  ])('with $percent per cent and $failing of 4 failing holds: $expected', (given) => {
    expect(holds(site(given.failing, 4), given.percent)).toBe(given.expected);
  });

  it('has nothing to say about a site without Backends', () => {
    expect(assessCatastrophe([], settings)).toEqual({
      isHolding: false,
      sharePercent: 0,
      thresholdPercent: 50,
      considered: 0,
      failing: [],
    });
  });

  it.each([
    { name: 'healthy', one: assessed('healthy'), expected: 0 },
    { name: 'unknown', one: assessed('unknown'), expected: 0 },
    { name: 'degraded', one: assessed('degraded'), expected: 1 },
    { name: 'critical', one: assessed('critical'), expected: 1 },
    {
      name: 'unknown under a running health evacuation',
      one: assessed('unknown', { operation: anOperation() }),
      expected: 1,
    },
    {
      name: 'healthy under a running health evacuation, which ends now',
      one: assessed('healthy', { operation: anOperation() }),
      expected: 0,
    },
    {
      name: 'unknown for 299 s under a paused health evacuation',
      one: assessed('unknown', { operation: anOperation({ state: 'paused' }) }, 299),
      expected: 1,
    },
    {
      name: 'unknown for 300 s under a paused health evacuation',
      one: assessed('unknown', { operation: anOperation({ state: 'paused' }) }, 300),
      expected: 0,
    },
    {
      name: 'unknown for 300 s under a health evacuation that goes on again',
      one: assessed('unknown', { operation: anOperation() }, 300),
      expected: 0,
    },
    {
      name: 'critical for 300 s under a paused health evacuation',
      one: assessed('critical', { operation: anOperation({ state: 'paused' }) }, 300),
      expected: 1,
    },
    {
      name: 'healthy under a paused health evacuation',
      one: assessed('healthy', { operation: anOperation({ state: 'paused' }) }),
      expected: 0,
    },
    {
      name: "unknown under an operator's evacuation",
      one: assessed('unknown', { operation: anOperation({ cause: 'operator' }) }),
      expected: 0,
    },
    {
      name: 'offline by us',
      one: { ...assessed('healthy'), facts: offlineByUs(900) },
      expected: 1,
    },
  ])('counts a Backend that is $name as $expected', ({ one, expected }) => {
    expect(countOf(one)).toBe(expected);
  });

  it.each([
    { name: 'standby', facts: aBackend({ status: 'standby' }) },
    { name: "offline by an operator's hand", facts: aBackend({ status: 'offline' }) },
  ])('does not consider a Backend that is $name', ({ facts }) => {
    const state = assessCatastrophe([{ facts, verdict: 'critical', verdictAgeSecs: 0 }], settings);
    expect(state).toMatchObject({ considered: 0, failing: [], isHolding: false });
  });

  it('names the failing hosts in order', () => {
    const hosts = ['mail3', 'mail1', 'mail2'];
    const backends = hosts.map((host) => assessed('critical', { host }));
    expect(assessCatastrophe(backends, settings).failing).toEqual(['mail1', 'mail2', 'mail3']);
  });

  it('does not depend on the order of the Backends', () => {
    const verdicts = fc.array(fc.constantFrom<HealthVerdict>(...HEALTH_VERDICTS), {
      maxLength: 12,
    });
    holdsFor(verdicts, (list) => {
      const backends = list.map((verdict, index) => assessed(verdict, { host: `mail${index}` }));
      const turned = assessCatastrophe([...backends].reverse(), settings);
      expect(turned).toEqual(assessCatastrophe(backends, settings));
    });
  });
});

describe('isOfflineByUs', () => {
  const writtenAt = (ours: number | null, now: number | null) =>
    aBackend({
      status: 'offline',
      statusWrittenAtMicros: now,
      memory: aMemory({ offlineWrittenAtMicros: ours }),
    });
  it.each([
    { name: 'our write is the last', facts: writtenAt(5, 5), expected: true },
    { name: 'somebody wrote since', facts: writtenAt(5, 6), expected: false },
    { name: 'we never set it offline', facts: writtenAt(null, null), expected: false },
    { name: 'nothing is remembered', facts: aBackend({ status: 'offline' }), expected: false },
    {
      name: 'it is online',
      facts: { ...writtenAt(5, 5), status: 'online' as const },
      expected: false,
    },
  ])('is $expected where $name', ({ facts, expected }) => {
    expect(isOfflineByUs(facts)).toBe(expected);
  });
});
