/**
 * B4: the race of a move with a login under way, forced. The proxy's lookup reads the old home and answers
 * late; the move is done in between; only then does the login reach the old Backend. The user has to end
 * on the new one, and the client notices nothing.
 */
import { createDoveadmClient } from '../../../lab/mail/cluster-service/doveadm-client.ts';
import { openTextClient, type TextClient } from '../../../lab/mail/cluster-service/text-client.ts';
import { DOVEADM_API_KEY, USER_PASSWORD } from '../../../lab/mail/dovecot-config.mjs';
import { hostsOf, PORTS, type LabHost } from '../../../lab/mail/hosts.mjs';
import { delayLookups } from '../../../lab/mail/late-lookups.ts';
import { readCluster } from '../../../lab/mail/read-cluster.ts';
import { judgeLogin, imapCommand } from '../../../lab/mail/traffic/login-clients.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';

export interface RacePlan {
  readonly proxy: string;
  readonly source: string;
  readonly target: string;
  readonly logins: number;
  readonly lookupDelayMs: number;
  /** After the login began; before its lookup is answered. */
  readonly moveAfterMs: number;
}

const LOGIN_MS = 20_000;
/** Late sessions on the old Backend are ended within this time, where there are any. */
const SETTLE_MS = 1_500;

interface Outcome {
  readonly login: string;
  readonly isMovedInTime: boolean;
  readonly onTarget: boolean;
  readonly onSource: boolean;
  readonly isCut: boolean;
}

export async function forceRace(rig: LabRig, figures: Figures, plan: RacePlan): Promise<void> {
  await rig.bringToRest();
  const hosts = hostsOf(rig.settings.net);
  const find = (name: string): LabHost => hosts.find((host) => host.name === name) as LabHost;
  const places = { proxy: find(plan.proxy), source: find(plan.source), target: find(plan.target) };
  const users = await chooseUsers(rig, plan);
  const outcomes: Outcome[] = [];
  delayLookups(rig.settings, [plan.proxy], plan.lookupDelayMs);
  try {
    for (const user of users) outcomes.push(await raceOnce(places, user, plan));
  } finally {
    delayLookups(rig.settings, [plan.proxy], null);
  }
  const count = (is: (outcome: Outcome) => boolean): number => outcomes.filter(is).length;
  const all = `${plan.logins} of ${plan.logins}`;
  const holds = (what: string, is: (outcome: Outcome) => boolean): void => {
    const good = count(is);
    const figure = `${good} of ${outcomes.length}`;
    figures.holds('B4', `race: ${what}`, figure, all, good === plan.logins);
  };
  holds('moved before the lookup was answered', ({ isMovedInTime }) => isMovedInTime);
  holds('logged in', ({ login }) => login === 'ok');
  holds('on the new Backend', ({ onTarget }) => onTarget);
  holds('not on the old one', ({ onSource }) => !onSource);
  figures.state('B4', 'race: sessions that were cut', String(count(({ isCut }) => isCut)));
}

/** Whoever lives on the source and has no session there: clients of the traffic would be in the way. */
async function chooseUsers(rig: LabRig, { source, logins }: RacePlan): Promise<string[]> {
  const { homes } = await readCluster(rig.settings, rig.geodb);
  const present = rig.observer.latest()?.sessions.get(source) ?? new Set<string>();
  const free = (homes.get(source) ?? []).filter((user) => !present.has(user));
  if (free.length < logins) throw new Error(`too few users on ${source}: ${free.length}`);
  return free.slice(0, logins);
}

async function raceOnce(
  { proxy, source, target }: Record<'proxy' | 'source' | 'target', LabHost>,
  user: string,
  plan: RacePlan,
): Promise<Outcome> {
  const client = openTextClient({ address: proxy.address, port: PORTS.imap }, LOGIN_MS);
  try {
    await client.readUntil((line) => line.startsWith('* OK'));
    const beganAtMs = performance.now();
    const login = logIn(client, user);
    await new Promise((resolve) => setTimeout(resolve, plan.moveAfterMs));
    await moveUser(source, target, user);
    const isMovedInTime = performance.now() - beganAtMs < plan.lookupDelayMs;
    const outcome = await login;
    const cut = client.ended.then(() => true);
    const settled = new Promise<false>((resolve) => setTimeout(resolve, SETTLE_MS, false));
    const isCut = await Promise.race([cut, settled]);
    const [onTarget, onSource] = await Promise.all([isOn(target, user), isOn(source, user)]);
    return { login: outcome, isMovedInTime, onTarget, onSource, isCut };
  } finally {
    client.close();
  }
}

const logIn = (client: TextClient, user: string): Promise<string> =>
  imapCommand(client, `a LOGIN ${user} ${USER_PASSWORD}`).then(judgeLogin, () => 'noAnswer');

/** As the mover does it, through the source's doveadm; answers when it is done. */
async function moveUser(source: LabHost, target: LabHost, user: string): Promise<void> {
  const doveadm = createDoveadmClient(
    { address: source.address, port: PORTS.doveadm },
    DOVEADM_API_KEY,
  );
  const reply = await doveadm.run('clusterUserBatchMove', { user: [user], destHost: target.name });
  if (reply.kind === 'error') throw new Error(`the move was refused: ${JSON.stringify(reply)}`);
}

/** By the real Dovecot, past the cluster service. */
async function isOn({ address }: LabHost, user: string): Promise<boolean> {
  const endpoint = { address, port: PORTS.dovecotDoveadm };
  const sessions = await createDoveadmClient(endpoint, DOVEADM_API_KEY).who();
  return sessions.some(({ username, service }) => username === user && service === 'imap');
}
