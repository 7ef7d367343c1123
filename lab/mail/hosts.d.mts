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
  readonly ports: { address: string; port: number }[];
  readonly stage: 'mail';
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
export function hostFolderOf(stateDir: string, host: string): string;
export function mailStoreOf(mailFolder: string, site: string): string;
export function runAsOf(): { uid: number; gid: number; user: string; group: string };
