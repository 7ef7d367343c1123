/**
 * Fills a new lab: sites, Backends, users with mail, features enabled. An existing cluster is left
 * as it is. Settings: LAB_NET, LAB_STATE, LAB_USERS (2000). Needs Cassandra with the schema of
 * the GeoDB; the mail hosts need not run.
 */
import { readLabSettings } from './lab-settings.ts';
import { connectGeodb, seedGeodb, seedUsers } from './seed-geodb.ts';
import { seedMail } from './seed-mail.ts';

export interface SeedOptions {
  readonly net: number;
  readonly stateDir: string;
  readonly users: number;
}

/** Answers one line that says what was done. */
export async function seed({ net, stateDir, users: count }: SeedOptions): Promise<string> {
  const { geodb } = readLabSettings({ LAB_NET: String(net), LAB_STATE: stateDir });
  const users = seedUsers(net, count);
  const client = connectGeodb(geodb);
  try {
    const isNew = await seedGeodb(client, geodb.keyspace, { net, users });
    const mailboxes = seedMail(net, stateDir, users);
    return isNew
      ? `new cluster with ${count} users, ${mailboxes} mailboxes made`
      : `cluster is there already, ${mailboxes} mailboxes made`;
  } finally {
    await client.shutdown();
  }
}

if (import.meta.main) {
  const { net, stateDir } = readLabSettings(process.env);
  const users = Number(process.env['LAB_USERS'] ?? 2000);
  process.stdout.write(`${await seed({ net, stateDir, users })}\n`);
}
