export interface HostsOptions {
  readonly net: number;
  readonly stateDir: string;
  /** Path of a Node 24, for the cluster service. */
  readonly node: string;
}

export interface Part {
  readonly name: string;
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
  readonly waitFor: { kind: 'tcp' | 'http'; address: string; port: number; path?: string };
  readonly stage: 'mail' | 'traffic';
  readonly group: boolean;
  readonly stopSignal: 'SIGTERM';
}

export interface LabHost {
  readonly name: string;
  readonly address: string;
  readonly site: string;
  readonly role: 'proxy' | 'backend';
}

export function hostParts(options: HostsOptions): Part[];
export function hostsOf(net: number): LabHost[];
export function mailFolderOf(stateDir: string): string;
export function removeMailFolders(stateDir: string): void;
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
}

export function prepareMailFolders(
  net: number,
  stateDir: string,
): { folder: string; runDir: string; runAs: RunAs };
/** A folder of whoever Dovecot runs as; made where it is missing. */
export function ownFolder(path: string, runAs: RunAs, mode: number): void;
/** The supervised part of one Dovecot whose settings are written. */
export function dovecotPart(
  host: { readonly name: string; readonly address: string },
  files: { readonly config: string; readonly baseDir: string },
  runAs: RunAs,
): Part;
export function hostFolderOf(stateDir: string, host: string): string;
export function mailStoreOf(mailFolder: string, site: string): string;
export function runAsOf(): RunAs;
export function trafficPart(options: HostsOptions): Part;

/** From lab/parts, typed here once. */
export const PORTS: Readonly<
  Record<
    | 'temporal'
    | 'temporalUi'
    | 'cassandra'
    | 'redis'
    | 'prometheus'
    | 'control'
    | 'traffic'
    | 'imap'
    | 'pop3'
    | 'lmtp'
    | 'doveadm'
    | 'dovecotDoveadm'
    | 'dovecotMetrics'
    | 'clusterServiceProxy'
    | 'clusterServiceBackend',
    number
  >
>;
export const STATE_DIR: string;
export const ROOT_DIR: string;
export function parseNet(text: string | undefined, fallback: number): number;
export function addressesOf(net: number): {
  net: number;
  host: string;
  temporal: string;
  temporalUi: string;
  cassandra: string;
  redis: string;
  prometheus: string;
  control: string;
  traffic: string;
};
export function controllerEnvironment(options: {
  net: number;
  siteName: string;
}): Record<string, string>;
export function findProductNode(): string;
/** The lab that runs on this state now. */
export function readRunningLab(stateDir: string): { net: number; control: string } | null;
