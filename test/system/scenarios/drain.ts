/** An operator wants a Backend empty: load factor 0, and back again. */
import { hostsOf, PORTS } from '../../../lab/mail/hosts.mjs';
import { eventually } from '../../support/eventually.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';

const EMPTY_LIMIT_SECS = 120;
const LAB_API_KEY = 'labapikey';

export async function drainAndRaise(
  rig: LabRig,
  figures: Figures,
  { site, host }: { readonly site: string; readonly host: string },
): Promise<void> {
  await rig.bringToRest();
  const api = rig.api(site);
  const beganAtMs = Date.now();
  await setLoadFactor(rig, host, 0);
  rig.print(`load factor 0: ${host}`);
  try {
    const drained = await eventually(
      `${host} is drained`,
      async () => {
        const operations = await api.readOperations();
        return operations.find(
          ({ kind, sourceHost, state, createdAtMs }) =>
            kind === 'drain' && sourceHost === host && state === 'done' && createdAtMs >= beganAtMs,
        );
      },
      { timeoutMs: EMPTY_LIMIT_SECS * 1000, intervalMs: 1_000 },
    );
    const { planned, confirmed, skipped, failed, remaining } = drained.counts;
    figures.state('drain', `drain ${host}: users moved`, `${confirmed} of ${planned}`);
    const isWhole = planned > 0 && planned === confirmed + skipped + failed && remaining === 0;
    figures.holds('drain', `drain ${host}: ledger adds up`, String(isWhole), 'true', isWhole);
    const { backends } = await api.readOverview();
    const backend = backends.find((each) => each.host === host);
    const status = backend?.status ?? 'gone';
    figures.holds('drain', `drain ${host}: status`, status, 'online', status === 'online');
  } finally {
    await setLoadFactor(rig, host, 100);
  }
}

/** As an operator does it: `doveadm cluster backend update --load-factor`. */
async function setLoadFactor(rig: LabRig, host: string, loadFactor: number): Promise<void> {
  const via = hostsOf(rig.lab.net).find((each) => each.name === host);
  if (via === undefined) throw new Error(`the lab has no Backend ${host}`);
  const response = await fetch(`http://${via.address}:${PORTS.doveadm}/doveadm/v1`, {
    method: 'POST',
    headers: { Authorization: `X-Dovecot-API ${btoa(LAB_API_KEY)}` },
    body: JSON.stringify([['clusterBackendUpdate', { host, loadFactor }, 'drain']]),
  });
  const answer = await response.text();
  if (!answer.includes('doveadmResponse')) throw new Error(`load factor of ${host}: ${answer}`);
}
