/** A Backend's doveadm that does what it is told, in the GeoDB of a rig: homes change, nothing else is there. */
import type { ControllerRig } from './controller-rig.ts';
import {
  COMMAND_LISTS,
  errorAnswer,
  okAnswer,
  type DoveadmCall,
  type Reply,
} from './raw-doveadm.ts';

const NOBODY_TO_KICK = 68;

export async function playBackend(
  rig: ControllerRig,
  host: string,
  call: DoveadmCall,
): Promise<Reply> {
  if (call.method === 'GET') return COMMAND_LISTS.whole;
  const { command, parameters, tag } = call;
  switch (command) {
    case 'clusterUserBatchMove':
      await moveUsers(rig, host, parameters);
      return okAnswer(tag);
    case 'clusterBackendUpdate':
      await rig.cql('UPDATE {geodb}.backends SET status = ? WHERE id = ?', [
        parameters['status'],
        rig.backendId(String(parameters['host'])),
      ]);
      return okAnswer(tag);
    case 'who':
    case 'proxyList':
      return okAnswer(tag);
    case 'kick':
    case 'proxyKick':
      return errorAnswer(tag, 'exitCode', NOBODY_TO_KICK);
    default:
      return errorAnswer(tag, 'unknownMethod', 0);
  }
}

/** The named users, or as many as it is told. */
export async function moveUsers(
  rig: ControllerRig,
  host: string,
  parameters: DoveadmCall['parameters'],
): Promise<void> {
  const sourceId = rig.backendId(host);
  const limit = Number(parameters['maxUsers'] ?? 1);
  const counted = async (): Promise<string[]> =>
    (await rig.geodb.pageUsers(sourceId, { limit, cursor: null })).users.map((one) => one.username);
  const usernames = (parameters['user'] as string[] | undefined) ?? (await counted());
  const targetId = rig.backendId(String(parameters['destHost']));
  const timestampMicros = Number(parameters['moveTimestamp'] ?? Date.now() * 1000) + 1;
  await rig.geodb.forceHomes(
    usernames.map((username) => ({ username, targetId, sourceId, timestampMicros })),
  );
}
