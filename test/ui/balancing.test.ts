import { describe, expect, it } from 'vitest';
import { byScore, EXCLUSION_CODES, partInBalancing } from '../../ui/src/format/balancing.ts';
import { BALANCING_EXCLUSIONS } from '../../workflows/policy/exclude-from-balancing.ts';
import { reasonSentence } from '../../ui/src/format/reasons.ts';
import { overview } from '../support/ui-fixtures.ts';

const busy = overview('busy', 1_800_000_000_000, false);
const partOf = (host: string) => {
  const backend = busy.backends.find((each) => each.host === host);
  if (backend === undefined) throw new Error(`the fixture has no ${host}`);
  return partInBalancing(backend, busy.balancing);
};

describe('part in balancing', () => {
  it('has words for every exclusion of the policy', () => {
    expect([...EXCLUSION_CODES].sort()).toEqual([...BALANCING_EXCLUSIONS].sort());
  });

  it('names source, destination, who takes part, and why others do not', () => {
    expect(partOf('mail05').label).toBe('Source');
    expect(partOf('mail11').label).toBe('Destination');
    expect(partOf('mail10')).toMatchObject({ label: 'Eligible' });
    expect(partOf('mail10').note).toContain('Load factor 80');
    expect(partOf('mail02').label).toBe('Excluded: cool time');
    expect(partOf('mail03')).toMatchObject({ tone: 'warn', note: 'degraded' });
    expect(partOf('mail08')).toMatchObject({
      label: 'Excluded: doveadm not reachable',
      note: 'Timeout',
    });
  });

  it('puts the most loaded first and those without a score last', () => {
    const hosts = [...busy.backends].sort(byScore).map(({ host }) => host);
    expect(hosts[0]).toBe('mail05');
    expect(hosts.slice(-5)).toEqual(['mail02', 'mail03', 'mail07', 'mail08', 'mail12']);
  });

  it('says what a move is expected to change', () => {
    const { numbers } = busy.balancing.wouldNow;
    const facts = { numbers, limitingSetting: null, detail: null, hostCount: 2 };
    expect(reasonSentence('ScoreDelta', facts)).toContain('scores +4.70 → +3.90 and −5.34 → −4.40');
  });
});
