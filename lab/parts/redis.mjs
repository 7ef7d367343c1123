/** Redis: a cache and nothing else, so nothing is written to the disk. */
import { PORTS, coreAddressOf } from './addresses.mjs';
import { wantedCommand } from './apt-packages.mjs';
import { ensureFolder } from './folders.mjs';
import { findExecutable } from './run-command.mjs';

export const REDIS_PACKAGES = [wantedCommand('redis-server')];

/**
 * @param {{ net: number, stateDir: string }} lab
 * @returns {import('./part-spec.mjs').PartSpec}
 */
export function redisPart({ net, stateDir }) {
  const address = coreAddressOf(net);
  return {
    name: 'redis',
    stage: 'stores',
    command: findExecutable('redis-server'),
    args: [
      ...['--bind', address, '--port', String(PORTS.redis), '--daemonize', 'no'],
      ...['--save', '', '--appendonly', 'no', '--dir', ensureFolder(stateDir)],
      ...['--maxmemory', '128mb', '--maxmemory-policy', 'allkeys-lru'],
    ],
    waitFor: { kind: 'tcp', address, port: PORTS.redis },
    deadlineMs: 30_000,
  };
}
