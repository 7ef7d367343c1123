/** States of operations: their pill, and why they are in them. */
import type { Glyph } from '../components/glyphs.ts';

export interface StateLook {
  readonly label: string;
  readonly glyph: Glyph;
  readonly tone: '' | 'acc' | 'ok' | 'crit' | 'warn';
}

const LOOKS: Readonly<Record<string, StateLook>> = {
  planned: { label: 'Planned', glyph: 'clock', tone: '' },
  running: { label: 'Running', glyph: 'play', tone: 'acc' },
  paused: { label: 'Paused', glyph: 'pause', tone: 'warn' },
  verifying: { label: 'Verifying', glyph: 'refresh', tone: 'acc' },
  done: { label: 'Done', glyph: 'check', tone: 'ok' },
  cancelled: { label: 'Cancelled', glyph: 'x', tone: '' },
  failed: { label: 'Failed', glyph: 'critical', tone: 'crit' },
  superseded: { label: 'Superseded', glyph: 'skip', tone: '' },
};

const REASONS: Readonly<Record<string, string>> = {
  AutomationPaused: 'because automation is paused',
  CatastropheProtection: 'by catastrophe protection',
  FeatureDisabled: 'because the feature is not Enabled',
  FailureRateRecovered: 'because the Backend is healthy again',
};

export function stateLook(state: string): StateLook {
  return LOOKS[state] ?? { label: state, glyph: 'info', tone: '' };
}

/** A state's reason as the end of a sentence; what is no known code is quoted as written. */
export function stateReasonText(reason: string | null): string {
  if (reason === null || reason === '') return '';
  const noTarget = /^NoTargetLeft(?: \((.*)\))?$/.exec(reason);
  if (noTarget !== null) return `because no Backend may take Users: ${noTarget[1] ?? 'none left'}`;
  const trouble = /^Source(Silent|Refused) \((\w+)\)$/.exec(reason);
  if (trouble !== null) {
    const what = trouble[1] === 'Silent' ? 'does not answer' : 'refuses to move Users';
    return `although doveadm of the Backend ${what}: ${trouble[2] ?? ''}`;
  }
  const resting = /^UsersResting \((\d+) of (\d+)\)$/.exec(reason);
  if (resting !== null) {
    return `with ${resting[1] ?? ''} of ${resting[2] ?? ''} Users: the others rest after their last move`;
  }
  return REASONS[reason] ?? `“${reason}”`;
}
