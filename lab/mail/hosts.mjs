/**
 * The mail hosts of a lab: writes the settings of each Dovecot and of the cluster service beside
 * it, and says which processes to supervise. Plain Node without dependencies.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  PORTS,
  coreAddressOf,
  hostAddressesOf,
  proxyAddressesOf,
  sitesOf,
} from '../parts/addresses.mjs';
import { DOVEADM_API_KEY, USER_PASSWORD, backendConfig, proxyConfig } from './dovecot-config.mjs';
import { runAsOf } from './run-as.mjs';

export { addressesOf, parseNet, PORTS } from '../parts/addresses.mjs';
export { controllerEnvironment } from '../parts/controller.mjs';
export { ROOT_DIR, STATE_DIR } from '../parts/folders.mjs';
export { findProductNode } from '../parts/run-command.mjs';
export { readRunningLab } from '../parts/state-lock.mjs';
export { runAsOf };

const HERE = dirname(fileURLToPath(import.meta.url));
/** UNIX socket paths end at 107 bytes, and Dovecot's own names need up to 25 of them. */
const LONGEST_BASE_DIR = 75;
/** Whoever matches and has no home yet gets one at the first login. */
const USER_PATTERN = '^u[0-9]{4,7}@[a-z]+\\.example$';

/**
 * @typedef {object} HostsOptions
 * @property {number} net
 * @property {string} stateDir
 * @property {string} node path of a Node 24, for the cluster service
 */

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} command
 * @property {string[]} args
 * @property {Record<string, string>} env in addition to the environment of the lab
 * @property {{ kind: 'tcp' | 'http', address: string, port: number, path?: string }} waitFor
 * @property {'mail'} stage when it is stopped
 * @property {boolean} group signals go to the whole process group
 * @property {'SIGTERM'} stopSignal
 */

/**
 * Writes all settings and returns what is to run: for every host its Dovecot (`<host>`) and its
 * cluster service (`<host>-cluster`). Repeating it changes nothing but the settings.
 * @param {HostsOptions} options
 * @returns {Part[]}
 */
export function hostParts({ net, stateDir, node }) {
  const mail = prepareMailFolders(net, stateDir);
  return hostsOf(net).flatMap((host) => {
    const files = writeHost(host, mail, net);
    return [dovecotPart(host, files, mail.runAs), clusterServicePart(host, files, { net, node })];
  });
}

/**
 * Every host of a lab.
 * @param {number} net
 * @returns {{ name: string, address: string, site: string, role: 'proxy' | 'backend' }[]}
 */
export function hostsOf(net) {
  return sitesOf(net).flatMap((site) => [
    ...site.proxies.map((host) => ({ ...host, site: site.name, role: 'proxy' })),
    ...site.backends.map((host) => ({ ...host, site: site.name, role: 'backend' })),
  ]);
}

/**
 * Where the mail hosts keep their files: below the state folder. Root cannot read mail, so its
 * Dovecot runs as nobody; where nobody may not look into the state folder (a clone below /root),
 * it is a folder in /var/tmp whose name comes from the state folder.
 * @param {string} stateDir
 */
export function mailFolderOf(stateDir) {
  const inState = join(resolve(stateDir), 'lab');
  return isReachable(inState) ? inState : join('/var/tmp', shortName(stateDir));
}

/** Forgets all mail and settings of the hosts. @param {string} stateDir */
export function removeMailFolders(stateDir) {
  rmSync(mailFolderOf(stateDir), { recursive: true, force: true });
  rmSync(join('/tmp', shortName(stateDir)), { recursive: true, force: true });
}

/** @param {string} stateDir @param {string} host @returns {string} the folder of one host */
export const hostFolderOf = (stateDir, host) => join(mailFolderOf(stateDir), host);

