/** Why a Backend gets no users. */
const REFUSALS: Readonly<Record<string, string>> = {
  Source: 'it is the source',
  NotAsked: 'another target was asked for',
  Offline: 'it is offline',
  Standby: 'it is in standby',
  LoadFactorZero: 'its load factor is 0',
  Failing: 'it is failing itself',
  Unreachable: 'its doveadm does not answer',
  BeingEmptied: 'its own Users are being moved off',
};

export function refusalText(code: string): string {
  return REFUSALS[code] ?? code;
}
