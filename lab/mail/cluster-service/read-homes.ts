/** Homes of many users: a few at a time, so that no question to the GeoDB is a large one. */
import type { Geodb, Home } from './geodb.ts';
import { inGroups } from './write-homes.ts';

const HOMES_A_READ = 25;

/** By user name; whoever has no home is absent. */
export async function readManyHomes(
  usernames: readonly string[],
  geodb: Pick<Geodb, 'readHomes'>,
): Promise<Map<string, Home>> {
  const all = new Map<string, Home>();
  for (const names of inGroups(usernames, HOMES_A_READ)) {
    for (const [name, home] of await geodb.readHomes(names)) all.set(name, home);
  }
  return all;
}
