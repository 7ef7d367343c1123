import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  DECISION_KINDS,
  decisionHead,
  decisionWhy,
  namedNumber,
  shortDecision,
} from '../../ui/src/format/decisions.ts';
import { stateReasonText } from '../../ui/src/format/operation-states.ts';
import { blindSentence, REASON_SENTENCES, reasonSentence } from '../../ui/src/format/reasons.ts';
import { TASK_NAMES } from '../../ui/src/format/tasks.ts';

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
interface Schema {
  readonly enum?: readonly (string | null)[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

const document = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../api/openapi.json'), 'utf8'),
) as Document;

function enumOf(name: string): string[] {
  const values = document.components.schemas[name]?.enum ?? [];
  return values.filter((value): value is string => value !== null).sort();
}

const PLAIN = { numbers: {}, limitingSetting: null, detail: null, hostCount: 1 };

const EVACUATION = {
  task: 'check_backend_health',
  kind: 'evacuate',
  reason: 'FailureRateCritical',
  hosts: ['mail07'],
  isDryRun: false,
  numbers: { failureRatio: 0.958, windowSecs: 30 },
  limitingSetting: 'HOST_FAILURE_CRITICAL_RATIO',
  detail: null,
};

describe('the table of reasons', () => {
  it('has a sentence for every reason of the API, and no other', () => {
    expect(Object.keys(REASON_SENTENCES).sort()).toEqual(enumOf('Reason'));
  });

  it('has a head for every kind of decision of the API, and no other', () => {
    expect([...DECISION_KINDS].sort()).toEqual(enumOf('DecisionKind'));
  });

  it('knows every task of the API', () => {
    expect([...TASK_NAMES].sort()).toEqual(enumOf('TaskName'));
  });

  it('knows every reason for being blind', () => {
    const view = document.components.schemas['MetricsView']?.properties?.['blindReason'];
    const codes = (view?.enum ?? []).filter((value): value is string => value !== null);
    expect(codes.length).toBeGreaterThan(0);
    for (const code of codes) expect(blindSentence(code)).not.toBe(code);
  });

  it.each(Object.keys(REASON_SENTENCES))('says %s without numbers as well', (code) => {
    const sentence = reasonSentence(code, PLAIN);
    expect(sentence).not.toMatch(/undefined|NaN|null/);
    expect(sentence.length).toBeGreaterThan(5);
  });

  it('shows a code that it does not know as it is', () => {
    expect(reasonSentence('SomethingNew', PLAIN)).toBe('SomethingNew');
  });
});

describe('a decision in words', () => {
  it('says what happened, because of what, with the number and the setting', () => {
    expect(decisionHead(EVACUATION, 'north')).toBe('Evacuation of mail07 started');
    expect(decisionWhy(EVACUATION)).toBe(
      'because its failure rate is over the critical limit: 95.8\u202f% over 30 s (HOST_FAILURE_CRITICAL_RATIO).',
    );
  });

  it('says would where it was a dry run', () => {
    const dry = { ...EVACUATION, isDryRun: true };
    expect(decisionHead(dry, 'north')).toBe('Would evacuate mail07');
    expect(decisionWhy(dry)).toContain('DryRun: nothing was done.');
  });

  it('speaks of the site where no Backend is named, and counts many', () => {
    const nothing = { ...EVACUATION, kind: 'nothing', reason: 'Healthy' };
    expect(decisionHead({ ...nothing, hosts: [] }, 'north')).toBe('Nothing on north');
    expect(decisionHead({ ...nothing, hosts: ['a', 'b', 'c', 'd'] }, 'north')).toBe(
      'Nothing on 4 Backends',
    );
  });

  it.each(enumOf('Reason'))('says in a column what %s means, not the code', (reason) => {
    const short = shortDecision({ ...EVACUATION, kind: 'nothing', reason });
    expect(short).toMatch(/^Nothing: \S/);
    expect(short).not.toContain(reason);
    expect(short).not.toMatch(/[a-z][A-Z]/);
  });

  it('takes name and unit of a number from its key', () => {
    expect(namedNumber('failureRatio', 0.142)).toEqual({
      name: 'Failure ratio',
      text: '14.2\u202f%',
    });
    expect(namedNumber('windowSecs', 90)).toEqual({ name: 'Window', text: '1 min 30 s' });
    expect(namedNumber('usersToMove', 1246)).toEqual({ name: 'Users to move', text: '1,246' });
  });
});

describe('why an operation is as it is', () => {
  it('is said in words; what is no known code is quoted as written', () => {
    const said = [null, 'UsersResting (22 of 31)', 'SourceSilent (Timeout)', 'tea break'];
    expect(said.map(stateReasonText)).toEqual([
      '',
      'with 22 of 31 Users: the others rest after their last move',
      'although doveadm of the Backend does not answer: Timeout',
      '“tea break”',
    ]);
  });
});
