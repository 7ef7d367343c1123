/** Users whom nobody ever logs in as: straight into the GeoDB of a lab, for evacuations of thousands. */
import { labId } from '../../lab/mail/seed-geodb.ts';
import type { LabRig } from './lab-rig.ts';

const WRITES_AT_ONCE = 64;

/**
 * `name`: one word; the users of one group are removed together. Called again, it takes the same users to
 * another Backend: with new ones each time, every scan of homes would read the gravestones of all the old.
 */
export async function addUsers(
  { geodb, settings }: LabRig,
  host: string,
  group: { readonly name: string; readonly count: number },
): Promise<void> {
  const insert = `INSERT INTO ${settings.geodb.keyspace}.users (username, backend_id) VALUES (?, ?)`;
  await atOnce(namesOf(group), async (user) => {
    await geodb.execute(insert, [user, labId(host)]);
  });
}

export async function removeUsers(
  { geodb, settings }: LabRig,
  group: { readonly name: string; readonly count: number },
): Promise<void> {
  const remove = `DELETE FROM ${settings.geodb.keyspace}.users WHERE username = ?`;
  await atOnce(namesOf(group), async (user) => {
    await geodb.execute(remove, [user]);
  });
}

/** Traffic knows them by the first letter, and leaves them alone (lab/mail/traffic/user-homes.ts). */
const namesOf = ({ name, count }: { readonly name: string; readonly count: number }): string[] =>
  Array.from({ length: count }, (_, index) => `x-${name}-${index + 1}@north.example`);

async function atOnce(users: readonly string[], work: (user: string) => Promise<void>) {
  const waiting = users.values();
  const lane = async (): Promise<void> => {
    for (const user of waiting) await work(user);
  };
  await Promise.all(Array.from({ length: WRITES_AT_ONCE }, lane));
}
