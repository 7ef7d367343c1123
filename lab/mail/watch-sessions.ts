/**
 * Watches that no user has live sessions on two Backends for long: asks all Backends every second
 * who is there. Silent ones (killed, frozen) are left out.
 */
import { createDoveadmClient } from './cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from './dovecot-config.mjs';
import { hostsOf, PORTS } from './hosts.mjs';
import type { LabSettings } from './lab-settings.ts';

export interface DoubleSession {
  readonly user: string;
  readonly hosts: readonly string[];
  readonly lastedMs: number;
}

export interface SessionsWatch {
  /** Users who were seen on two Backends for longer than `limitMs`, with the longest time. */
  stop(): DoubleSession[];
}

const EVERY_MS = 1000;
const PATIENCE_MS = 800;

/** Starts at once. A frozen Backend that thaws counts only from then on. */
export function watchSessions({ net }: Pick<LabSettings, 'net'>, limitMs: number): SessionsWatch {
  const backends = hostsOf(net).filter(({ role }) => role === 'backend');
  const since = new Map<string, number>();
  const found = new Map<string, DoubleSession>();
  const look = async () => {
    const answers = await Promise.all(
      backends.map(async ({ name, address }) => ({ name, users: await readUsers(address) })),
    );
    const hosts = new Map<string, string[]>();
    for (const { name, users } of answers) {
      for (const user of users) hosts.set(user, [...(hosts.get(user) ?? []), name]);
    }
    const nowMs = performance.now();
    for (const user of since.keys()) if ((hosts.get(user)?.length ?? 0) < 2) since.delete(user);
    for (const [user, names] of hosts) {
      if (names.length < 2) continue;
      if (!since.has(user)) since.set(user, nowMs);
      const lastedMs = Math.round(nowMs - (since.get(user) ?? nowMs));
      if (lastedMs > limitMs) found.set(user, { user, hosts: names, lastedMs });
    }
  };
  const timer = setInterval(() => void look(), EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      return [...found.values()];
    },
  };
}

/** Past the cluster service, at the real doveadm; nobody where it does not answer in time. */
async function readUsers(address: string): Promise<Set<string>> {
  const endpoint = { address, port: PORTS.dovecotDoveadm };
  const answer = createDoveadmClient(endpoint, DOVEADM_API_KEY).who();
  const late = new Promise<never[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref());
  const sessions = await Promise.race([answer.catch(() => []), late]);
  return new Set(sessions.map(({ username }) => username));
}
