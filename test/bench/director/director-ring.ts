/**
 * Dovecot's own director: two proxies in a ring, and Backends of the lab's kind behind them that serve
 * whoever comes. The lab's own Backends cannot serve both: they pass on whoever lives elsewhere.
 */
import { execFile } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  backendConfig,
  USER_PASSWORD,
  type DovecotHost,
} from '../../../lab/mail/dovecot-config.mjs';
import {
  dovecotPart,
  mailStoreOf,
  ownFolder,
  prepareMailFolders,
  PORTS,
} from '../../../lab/mail/hosts.mjs';
import { seedMail } from '../../../lab/mail/seed-mail.ts';
import { Supervisor } from '../../../lab/parts/supervisor.mjs';
import { eventually } from '../../support/eventually.ts';
import { DIRECTOR_DOVEADM_PORT, directorConfig } from './director-config.ts';
import type { MailCluster, NamedHost } from './measure-move.ts';

export interface DirectorRing {
  readonly cluster: MailCluster;
  /** Process groups, with the names of the hosts. */
  groups(): Map<number, string>;
  /** A fresh ring with all of these users on the source; the former one is ended. */
  restart(kickDelaySecs: number, users: readonly string[]): Promise<void>;
  /** `doveadm director <words>` at the first proxy. */
  command(...words: string[]): Promise<void>;
  /** Lines to the director's admin port, each answer awaited. */
  ask(lines: readonly string[]): Promise<void>;
  /** Lines as poolmon sends them: each in a write of its own, no answer read. */
  tell(lines: readonly string[]): Promise<void>;
  killSource(): Promise<void>;
  restoreSource(): Promise<void>;
  stop(): Promise<void>;
}

const STORE = 'plain';
const DEADLINE_MS = 30_000;
const HELLO = 'VERSION\tdirector-doveadm\t1\t0\n';
/** Below the lab's hosts, which take 127.<net>.1 to 4. */
const hostsAt = (net: number, part: number, word: string, count: number): NamedHost[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `${word}${index + 1}`,
    address: `127.${net}.${part}.${index + 1}`,
  }));

export async function startDirectorRing(options: {
  readonly net: number;
  readonly stateDir: string;
  readonly users: readonly string[];
  readonly print: (line: string) => void;
}): Promise<DirectorRing> {
  const { net, stateDir, print } = options;
  const proxies = hostsAt(net, 5, 'director', 2);
  const backends = hostsAt(net, 6, 'plain', 4);
  const source = backends[0] as NamedHost;
  const ownDir = join(stateDir, 'director');
  mkdirSync(ownDir, { recursive: true });
  const supervisor = new Supervisor({ stateDir: ownDir, print });
  await supervisor.endLeftovers();
  const mail = prepareMailFolders(net, stateDir);
  ownFolder(mailStoreOf(mail.folder, STORE), mail.runAs, 0o700);
  const seeded = options.users.map((username) => ({ username, site: STORE, host: source.name }));
  seedMail(net, stateDir, seeded);
  const write = (host: NamedHost, role: 'proxy' | 'backend', text: ConfigText) =>
    writeHost(host, role, mail, text);
  const start = async (host: NamedHost, role: 'proxy' | 'backend', text: ConfigText) => {
    const files = write(host, role, text);
    const part = supervisor.add({ ...dovecotPart(host, files, mail.runAs), stage: 'mail' });
    await part.startFirst();
  };
  await Promise.all(
    backends.map((host) => start(host, 'backend', (own, lua) => backendConfig(own, lua))),
  );
  const ringOf = (kickDelaySecs: number) => ({
    directors: proxies.map(({ address }) => address),
    backends: backends.map(({ address }) => address),
    kickDelaySecs,
  });
  const first = proxies[0] as NamedHost;
  const configFile = join(mail.folder, first.name, 'dovecot.conf');
  const ask = (lines: readonly string[]) => askDirector(first.address, lines);
  const restart = async (kickDelaySecs: number, users: readonly string[]): Promise<void> => {
    const former = proxies.filter(({ name }) => supervisor.has(name));
    await Promise.all(former.map(({ name }) => supervisor.part(name).leave()));
    const text: ConfigText = (own) => directorConfig(own, ringOf(kickDelaySecs));
    await Promise.all(proxies.map((host) => start(host, 'proxy', text)));
    await waitForRing(configFile);
    await ask(users.map((user) => `USER-MOVE\t${user}\t${source.address}`));
  };
  return {
    cluster: { proxies, backends, source },
    groups: () =>
      new Map(
        [...proxies, ...backends].flatMap(({ name }): [number, string][] => {
          const pid = supervisor.has(name) ? supervisor.part(name).pid : null;
          return pid === null ? [] : [[pid, name]];
        }),
      ),
    restart,
    async command(...words) {
      await doveadm(configFile, words);
    },
    ask,
    tell: (lines) => tellDirector(first.address, lines),
    killSource: () => supervisor.part(source.name).kill({ staysDown: true }),
    async restoreSource() {
      supervisor.part(source.name).start();
      const isUp = () => supervisor.part(source.name).state === 'running';
      await eventually('the killed Backend is back', isUp, { timeoutMs: DEADLINE_MS });
    },
    stop: () => supervisor.leave(),
  };
}

