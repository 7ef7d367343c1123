/** Logins at a fixed rate to each Backend, whatever becomes of the earlier ones: what verdicts are made of. */
import { USER_PASSWORD } from '../../lab/mail/dovecot-config.mjs';
import { hostsOf, PORTS } from '../../lab/mail/hosts.mjs';
import { runImapSession } from '../../lab/mail/traffic/login-clients.ts';

export interface SteadyLoginsOptions {
  readonly net: number;
  readonly site: string;
  /** By Backend: who logs in there. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** Logins a second to each Backend. */
  readonly perSec: number;
}

/** Starts; the answer stops it. */
export function startSteadyLogins({ net, site, users, perSec }: SteadyLoginsOptions): () => void {
  const proxies = hostsOf(net).filter((host) => host.role === 'proxy' && host.site === site);
  let turn = 0;
  const timer = setInterval(() => {
    turn += 1;
    const proxy = proxies[turn % proxies.length];
    if (proxy === undefined) return;
    for (const names of users.values()) {
      const user = names[turn % names.length];
      const server = { address: proxy.address, port: PORTS.imap };
      if (user !== undefined) void runImapSession(server, user, USER_PASSWORD);
    }
  }, 1000 / perSec);
  return () => {
    clearInterval(timer);
  };
}
