/** The second view of who is served where: the Backends are asked, twice a second. */
import { createDoveadmClient } from '../../../lab/mail/cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from '../../../lab/mail/dovecot-config.mjs';
import { PORTS } from '../../../lab/mail/hosts.mjs';

export interface BackendView {
  /** Users who were on two Backends in two looks in a row: one look takes some time, so it may be mistaken. */
  seenOnTwo(): number;
  stop(): void;
}

const EVERY_MS = 500;

export function watchSessions(backends: readonly { readonly address: string }[]): BackendView {
  const doveadms = backends.map(({ address }) =>
    createDoveadmClient({ address, port: PORTS.dovecotDoveadm }, DOVEADM_API_KEY),
  );
  const seen = new Set<string>();
  let before = new Set<string>();
  let isLooking = false;
  const look = async (): Promise<void> => {
    const lists = await Promise.all(doveadms.map((doveadm) => doveadm.who().catch(() => [])));
    const users = lists.flatMap((list) => [...new Set(list.map(({ username }) => username))]);
    const once = new Set<string>();
    const now = new Set(users.filter((user) => once.size === once.add(user).size));
    for (const user of now) if (before.has(user)) seen.add(user);
    before = now;
  };
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void look().finally(() => (isLooking = false));
  }, EVERY_MS);
  return { seenOnTwo: () => seen.size, stop: () => clearInterval(timer) };
}
