/** `npm run lab -- <verb>`: looks at a running lab, and breaks it on purpose. */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { describeError } from '../../platform/describe-error.ts';
import {
  freezeBackends,
  killBackends,
  findBackends,
  restoreBackends,
  setFault,
  thawBackends,
  type FileFault,
} from './faults.ts';
import { controllerEnvironment, findProductNode, hostsOf, ROOT_DIR } from './hosts.mjs';
import { LabError, orderParts, readParts } from './lab-control.ts';
import { delayLookups, LATEST_MS } from './late-lookups.ts';
import { readLabSettings, type LabSettings } from './lab-settings.ts';
import { printLabStatus, readLabStatus } from './lab-status.ts';
import { placeUsers } from './place-users.ts';
import { connectGeodb } from './seed-geodb.ts';

const USAGE = `npm run lab -- <verb>

  status [--json]                     the cluster as a table
  token <role> [--site north]         an API token: viewer, operator or admin

  deny [--percent N] <backend>...     refuses logins and deliveries
  temp <backend>...                   temporary authentication failure
  slow [--ms 800] <backend>...        logins take longer
  storage <backend>...                the mail store is gone: logins work, SELECT and mail do not
  cut <backend>...                    the controller cannot reach it; mail flows
  load [--factor 5] <backend>...      its users come more often
  kill <backend>...                   kill -9 of Dovecot and its cluster service
  freeze <backend>... | thaw <backend>...
  late [--ms 200] <proxy>...          its lookups read the home, and answer later; --ms 0: at once
  restore [<backend>...]              takes back every fault (of all Backends)

  place [--share 70 --on <backend>]   spreads users evenly, or so; sessions follow
  stop <part>... | start <part>...    any part that status shows

LAB_NET chooses the lab; else it is the one that runs from this folder.
`;

const OPTIONS = {
  json: { type: 'boolean' },
  site: { type: 'string' },
  percent: { type: 'string' },
  ms: { type: 'string' },
  factor: { type: 'string' },
  share: { type: 'string' },
  on: { type: 'string' },
  help: { type: 'boolean' },
} as const;

type Options = { readonly [Name in keyof typeof OPTIONS]?: string | boolean | undefined };

interface Call {
  readonly lab: LabSettings;
  readonly names: readonly string[];
  readonly options: Options;
}

/** Each answers what to print. */
const VERBS: Readonly<Record<string, (call: Call) => Promise<string>>> = {
  status: async ({ lab, options }) => {
    const status = await withGeodb(lab, (client) => readLabStatus(lab, client));
    return options.json === true ? JSON.stringify(status, null, 2) : printLabStatus(status);
  },
  token: ({ lab, names, options }) => issueToken(lab, names[0], String(options.site ?? 'north')),
  deny: (call) => addFault(call, 'deny', readNumber(call.options, 'percent', 100, 1, 100)),
  temp: (call) => addFault(call, 'temp'),
  slow: (call) => addFault(call, 'slow', readNumber(call.options, 'ms', 800, 1, 14_000)),
  storage: (call) => addFault(call, 'storage'),
  cut: (call) => addFault(call, 'cut'),
  load: (call) => addFault(call, 'load', readNumber(call.options, 'factor', 5, 1, 50)),
  late: async ({ lab, names, options }) => {
    const ms = readNumber(options, 'ms', 200, 0, LATEST_MS);
    delayLookups(lab, names, ms === 0 ? null : ms);
    return `lookups ${ms} ms late: ${names.join(', ')}`;
  },
  kill: ({ lab, names }) => done(killBackends(lab, names), `killed: ${names.join(', ')}`),
  freeze: ({ lab, names }) => done(freezeBackends(lab, names), `frozen: ${names.join(', ')}`),
  thaw: ({ lab, names }) => done(thawBackends(lab, names), `thawed: ${names.join(', ')}`),
  restore: ({ lab, names }) => {
    const backends = hostsOf(lab.net).filter(({ role }) => role === 'backend');
    const wanted = names.length > 0 ? names : backends.map(({ name }) => name);
    return done(restoreBackends(lab, wanted), `restored: ${wanted.join(', ')}`);
  },
  place: async ({ lab, options }) => {
    await readParts(lab);
    const moved = await withGeodb(lab, (client) =>
      placeUsers(lab, client, readPlacement(lab, options)),
    );
    return `${moved} users moved`;
  },
  stop: ({ lab, names }) => orderNamed(lab, 'stop', names),
  start: ({ lab, names }) => orderNamed(lab, 'start', names),
};

