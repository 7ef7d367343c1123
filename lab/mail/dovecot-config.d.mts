export const USER_PASSWORD: string;
export const DOVEADM_API_KEY: string;

export interface DovecotHost {
  readonly name: string;
  readonly address: string;
  /** State of this host. */
  readonly folder: string;
  /** Short: paths of UNIX sockets end at about 100 characters. */
  readonly baseDir: string;
  /** Who Dovecot runs as. */
  readonly runAs: { readonly user: string; readonly group: string };
  /** Where the real doveadm HTTP listens. */
  readonly doveadmPort: number;
}

export function commonConfig(host: DovecotHost): string;
export function backendConfig(host: DovecotHost, luaFile: string): string;