type ConfigText = (host: DovecotHost, luaFile: string) => string;
type MailFolders = ReturnType<typeof prepareMailFolders>;

function writeHost(
  host: NamedHost,
  role: 'proxy' | 'backend',
  mail: MailFolders,
  configText: ConfigText,
) {
  const folder = join(mail.folder, host.name);
  const baseDir = join(mail.runDir, host.name);
  const [config, lua] = [join(folder, 'dovecot.conf'), join(folder, 'passdb.lua')];
  ownFolder(folder, mail.runAs, 0o711);
  ownFolder(join(folder, 'state'), mail.runAs, 0o700);
  const doveadmPort = role === 'proxy' ? PORTS.doveadm : PORTS.dovecotDoveadm;
  const own = { ...host, folder, baseDir, runAs: mail.runAs, doveadmPort };
  const template = readFileSync(join(import.meta.dirname, 'plain-backend.lua'), 'utf8');
  writeFileSync(lua, template.replaceAll('@PASSWORD@', USER_PASSWORD));
  writeFileSync(config, configText(own, lua), { mode: 0o600 });
  if (process.getuid?.() === 0) chownSync(config, mail.runAs.uid, mail.runAs.gid);
  const mailroot = join(folder, 'mailroot');
  if (!existsSync(mailroot)) symlinkSync(mailStoreOf(mail.folder, STORE), mailroot);
  return { config, baseDir };
}

/** A desynced director refuses changes. */
async function waitForRing(configFile: string): Promise<void> {
  const isSynced = async (): Promise<boolean> => {
    const text = await doveadm(configFile, ['ring', 'status']).catch(() => '');
    return (text.match(/synced/g) ?? []).length >= 2 && !/syncing|desync/.test(text);
  };
  await eventually('the ring of directors is in sync', isSynced, { timeoutMs: DEADLINE_MS });
}

/** Rejects where a line is not answered OK. */
function askDirector(address: string, lines: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: DIRECTOR_DOVEADM_PORT });
    const waiting = [...lines];
    let rest = '';
    let isGreeted = false;
    const next = (): void => {
      const line = waiting.shift();
      if (line !== undefined) return void socket.write(`${line}\n`);
      socket.destroy();
      resolve();
    };
    socket.setEncoding('utf8').setTimeout(DEADLINE_MS, () => socket.destroy(new Error('silent')));
    socket.on('connect', () => socket.write(HELLO));
    socket.on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        if (!isGreeted) isGreeted = true;
        else if (part !== 'OK') return void socket.destroy(new Error(`director: ${part}`));
        next();
      }
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the director closed the connection')));
  });
}

async function tellDirector(address: string, lines: readonly string[]): Promise<void> {
  const socket = connect({ host: address, port: DIRECTOR_DOVEADM_PORT });
  socket
    .setNoDelay(true)
    .on('error', () => undefined)
    .resume();
  const write = (text: string) =>
    new Promise<void>((resolve) => socket.write(text, () => resolve()));
  await write(HELLO);
  await new Promise((resolve) => socket.once('data', resolve));
  for (const line of lines) await write(`${line}\n`);
  socket.end();
}

/** What `doveadm director <words>` printed; rejects where it fails. */
async function doveadm(configFile: string, words: readonly string[]): Promise<string> {
  const args = ['-c', configFile, 'director', ...words];
  const { stdout } = await promisify(execFile)('/usr/bin/doveadm', args);
  return stdout;
}