function isReachable(folder) {
  if (process.getuid?.() !== 0) return true;
  for (let path = dirname(folder); ; path = dirname(path)) {
    if (existsSync(path) && (statSync(path).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

const shortName = (stateDir) =>
  `dovekeeper-${createHash('sha256').update(resolve(stateDir)).digest('hex').slice(0, 10)}`;

/**
 * Makes the folders that all hosts share.
 * @param {number} net
 * @param {string} stateDir
 */
export function prepareMailFolders(net, stateDir) {
  const runAs = runAsOf();
  const folder = mailFolderOf(stateDir);
  const inFolder = join(folder, 'run');
  const longest = Math.max(...hostsOf(net).map((host) => join(inFolder, host.name).length));
  const runDir = longest <= LONGEST_BASE_DIR ? inFolder : join('/tmp', shortName(stateDir));
  ownFolder(folder, runAs, 0o711);
  ownFolder(runDir, runAs, 0o711);
  ownFolder(join(folder, 'mail'), runAs, 0o700);
  for (const site of sitesOf(net)) ownFolder(join(folder, 'mail', site.name), runAs, 0o700);
  return { folder, runDir, runAs };
}

export function ownFolder(path, runAs, mode) {
  mkdirSync(path, { recursive: true });
  const { uid } = lstatSync(path);
  const self = process.getuid?.() ?? uid;
  if (uid !== self && uid !== runAs.uid) {
    throw new Error(`${path} belongs to somebody else; remove it or choose another state folder`);
  }
  chmodSync(path, mode);
  if (self === 0) chownSync(path, runAs.uid, runAs.gid);
}

/** Writes the settings of one host; the fault file and the mail link stay as they are. */
function writeHost(host, mail, net) {
  const folder = join(mail.folder, host.name);
  const files = {
    folder,
    baseDir: join(mail.runDir, host.name),
    config: join(folder, 'dovecot.conf'),
    lua: join(folder, 'passdb.lua'),
    faults: join(folder, 'fault'),
    oddity: join(folder, 'oddity'),
    homeChanges: join(folder, 'home-changes.ndjson'),
    mailroot: join(folder, 'mailroot'),
  };
  ownFolder(folder, mail.runAs, 0o711);
  ownFolder(join(folder, 'state'), mail.runAs, 0o700);
  const isProxy = host.role === 'proxy';
  const dovecotHost = {
    ...host,
    folder,
    baseDir: files.baseDir,
    runAs: mail.runAs,
    doveadmPort: isProxy ? PORTS.doveadm : PORTS.dovecotDoveadm,
  };
  const config = isProxy ? proxyConfig : backendConfig;
  writeFileSync(files.lua, luaOf(host, files, net));
  writeFileSync(files.config, config(dovecotHost, files.lua), { mode: 0o600 });
  if (process.getuid?.() === 0) chownSync(files.config, mail.runAs.uid, mail.runAs.gid);
  if (!isProxy && lstatSync(files.mailroot, { throwIfNoEntry: false }) === undefined) {
    symlinkSync(mailStoreOf(mail.folder, host.site), files.mailroot);
  }
  return files;
}

/** @param {string} mailFolder @param {string} site @returns {string} the mail of all users of a site */
export const mailStoreOf = (mailFolder, site) => join(mailFolder, 'mail', site);

function luaOf(host, files, net) {
  if (host.role === 'backend') {
    return fillIn('backend.lua', {
      FAULT_FILE: files.faults,
      WHERE_URL: `http://${host.address}:${PORTS.clusterServiceBackend}/where`,
      PASSWORD: USER_PASSWORD,
    });
  }
  const proxies = hostsOf(net).filter(({ role, site }) => role === 'proxy' && site === host.site);
  const peers = proxies.filter(({ name }) => name !== host.name);
  const urls = [host, ...peers].map(
    ({ address }) => `"http://${address}:${PORTS.clusterServiceProxy}/lookup"`,
  );
  return fillIn('lookup.lua', { LOOKUP_URLS: urls.join(', ') });
}

function fillIn(template, values) {
  const text = readFileSync(join(HERE, 'dovecot', template), 'utf8');
  return text.replaceAll(/@([A-Z_]+)@/g, (_, name) => values[name]);
}

/**
 * A shell removes what a kill -9 left in the run folder (stale sockets make logins wait for
 * seconds), drops root and becomes Dovecot, so that the process id is Dovecot's master.
 */
export function dovecotPart(host, files, runAs) {
  const drop = `setpriv --reuid=${runAs.uid} --regid=${runAs.gid} --clear-groups`;
  const become = process.getuid?.() === 0 ? `exec ${drop}` : 'exec';
  const script = [
    'rm -rf "$1" && mkdir -m 755 "$1" || exit 1',
    process.getuid?.() === 0 ? `chown ${runAs.uid}:${runAs.gid} "$1" || exit 1` : ':',
    'ulimit -n "$(ulimit -H -n)"',
    `${become} dovecot -F -c "$2"`,
  ].join('; ');
  return {
    name: host.name,
    command: '/bin/sh',
    args: ['-c', script, host.name, files.baseDir, files.config],
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/bin` },
    waitFor: { kind: 'tcp', address: host.address, port: PORTS.imap },
    stage: 'mail',
    group: true,
    stopSignal: 'SIGTERM',
  };
}

function clusterServicePart(host, files, { net, node }) {
  const isProxy = host.role === 'proxy';
  const port = isProxy ? PORTS.clusterServiceProxy : PORTS.clusterServiceBackend;
  const env = {
    CLUSTER_ROLE: host.role,
    CLUSTER_HOST: host.name,
    CLUSTER_SITE: host.site,
    CLUSTER_ADDRESS: host.address,
    HOST_ADDRESSES: hostAddressesOf(net),
    PROXY_ADDRESSES: proxyAddressesOf(net),
    CASSANDRA_SERVERS: coreAddressOf(net),
    CASSANDRA_PORT: String(PORTS.cassandra),
    CASSANDRA_LOCAL_DC: 'datacenter1',
    CASSANDRA_GEODB_KEYSPACE: 'd8s_cluster',
    HTTP_LISTEN: `${host.address}:${port}`,
    DOVECOT_BASE_DIR: files.baseDir,
    DOVEADM_API_KEY,
    DOVEADM_PORT: String(PORTS.doveadm),
    PROXY_HTTP_PORT: String(PORTS.clusterServiceProxy),
    BACKEND_HTTP_PORT: String(PORTS.clusterServiceBackend),
    IMAP_PORT: String(PORTS.imap),
    LMTP_PORT: String(PORTS.lmtp),
    HOME_CHANGE_LOG: files.homeChanges,
    USER_PATTERN,
    ...(isProxy
      ? {
          PROBE_PASSWORD: USER_PASSWORD,
          MEMORY_FILE: join(files.folder, 'memory.json'),
          FAULT_FILE: files.faults,
        }
      : {
          DOVEADM_UPSTREAM: `${host.address}:${PORTS.dovecotDoveadm}`,
          MAIL_ROOT: files.mailroot,
          FAULT_FILE: files.faults,
          ODDITY_FILE: files.oddity,
        }),
  };
  return {
    name: `${host.name}-cluster`,
    command: node,
    args: [join(HERE, 'cluster-service', 'main.ts')],
    env,
    waitFor: { kind: 'http', address: host.address, port, path: '/health' },
    stage: 'mail',
    group: true,
    stopSignal: 'SIGTERM',
  };
}

/**
 * The traffic generator: a supervised process like the hosts.
 * @param {HostsOptions} options
 * @returns {Part}
 */
export function trafficPart({ net, stateDir, node }) {
  return {
    name: 'traffic',
    command: node,
    args: [join(HERE, 'traffic.ts')],
    env: { LAB_NET: String(net), LAB_STATE: resolve(stateDir) },
    waitFor: { kind: 'http', address: coreAddressOf(net), port: PORTS.traffic, path: '/stats' },
    stage: 'traffic',
    group: true,
    stopSignal: 'SIGTERM',
  };
}
