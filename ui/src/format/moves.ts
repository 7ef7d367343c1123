/** Ledger rows in words. */
const REASONS: Readonly<Record<string, string>> = {
  AlreadyOnTarget: 'lived on the target already',
  MovedElsewhere: 'was moved elsewhere meanwhile',
  UserGone: 'is no longer there',
  CoolTime: 'was moved too recently',
  Cancelled: 'the Operation was cancelled',
  NoTargetLeft: 'no Backend could take it',
  RetriesExhausted: 'retries did not help',
  Forced: 'forced',
  MoveEnded: 'the move had ended by itself',
  MoveCleared: 'its target may take nobody: the move was given up',
  EndLost: 'the database lost how this move ended, and the user does not live on the target',
  CountFallback: 'moved by count, found afterwards',
};

const STATES: Readonly<Record<string, string>> = {
  planned: 'planned',
  sent: 'on the way',
  confirmed: 'done',
  skipped: 'skipped',
  failed: 'not done',
};

export function moveReasonText(reason: string | null): string {
  return reason === null ? '' : (REASONS[reason] ?? reason);
}

export function moveStateText(state: string): string {
  return STATES[state] ?? state;
}