async function main(): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
    const [verb = 'help', ...names] = positionals;
    if (verb === 'help' || values.help === true) {
      process.stdout.write(USAGE);
      return positionals.length === 0 && values.help !== true ? 2 : 0;
    }
    const run = VERBS[verb];
    if (run === undefined) throw usage(`There is no verb "${verb}".\n\n${USAGE}`);
    const lab = readLabSettings(process.env);
    process.stdout.write(`${(await run({ lab, names, options: values })).trimEnd()}\n`);
    return 0;
  } catch (error) {
    const isUsage =
      (error instanceof LabError && error.isUsage) ||
      (error instanceof TypeError &&
        'code' in error &&
        String(error.code).startsWith('ERR_PARSE_ARGS'));
    process.stderr.write(`${describeError(error)}\n`);
    return isUsage ? 2 : 1;
  }
}

const usage = (message: string) => new LabError(message, { isUsage: true });

async function done(work: Promise<void>, said: string): Promise<string> {
  await work;
  return said;
}

async function addFault({ lab, names }: Call, fault: FileFault, value?: number): Promise<string> {
  findBackends(lab, names);
  await readParts(lab);
  setFault(lab, names, fault, value);
  return `${[fault, value].filter(Boolean).join(' ')}: ${names.join(', ')} (until restore)`;
}

async function orderNamed(lab: LabSettings, verb: 'stop' | 'start', names: readonly string[]) {
  const parts = await readParts(lab);
  const known = parts.map(({ name }) => name);
  if (names.length === 0) throw usage(`Which part? ${known.join(', ')}`);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw usage(`There is no part "${unknown}"; there are: ${known.join(', ')}`);
  }
  await orderParts(lab, verb, names);
  return `${verb === 'stop' ? 'stopped' : 'started'}: ${names.join(', ')}`;
}

function readNumber(
  options: Options,
  name: keyof Options,
  fallback: number,
  min: number,
  max: number,
) {
  const text = options[name];
  const value = text === undefined ? fallback : Number(text);
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  throw usage(`--${name} must be a number from ${min} to ${max}, but it is "${String(text)}"`);
}

function readPlacement(lab: LabSettings, options: Options) {
  if (options.share === undefined && options.on === undefined) return null;
  const on = String(options.on ?? '');
  findBackends(lab, on === '' ? [] : [on]);
  return { sharePercent: readNumber(options, 'share', 70, 0, 100), on };
}

async function withGeodb<T>(
  { geodb }: LabSettings,
  work: (client: ReturnType<typeof connectGeodb>) => Promise<T>,
): Promise<T> {
  const client = connectGeodb(geodb);
  try {
    return await work(client);
  } finally {
    await client.shutdown();
  }
}

/** The product's own script, as the controller of that site. */
function issueToken(lab: LabSettings, role: string | undefined, siteName: string): Promise<string> {
  if (role === undefined) throw usage('Which role? viewer, operator or admin');
  if (!hostsOf(lab.net).some(({ site }) => site === siteName)) throw usage(`no site "${siteName}"`);
  const env = { ...process.env, ...controllerEnvironment({ net: lab.net, siteName }) };
  const script = spawn(findProductNode(), ['api/issue-token.ts', role], {
    cwd: ROOT_DIR,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  script.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    script.once('error', reject);
    script.once('close', (code) =>
      code === 0 ? resolve(output) : reject(new LabError('no token could be issued')),
    );
  });
}

process.exitCode = await main();
