/** The settings of a cluster service, from the environment. */

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Settings {
  readonly role: 'proxy' | 'backend';
  /** Name of this host, as the GeoDB has it. */
  readonly host: string;
  readonly site: string;
  readonly address: string;
  /** Names do not resolve by DNS here: address by host name. */
  readonly hostAddresses: ReadonlyMap<string, string>;
  readonly cassandra: {
    readonly servers: readonly string[];
    readonly port: number;
    readonly localDatacenter: string;
    readonly keyspace: string;
  };
  /** Lookups and metrics. */
  readonly http: Endpoint;
  /** Where the doveadm of each proxy of the cluster answers; a Backend has sessions cut there. */
  readonly proxyDoveadms: readonly Endpoint[];
  /** Where the cluster service of each proxy answers; a Backend tells them whom it sends away. */
  readonly proxyServices: readonly Endpoint[];
  /** Where the cluster services of Backends answer. */
  readonly backendHttpPort: number;
  readonly doveadm: { readonly port: number; readonly apiKey: string; readonly upstream: Endpoint };
  readonly dovecotBaseDir: string;
  readonly homeChangeLog: string;
  /** Where a proxy keeps what it knew last; null: nowhere. */
  readonly memoryFile: string | null;
  /** A user without a home gets one if the name matches. */
  readonly userPattern: RegExp;
  readonly imapPort: number;
  readonly lmtpPort: number;
  readonly probePassword: string;
  /** Mail of all users; null: no cache files are measured. */
  readonly mailRoot: string | null;
  readonly faultFile: string | null;
  readonly oddityFile: string | null;
}

const DEFAULT_PROXY_HTTP_PORT = 7070;

/** Thrown with all problems at once, each naming its setting. */
export class SettingsError extends Error {}

/** Reads the environment; throws SettingsError. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const problems: string[] = [];
  const read = createReader(environment, problems);
  const address = read.text('CLUSTER_ADDRESS', '127.0.0.1');
  const doveadmPort = read.port('DOVEADM_PORT', 24280);
  const proxyHttpPort = read.port('PROXY_HTTP_PORT', DEFAULT_PROXY_HTTP_PORT);
  const proxies = read.list('PROXY_ADDRESSES');
  const settings: Settings = {
    role: read.choice('CLUSTER_ROLE', ['proxy', 'backend']),
    host: read.text('CLUSTER_HOST'),
    site: read.text('CLUSTER_SITE'),
    address,
    hostAddresses: read.pairs('HOST_ADDRESSES'),
    cassandra: {
      servers: read.text('CASSANDRA_SERVERS', 'localhost').split(','),
      port: read.port('CASSANDRA_PORT', 9042),
      localDatacenter: read.text('CASSANDRA_LOCAL_DC', 'datacenter1'),
      keyspace: read.text('CASSANDRA_GEODB_KEYSPACE', 'd8s_cluster'),
    },
    http: read.endpoint('HTTP_LISTEN', `${address}:${DEFAULT_PROXY_HTTP_PORT}`),
    proxyDoveadms: proxies.map((proxy) => ({ address: proxy, port: doveadmPort })),
    proxyServices: proxies.map((proxy) => ({ address: proxy, port: proxyHttpPort })),
    backendHttpPort: read.port('BACKEND_HTTP_PORT', 9910),
    doveadm: {
      port: doveadmPort,
      apiKey: read.text('DOVEADM_API_KEY'),
      upstream: read.endpoint('DOVEADM_UPSTREAM', `${address}:8080`),
    },
    dovecotBaseDir: read.text('DOVECOT_BASE_DIR', '/run/dovecot'),
    homeChangeLog: read.text('HOME_CHANGE_LOG', '/dev/null'),
    memoryFile: read.optional('MEMORY_FILE'),
    userPattern: read.pattern('USER_PATTERN', '.'),
    imapPort: read.port('IMAP_PORT', 143),
    lmtpPort: read.port('LMTP_PORT', 24),
    probePassword: read.text('PROBE_PASSWORD', ''),
    mailRoot: read.optional('MAIL_ROOT'),
    faultFile: read.optional('FAULT_FILE'),
    oddityFile: read.optional('ODDITY_FILE'),
  };
  if (settings.role === 'backend' && settings.proxyDoveadms.length === 0) {
    problems.push('PROXY_ADDRESSES must be set for a Backend');
  }
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  return settings;
}

function createReader(environment: NodeJS.ProcessEnv, problems: string[]) {
  const optional = (name: string) => environment[name] || null;
  const text = (name: string, fallback?: string) => {
    const value = environment[name] ?? fallback;
    if (value === undefined || (value === '' && fallback !== '')) {
      problems.push(`${name} must be set`);
      return '';
    }
    return value;
  };
  const list = (name: string) => (environment[name] ?? '').split(',').filter(Boolean);
  const port = (name: string, fallback: number) =>
    toPort(name, environment[name] ?? String(fallback), problems);
  const endpoint = (name: string, fallback: string): Endpoint => {
    const [address = '', portText = ''] = text(name, fallback).split(':');
    return { address, port: toPort(name, portText, problems) };
  };
  const choice = <T extends string>(name: string, choices: readonly T[]): T => {
    const value = choices.find((known) => known === environment[name]);
    if (value === undefined) problems.push(`${name} must be one of ${choices.join(', ')}`);
    return value ?? (choices[0] as T);
  };
  const pattern = (name: string, fallback: string) => {
    try {
      return new RegExp(environment[name] ?? fallback);
    } catch {
      problems.push(`${name} is not a regular expression`);
      return /./;
    }
  };
  const pairs = (name: string) => {
    const entries = list(name);
    const bad = entries.filter((entry) => !/^[^=]+=[^=]+$/.test(entry));
    if (bad.length > 0) problems.push(`${name}: "${bad.join(',')}" is not name=address`);
    return new Map(entries.map((entry) => entry.split('=', 2) as [string, string]));
  };
  return { text, optional, list, port, endpoint, choice, pattern, pairs };
}

function toPort(name: string, text: string, problems: string[]): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    problems.push(`${name}: "${text}" is not a port`);
  }
  return port;
}
