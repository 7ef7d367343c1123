/**
 * After its last session a process waits for the next client, and after a minute it ends. A thousand that
 * end cost some CPU seconds, which a row would pay for its predecessor's clients.
 */
import { createDoveadmClient } from '../../../lab/mail/cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from '../../../lab/mail/dovecot-config.mjs';
import { PORTS } from '../../../lab/mail/hosts.mjs';
import { eventually } from '../../support/eventually.ts';
import type { NamedHost } from './measure-move.ts';

const DEADLINE_MS = 60_000;
const POLL_MS = 250;
/** A Backend keeps some spare ones. */
const FEW = 20;

/**
 * Settles when the Backends have only their spare processes for IMAP; to be called while nobody is logged in. A
 * killed Backend has none.
 */
export async function endIdleProcesses(backends: readonly NamedHost[]): Promise<void> {
  await Promise.all(backends.map(endThoseOf));
}

async function endThoseOf({ name, address }: NamedHost): Promise<void> {
  const endpoint = { address, port: PORTS.dovecotDoveadm };
  const doveadm = createDoveadmClient(endpoint, DOVEADM_API_KEY);
  const areGone = async (): Promise<boolean> => {
    const reply = await doveadm.run('processStatus', { service: ['imap'] });
    if (reply.kind === 'error') throw new Error(`processStatus of ${name}: ${reply.type}`);
    return reply.rows.length <= FEW;
  };
  const isRunning = await doveadm.run('reload', {}).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') return false;
      throw error;
    },
  );
  if (!isRunning) return;
  const options = { timeoutMs: DEADLINE_MS, intervalMs: POLL_MS };
  await eventually(`only spare processes are left on ${name}`, areGone, options);
}
