/** Who the mail hosts of a lab run as: root cannot read mail. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

const NOBODY = Object.freeze({ uid: 65534, gid: 65534, user: 'nobody', group: 'nogroup' });

/** Who Dovecot runs as. @returns {{ uid: number, gid: number, user: string, group: string }} */
export function runAsOf() {
  const { uid, gid, username } = userInfo();
  return uid === 0 ? NOBODY : { uid, gid, user: username, group: groupNameOf(gid) };
}

function groupNameOf(gid) {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((text) => text.split(':')[2] === String(gid));
  return line?.split(':')[0] ?? String(gid);
}
