/**
 * Gives every user an INBOX with some mail: Dovecot makes one mailbox, which is then copied, because
 * 2,000 deliveries would take far longer.
 */
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { prepareMailFolders, mailStoreOf, runAsOf } from './hosts.mjs';
import type { SeedUser } from './seed-geodb.ts';

const FIRST_MESSAGES = 3;
const TEMPLATE_USER = 'template';
const DOVEADM = '/usr/bin/doveadm';

interface TemplateFile {
  readonly folder: string;
  readonly name: string;
  readonly content: Buffer;
}

/** Answers how many mailboxes were made; those that exist are left alone. */
export function seedMail(net: number, stateDir: string, users: readonly SeedUser[]): number {
  const { folder } = prepareMailFolders(net, stateDir);
  const mailboxes = users.map(({ site, username }) => join(mailStoreOf(folder, site), username));
  const missing = mailboxes.filter((mailbox) => !existsSync(mailbox));
  if (missing.length === 0) return 0;
  const template = makeTemplate(folder);
  for (const mailbox of missing) copyTemplate(template, mailbox);
  return missing.length;
}

/**
 * One mailbox with the first messages. doveadm works alone here: no Dovecot has to run. As root it
 * becomes whoever Dovecot runs as, because mail cannot be read or written by root.
 */
function makeTemplate(mailFolder: string): TemplateFile[] {
  const folder = join(mailFolder, 'template');
  const config = join(folder, 'doveadm.conf');
  const { uid, gid, user, group } = runAsOf();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'run'), { recursive: true, mode: 0o755 });
  writeFileSync(config, templateConfig(folder, user, group));
  for (const path of isRoot() ? [folder, join(folder, 'run'), config] : []) {
    chownSync(path, uid, gid);
  }
  for (let number = 1; number <= FIRST_MESSAGES; number += 1) {
    execFileSync(DOVEADM, ['-c', config, 'save', '-m', 'INBOX'], {
      input: firstMessage(number),
      env: { USER: TEMPLATE_USER, HOME: folder, PATH: process.env['PATH'] },
      cwd: folder,
      ...(isRoot() ? { uid, gid } : {}),
    });
  }
  const template = readTemplate(join(folder, TEMPLATE_USER), '');
  rmSync(folder, { recursive: true, force: true });
  return template;
}

const templateConfig = (folder: string, user: string, group: string) => `base_dir = ${folder}/run
log_path = /dev/stderr
ssl = no
default_internal_user = ${user}
default_internal_group = ${group}
first_valid_uid = 1
lock_method = flock
mail_location = sdbox:${folder}/%u
namespace inbox {
  inbox = yes
  separator = /
}
`;

const firstMessage = (number: number) =>
  [
    'From: Dovekeeper lab <lab@example>',
    'To: you',
    `Date: ${new Date().toUTCString()}`,
    `Subject: Welcome, message ${number}`,
    '',
    'This mailbox belongs to a user of the lab.',
    '',
  ].join('\r\n');

function readTemplate(root: string, folder: string): TemplateFile[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return readTemplate(root, join(folder, entry.name));
    if (!entry.isFile() || entry.name.endsWith('.lock')) return [];
    const content = readFileSync(join(root, folder, entry.name));
    return [{ folder, name: entry.name, content }];
  });
}

function copyTemplate(template: readonly TemplateFile[], target: string): void {
  const { uid, gid } = runAsOf();
  const own = (path: string) => {
    if (isRoot()) chownSync(path, uid, gid);
  };
  const folders = new Set<string>(['']);
  for (const { folder } of template) {
    const names = folder.split('/');
    names.forEach((_, index) => folders.add(names.slice(0, index + 1).join('/')));
  }
  for (const folder of folders) {
    mkdirSync(join(target, folder), { recursive: true, mode: 0o700 });
    own(join(target, folder));
  }
  for (const { folder, name, content } of template) {
    const path = join(target, folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    own(path);
  }
}

const isRoot = () => process.getuid?.() === 0;
