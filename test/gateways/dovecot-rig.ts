/** A Backend and a proxy before it: two real Dovecot processes, and IMAP clients for them. */
import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { testNet } from '../support/test-net.ts';

export interface RunningDovecot {
  readonly address: string;
  stop(): Promise<void>;
}

export const DOVEADM_PORT = 24280;
const IMAP_PORT = 10143;
/** Dovecot refuses to keep mail as root; any other account will do. */
const NOBODY = { uid: 65534, gid: 65534, user: 'nobody', group: 'nogroup' };

export function startBackend(): Promise<RunningDovecot> {
  return start('backend', `127.${testNet()}.9.31`, (folder) => [
    `mail_location = sdbox:${folder}/mail/%u`,
    'passdb {\n  driver = static\n  args = password=pass\n}',
    `userdb {\n  driver = static\n  args = uid=nobody gid=nogroup home=${folder}/mail/%u\n}`,
  ]);
}

export function startProxy(backend: RunningDovecot): Promise<RunningDovecot> {
  const place = `host=${backend.address} port=${IMAP_PORT}`;
  return start('proxy', `127.${testNet()}.9.32`, () => [
    `passdb {\n  driver = static\n  args = proxy=y nopassword=y pass=pass ${place}\n}`,
  ]);
}

async function start(
  name: string,
  address: string,
  more: (folder: string) => string[],
): Promise<RunningDovecot> {
  const folder = await mkdtemp(join(tmpdir(), `dk-${name}-`));
  const isRoot = process.getuid?.() === 0;
  await mkdir(join(folder, 'mail'));
  await writeFile(
    join(folder, 'dovecot.conf'),
    [common(folder, address), ...more(folder)].join('\n'),
  );
  if (isRoot) {
    for (const path of [folder, join(folder, 'mail')]) await chown(path, NOBODY.uid, NOBODY.gid);
    await chmod(folder, 0o755);
  }
  const child = spawn('/usr/sbin/dovecot', ['-F', '-c', join(folder, 'dovecot.conf')], {
    stdio: 'ignore',
    ...(isRoot ? { uid: NOBODY.uid, gid: NOBODY.gid } : {}),
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  await eventually(`${name} listens`, () => accepts(address));
  return {
    address,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function accepts(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(DOVEADM_PORT, address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

function common(folder: string, address: string): string {
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/dovecot.log
listen = ${address}
protocols = imap
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
login_trusted_networks = 127.0.0.0/8
first_valid_uid = 1
lock_method = flock
mail_max_userip_connections = 0
default_internal_user = ${NOBODY.user}
default_internal_group = ${NOBODY.group}
default_login_user = ${NOBODY.user}
doveadm_api_key = labapikey
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service ipc {
  chroot =
}
service imap-login {
  chroot =
  service_count = 0
  inet_listener imap {
    port = ${IMAP_PORT}
  }
  inet_listener imaps {
    port = 0
  }
}
service imap {
  extra_groups =
}
service doveadm {
  service_count = 0
  inet_listener http {
    port = ${DOVEADM_PORT}
  }
}
service stats {
  chroot =
}
`;
}

export interface ImapSession {
  isOpen(): boolean;
  close(): void;
}

/** Logs in and stays; fails where the server says no. */
export async function logIn(address: string, username: string): Promise<ImapSession> {
  const socket = connect(IMAP_PORT, address);
  let text = '';
  let isClosed = false;
  socket.on('data', (part) => {
    text += part.toString();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isClosed = true;
  });
  await eventually('a greeting', () => text.startsWith('* OK'));
  socket.write(`a LOGIN ${username} pass\r\n`);
  await eventually('logged in', () => {
    if (/^a (NO|BAD)/m.test(text)) throw new Error(text);
    return /^a OK/m.test(text);
  });
  return { isOpen: () => !isClosed, close: () => socket.destroy() };
}
