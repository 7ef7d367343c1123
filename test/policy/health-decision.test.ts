import { describe, expect, it } from 'vitest';
import type { Decision } from '../../workflows/domain/decision.ts';
import { gatherNothings, healthDecision } from '../../workflows/policy/health-decision.ts';

const nothing = (host: string, fields: Partial<Decision> = {}) =>
  healthDecision('nothing', fields.reason ?? 'Healthy', {
    hosts: [host],
    backendId: `id-${host}`,
    numbers: { attempts: 5 },
    ...fields,
  });

describe('healthDecision', () => {
  it('is about the site and not a dry run unless said otherwise', () => {
    expect(healthDecision('nothing', 'NoBackends')).toEqual({
      task: 'check_backend_health',
      kind: 'nothing',
      reason: 'NoBackends',
      hosts: [],
      backendId: null,
      operationId: null,
      isDryRun: false,
      numbers: {},
      limitingSetting: null,
      detail: null,
    });
  });
});

describe('gatherNothings', () => {
  it('makes one row of Backends that nothing is done on for the same reason', () => {
    const gathered = gatherNothings([nothing('mail2'), nothing('mail1'), nothing('mail3')]);
    expect(gathered).toEqual([
      nothing('mail2', { hosts: ['mail1', 'mail2', 'mail3'], backendId: null, numbers: {} }),
    ]);
  });

  it('keeps the numbers of a row about one Backend', () => {
    expect(gatherNothings([nothing('mail1')])).toEqual([nothing('mail1', { backendId: null })]);
  });

  it.each([
    { by: 'reason', fields: { reason: 'Standby' as const } },
    { by: 'detail', fields: { detail: 'backend' } },
    { by: 'operation', fields: { operationId: 'operation-1' } },
    { by: 'dry run', fields: { isDryRun: true } },
  ])('keeps rows apart that differ by $by', ({ fields }) => {
    expect(gatherNothings([nothing('mail1'), nothing('mail2', fields)])).toHaveLength(2);
  });

  it('leaves rows of the site, and whatever is done, as they are and puts them first', () => {
    const site = healthDecision('nothing', 'CatastropheProtection', { hosts: ['mail1', 'mail2'] });
    const act = healthDecision('evacuate', 'FailureRateCritical', { hosts: ['mail1'] });
    expect(gatherNothings([nothing('mail3'), site, act])).toEqual([
      site,
      act,
      nothing('mail3', { backendId: null }),
    ]);
  });
});
