/**
 * Faults of Backends. Those of Dovecot are lines of a file that it reads at each login; a killed or
 * frozen Backend is a matter of the supervisor, and hits Dovecot and its cluster service alike. All
 * of them survive a restart of the lab, until `restore`.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Oddity } from './cluster-service/oddities.ts';
import { hostFolderOf, hostsOf, mailFolderOf, mailStoreOf, type LabHost } from './hosts.mjs';
import { LabError, orderParts, readParts } from './lab-control.ts';
import type { LabSettings } from './lab-settings.ts';

/**
 * deny (per cent): the Backend refuses the password. temp: its authentication fails for now. slow
 * (milliseconds): logins take longer. storage: its mail store is gone. cut: its doveadm answers
 * nobody, while mail flows. load (factor): its users come more often.
 */
export const FILE_FAULTS = ['deny', 'temp', 'slow', 'storage', 'cut', 'load'] as const;
export type FileFault = (typeof FILE_FAULTS)[number];

/** Throws LabError where one of the names is no Backend of the lab. */
export function findBackends(lab: LabSettings, names: readonly string[]): LabHost[] {
  const backends = hostsOf(lab.net).filter(({ role }) => role === 'backend');
  const known = backends.map(({ name }) => name).join(', ');
  if (names.length === 0) throw new LabError(`Which Backend? ${known}`, { isUsage: true });
  return names.map((name) => {
    const backend = backends.find((one) => one.name === name);
    if (backend !== undefined) return backend;
    throw new LabError(`There is no Backend "${name}"; there are: ${known}`, { isUsage: true });
  });
}

/** Adds a fault to those that the Backends have; `value` is its per cent, milliseconds, factor. */
export function setFault(
  lab: LabSettings,
  names: readonly string[],
  fault: FileFault,
  value?: number,
): void {
  for (const backend of findBackends(lab, names)) {
    const faults = readFaults(lab, backend.name);
    faults.set(fault, value === undefined ? '' : String(value));
    writeFaults(lab, backend.name, faults);
    if (fault === 'storage') linkMail(lab, backend, join(hostFolder(lab, backend), 'no-storage'));
  }
}

/** Takes one fault of the file back; the others stay. */
export function clearFault(lab: LabSettings, name: string, fault: FileFault): void {
  for (const backend of findBackends(lab, [name])) {
    const faults = readFaults(lab, backend.name);
    faults.delete(fault);
    writeFaults(lab, backend.name, faults);
    if (fault === 'storage') linkOwnMail(lab, backend);
  }
}

/** Makes the doveadm of a Backend answer oddly from its next request on; none: as it should. */
export function setOddities(lab: LabSettings, name: string, oddities: readonly Oddity[]): void {
  for (const backend of findBackends(lab, [name])) {
    const file = join(hostFolder(lab, backend), 'oddity');
    writeFileSync(`${file}.new`, oddities.map((oddity) => `${oddity}\n`).join(''));
    renameSync(`${file}.new`, file);
  }
}

/** kill -9 of Dovecot and the cluster service; they stay down. Throws LabError. */
export async function killBackends(lab: LabSettings, names: readonly string[]): Promise<void> {
  await orderParts(lab, 'kill', partsOf(findBackends(lab, names)));
}

/** SIGSTOP to all processes of Dovecot and the cluster service. Throws LabError. */
export async function freezeBackends(lab: LabSettings, names: readonly string[]): Promise<void> {
  await orderParts(lab, 'freeze', partsOf(findBackends(lab, names)));
}

/** SIGCONT. Throws LabError. */
export async function thawBackends(lab: LabSettings, names: readonly string[]): Promise<void> {
  await orderParts(lab, 'thaw', partsOf(findBackends(lab, names)));
}

/** Takes back every fault: file, mail store, killed, frozen. Throws LabError. */
export async function restoreBackends(lab: LabSettings, names: readonly string[]): Promise<void> {
  const backends = findBackends(lab, names);
  for (const backend of backends) {
    rmSync(faultFile(lab, backend.name), { force: true });
    linkOwnMail(lab, backend);
  }
  const held = (await readParts(lab)).filter(({ hold }) => hold !== 'none');
  const wanted = partsOf(backends);
  const isOurs = ({ name }: { name: string }) => wanted.includes(name);
  const frozen = held.filter((part) => isOurs(part) && part.hold === 'frozen');
  const down = held.filter((part) => isOurs(part) && part.hold !== 'frozen');
  await orderParts(
    lab,
    'thaw',
    frozen.map(({ name }) => name),
  );
  await orderParts(
    lab,
    'start',
    down.map(({ name }) => name),
  );
}

/** The faults of a Backend's file, with their values. */
export function readFaults(lab: LabSettings, name: string): Map<string, string> {
  const lines = readText(faultFile(lab, name)).split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [fault = '', value = ''] = line.split(' ', 2);
      return [fault, value];
    }),
  );
}

const partsOf = (backends: readonly LabHost[]) =>
  backends.flatMap(({ name }) => [name, `${name}-cluster`]);

const hostFolder = (lab: LabSettings, { name }: LabHost) => hostFolderOf(lab.stateDir, name);

const faultFile = (lab: LabSettings, name: string) =>
  join(hostFolderOf(lab.stateDir, name), 'fault');

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** By renaming: a login never reads half a file. */
function writeFaults(lab: LabSettings, name: string, faults: ReadonlyMap<string, string>): void {
  const file = faultFile(lab, name);
  mkdirSync(hostFolderOf(lab.stateDir, name), { recursive: true });
  const lines = [...faults].map(([fault, value]) => `${fault} ${value}`.trim());
  writeFileSync(`${file}.new`, `${lines.join('\n')}\n`);
  renameSync(`${file}.new`, file);
}

function linkOwnMail(lab: LabSettings, backend: LabHost): void {
  linkMail(lab, backend, mailStoreOf(mailFolderOf(lab.stateDir), backend.site));
}

function linkMail(lab: LabSettings, backend: LabHost, target: string): void {
  const link = join(hostFolder(lab, backend), 'mailroot');
  rmSync(`${link}.new`, { force: true });
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
}
