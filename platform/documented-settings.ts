/**
 * Settings of the documented controller that have another name here, or no meaning: nobody who brings his
 * environment along is left to wonder why one of them does nothing.
 */
type Environment = Readonly<Record<string, string | undefined>>;

/** Older name and newer name of the same thing. */
const FORMER_NAMES: readonly (readonly [former: string, name: string])[] = [
  ['CASSANDRA_SITE', 'CASSANDRA_LOCAL_DC'],
];

const GROUPS =
  'users are moved one by one: balancing whole groups belongs to an older generation of Palomar';

const WITHOUT_MEANING: Readonly<Record<string, string>> = {
  CELERY_BROKER_URL:
    'Temporal holds the work and Redis is only a cache, whose address is REDIS_URL',
  CELERY_BROKER_TRANSPORT_OPTIONS:
    'there is no broker; the cache may be lost at any time, so it needs no Redis Sentinel',
  GROUP_BALANCE_ENABLED: GROUPS,
  GROUP_BALANCE_GROUP_SIZE_RATIO_SLACK: GROUPS,
  GROUP_BALANCE_MAX_USER_MOVE_BETWEEN_GROUPS: GROUPS,
  GROUP_BALANCE_MAX_USER_MOVES_PER_PASS: GROUPS,
};

const isSet = (value: string | undefined): value is string => value !== undefined && value !== '';

/** The environment with former names taken for their new ones; the new one wins only where both agree. */
export function withFormerNames(environment: Environment, problems: string[]): Environment {
  const known: Record<string, string | undefined> = { ...environment };
  for (const [former, name] of FORMER_NAMES) {
    const old = environment[former];
    const own = environment[name];
    if (!isSet(old)) continue;
    if (isSet(own) && own !== old) {
      problems.push(`${former} is the older name of ${name}, and they differ: "${old}", "${own}"`);
    }
    known[name] = old;
  }
  return known;
}

/** Sentences for the log of a start: what was set and does nothing, or not what its name promises. */
export function noticesOf(environment: Environment): string[] {
  const former = FORMER_NAMES.filter(([name]) => isSet(environment[name])).map(
    ([old, name]) => `${old} is taken for ${name}, its newer name`,
  );
  const idle = Object.entries(WITHOUT_MEANING)
    .filter(([name]) => isSet(environment[name]))
    .map(([name, why]) => `${name} has no effect here: ${why}`);
  return [...former, ...idle, ...remoteNotice(environment), ...keyspaceNotice(environment)];
}

function remoteNotice({ CASSANDRA_USED_HOSTS_PER_REMOTE_DC: hosts }: Environment): string[] {
  if (!isSet(hosts) || Number(hosts) === 0) return [];
  return [
    'CASSANDRA_USED_HOSTS_PER_REMOTE_DC has no effect here: everything is read and written at ' +
      'LOCAL_QUORUM, which no node of another data centre can serve; 0 is what holds',
  ];
}

function keyspaceNotice(environment: Environment): string[] {
  const { CASSANDRA_KEYSPACE: own, CASSANDRA_GEODB_KEYSPACE: geodb } = environment;
  if (!isSet(own) || own !== (isSet(geodb) ? geodb : 'd8s_cluster')) return [];
  return [
    'CASSANDRA_KEYSPACE is the keyspace of our own tables, and names that of the GeoDB: ours are ' +
      'made beside the others there',
  ];
}
