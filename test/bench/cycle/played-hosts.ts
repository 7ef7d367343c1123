/**
 * A process that plays every mail host of a large site: what its proxies and Backends export, and a doveadm at
 * each address, over real HTTP. A batch move changes homes in the GeoDB and nothing else.
 * Settings: PLAYED_NET, PLAYED_BACKENDS, PLAYED_CASSANDRA, PLAYED_KEYSPACE, PLAYED_EXPORTER (host:port).
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connectGeodb } from '../../../lab/mail/seed-geodb.ts';
import { startSyntheticExporter } from './exporter.ts';
import { largeSite, troublesAt } from './large-site.ts';

const DOVEADM_PORT = 24_280;
const NOBODY_TO_KICK = 68;
/** As long as the list of a real Dovecot: 25 kB. */
const OTHER_COMMANDS = 70;

const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const keyspace = setting('PLAYED_KEYSPACE');
const site = largeSite(Number(setting('PLAYED_NET')), Number(setting('PLAYED_BACKENDS')), 0);
const idOf = new Map(site.backends.map(({ host, id }) => [host, id]));
const geodb = connectGeodb({ contactPoint: setting('PLAYED_CASSANDRA') });
const startedSecs = Date.now() / 1000;

const parameters = (types: Readonly<Record<string, string>>): object[] =>
  Object.entries(types).map(([name, type]) => ({ name, type }));
const COMMANDS = JSON.stringify([
  {
    command: 'clusterUserBatchMove',
    parameters: parameters({
      user: 'array',
      destHost: 'string',
      maxUsers: 'integer',
      minLastMoved: 'integer',
      moveTimestamp: 'integer',
      maxParallel: 'integer',
    }),
  },
  { command: 'clusterBackendUpdate', parameters: parameters({ host: 'string', status: 'string' }) },
  ...Array.from({ length: OTHER_COMMANDS }, (_, index) => ({
    command: `otherCommand${index}`,
    parameters: parameters(
      Object.fromEntries(Array.from({ length: 8 }, (_one, at) => [`parameter${at}`, 'string'])),
    ),
  })),
]);

type Parameters = Readonly<Record<string, unknown>>;

async function run(host: string, command: string, wanted: Parameters): Promise<object[] | number> {
  switch (command) {
    case 'clusterUserBatchMove':
      await moveUsers(host, wanted);
      return [];
    case 'clusterBackendUpdate':
      await geodb.execute(`UPDATE ${keyspace}.backends SET status = ? WHERE id = ?`, [
        wanted['status'],
        idOf.get(String(wanted['host'])),
      ]);
      return [];
    case 'who':
    case 'proxyList':
      return [];
    default:
      return NOBODY_TO_KICK;
  }
}

async function moveUsers(host: string, wanted: Parameters): Promise<void> {
  const micros = String(Number(wanted['moveTimestamp'] ?? Date.now() * 1000) + 1);
  const targetId = idOf.get(String(wanted['destHost']));
  await Promise.all(
    (wanted['user'] as string[]).map((username) =>
      geodb.execute(
        `UPDATE ${keyspace}.users USING TIMESTAMP ${micros}
           SET backend_id = ?, alt_backend_id = ?, last_moved = ? WHERE username = ?`,
        [targetId, idOf.get(host), new Date(), username],
      ),
    ),
  );
}

async function answer(host: string, request: IncomingMessage): Promise<string> {
  if (request.method === 'GET') return COMMANDS;
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const [first] = JSON.parse(Buffer.concat(parts).toString('utf8')) as [
    string,
    Parameters,
    string,
  ][];
  const [command = '', wanted = {}, tag = ''] = first ?? [];
  const result = await run(host, command, wanted);
  return JSON.stringify([
    typeof result === 'number'
      ? ['error', { type: 'exitCode', exitCode: result }, tag]
      : ['doveadmResponse', result, tag],
  ]);
}

function serve(host: string, request: IncomingMessage, response: ServerResponse): void {
  answer(host, request).then(
    (text) => {
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
      response.end(text);
    },
    () => response.writeHead(500).end(),
  );
}

await geodb.connect();
const [host = '', port = ''] = setting('PLAYED_EXPORTER').split(':');
await startSyntheticExporter(
  { host, port: Number(port) },
  { backends: site.backends.map((each) => each.host), proxies: site.proxies.length },
  (nowSecs) => troublesAt(site, startedSecs, nowSecs),
);
for (const backend of site.backends) {
  const server = createServer((request, response) => serve(backend.host, request, response));
  await new Promise<void>((resolve) => server.listen(DOVEADM_PORT, backend.address, resolve));
}
process.stdout.write('ready\n');
