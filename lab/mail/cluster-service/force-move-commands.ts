/** `cluster backend force-move` and `cluster site force-move`: rules that proxies apply at login. */
import { randomUUID } from 'node:crypto';
import type { BackendContext } from './backend-context.ts';
import {
  CommandError,
  EXIT_NO_HOST,
  EXIT_USAGE,
  type ClusterCommand,
  type ParameterType,
  type Parameters,
} from './cluster-command.ts';

type Scope = 'site' | 'backend';

export const forceMoveCommands: readonly ClusterCommand[] = [
  ...commandsFor('backend', 'clusterBackendForceMove', { host: 'host', dest: 'destHost' }),
  ...commandsFor('site', 'clusterSiteForceMove', { host: 'name', dest: 'destSite' }),
];

/** A target that a rule is for, and the destinations it may name. */
interface Named {
  readonly id: string;
  readonly name: string;
}

function commandsFor(
  scope: Scope,
  prefix: string,
  names: { readonly host: string; readonly dest: string },
): ClusterCommand[] {
  const target: Record<string, ParameterType> = { [names.host]: 'string' };
  return [
    {
      name: `${prefix}Start`,
      parameters: { ...target, id: 'string', percentage: 'integer', [names.dest]: 'array' },
      required: [names.host, 'percentage', names.dest],
      async run(parameters, context) {
        const all = await readNamed(scope, context);
        const destinations = parameters[names.dest] as string[];
        for (const name of destinations) findNamed(name, all);
        await context.geodb.writeForceMove({
          scope,
          targetId: findNamed(String(parameters[names.host]), all).id,
          id: String(parameters['id'] ?? randomUUID()),
          percentage: readPercentage(parameters),
          destinations,
        });
        return [];
      },
    },
    {
      name: `${prefix}Update`,
      parameters: { ...target, percentage: 'integer' },
      required: [names.host, 'percentage'],
      async run(parameters, context) {
        const { id } = findNamed(String(parameters[names.host]), await readNamed(scope, context));
        const rule = context.map
          .current()
          .forceMoves.find((one) => one.scope === scope && one.targetId === id);
        if (rule === undefined) throw new CommandError(EXIT_NO_HOST, 'no force move is running');
        await context.geodb.writeForceMove({ ...rule, percentage: readPercentage(parameters) });
        return [];
      },
    },
    {
      name: `${prefix}Stop`,
      parameters: target,
      required: [names.host],
      async run(parameters, context) {
        const { id } = findNamed(String(parameters[names.host]), await readNamed(scope, context));
        await context.geodb.deleteForceMove(scope, id);
        return [];
      },
    },
  ];
}

async function readNamed(scope: Scope, { map }: BackendContext): Promise<Named[]> {
  const { sites, backends } = await map.refresh();
  return scope === 'site' ? [...sites] : backends.map(({ id, host }) => ({ id, name: host }));
}

function findNamed(name: string, all: readonly Named[]): Named {
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new CommandError(EXIT_NO_HOST, `unknown: ${name}`);
  return found;
}

function readPercentage({ percentage }: Parameters): number {
  if (typeof percentage === 'number' && percentage <= 100) return percentage;
  throw new CommandError(EXIT_USAGE, 'percentage above 100');
}
