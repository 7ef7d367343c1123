/** Who changed homes: the log of the cluster services, and the ledger where the controller did. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HomeChange } from '../../lab/mail/cluster-service/home-change-log.ts';
import { hostFolderOf, hostsOf } from '../../lab/mail/hosts.mjs';
import type { LabSettings } from '../../lab/mail/lab-settings.ts';
import type { Move } from './site-api.ts';

export type LoggedHomeChange = HomeChange & { readonly atMs: number };

/** Of all hosts of the lab, in order of time. */
export function readHomeChanges(
  { net, stateDir }: LabSettings,
  sinceMs: number,
): LoggedHomeChange[] {
  return hostsOf(net)
    .flatMap(({ name }) => readLines(join(hostFolderOf(stateDir, name), 'home-changes.ndjson')))
    .filter(({ atMs }) => atMs >= sinceMs)
    .sort((a, b) => a.atMs - b.atMs);
}

/**
 * Users whose home changed more than once: what the cluster services logged, and what the controller
 * itself forced, which is in the ledger alone. A forced row and a logged change to the same target are
 * one change: the batch got there first.
 */
export function changedTwice(
  logged: readonly LoggedHomeChange[],
  ledger: readonly Move[],
): string[] {
  const targets = new Map<string, string[]>();
  const add = (user: string, to: string): void => {
    targets.set(user, [...(targets.get(user) ?? []), to]);
  };
  const written = new Set<string>();
  for (const { user, to, timestampMicros } of logged) {
    // the same order carried out once more, as it may be: the same write has the same effect once
    const write = `${user} ${to} ${timestampMicros}`;
    if (!written.has(write)) add(user, to);
    written.add(write);
  }
  for (const { username, targetHost, state, isForced } of ledger) {
    if (state !== 'confirmed' || !isForced || targetHost === null) continue;
    if (targets.get(username)?.includes(targetHost) !== true) add(username, targetHost);
  }
  return [...targets]
    .filter(([, to]) => to.length > 1)
    .map(([user, to]) => `${user} (${to.join()})`);
}

function readLines(file: string): LoggedHomeChange[] {
  if (!existsSync(file)) return [];
  // The last line may be half written.
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as LoggedHomeChange];
      } catch {
        return [];
      }
    });
}
