/** Dovecot 2.3 from Debian: the real mail servers of the lab. */
import { existsSync } from 'node:fs';
import { wantedFile } from './apt-packages.mjs';
import { LabProblem } from './lab-problem.mjs';
import { runCommand } from './run-command.mjs';

const DOVECOT = '/usr/sbin/dovecot';
const MODULES = '/usr/lib/dovecot';

export const DOVECOT_PACKAGES = [
  wantedFile(DOVECOT, 'dovecot-core'),
  wantedFile(`${MODULES}/imap`, 'dovecot-imapd'),
  wantedFile(`${MODULES}/pop3`, 'dovecot-pop3d'),
  wantedFile(`${MODULES}/lmtp`, 'dovecot-lmtpd'),
  {
    package: 'dovecot-auth-lua',
    isThere: () => existsSync(`${MODULES}/modules/auth/libauthdb_lua.so`),
  },
];

/** @returns {Promise<string>} the version; another series than 2.3 is refused with a sentence */
export async function checkDovecot() {
  const version = (await runCommand(DOVECOT, ['--version'])).trim();
  if (version.startsWith('2.3.')) return `found ${version}`;
  throw new LabProblem(
    `The lab needs Dovecot 2.3 (as in Debian 12), but ${DOVECOT} is ${version}: ` +
      'use a Debian 12 machine or container.',
  );
}
