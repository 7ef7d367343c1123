/** The `cluster` commands that Dovecot CE lacks, by name. */
import { backendCommands } from './backend-commands.ts';
import type { ClusterCommand } from './cluster-command.ts';
import { forceMoveCommands } from './force-move-commands.ts';
import { userCommands } from './user-commands.ts';

export const CLUSTER_COMMANDS: ReadonlyMap<string, ClusterCommand> = new Map(
  [...userCommands, ...backendCommands, ...forceMoveCommands].map((one) => [one.name, one]),
);
