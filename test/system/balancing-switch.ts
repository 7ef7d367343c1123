import type { LabRig } from './lab-rig.ts';

/** As an operator does it: for the whole cluster, since a rig begins with it off there. */
export async function changeBalancing(
  rig: LabRig,
  site: string,
  state: 'enabled' | 'disabled',
): Promise<void> {
  const body = { level: 'global', state, reason: 'drill' };
  const { status, answer } = await rig
    .api(site)
    .send('PUT', '/features/BackendLoadBalancing', body);
  if (status !== 200) throw new Error(`balancing could not be ${state}: ${status} ${answer}`);
}
