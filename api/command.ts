/** What the two commands of this folder share: a role, the accounts, one line of output. */
import { initControllerStore } from '../gateways/controller-store/init.ts';
import { createGateways } from '../gateways/create-gateways.ts';
import type { Accounts } from '../gateways/controller-store/accounts.ts';
import { ROLES, type Role } from '../gateways/controller-store/accounts.ts';
import { readConfig, type Config } from '../platform/config.ts';
import { describeError } from '../platform/describe-error.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';

export interface CommandContext {
  readonly accounts: Accounts;
  readonly config: Config;
}

/** Throws an Error that says how it is used. */
export function parseRole(text: string | undefined, usage: string): Role {
  const role = ROLES.find((each) => each === text);
  if (role === undefined) {
    throw new Error(`usage: ${usage}, where <role> is one of ${ROLES.join(', ')}`);
  }
  return role;
}

/**
 * Prints the one line that `issue` answers; anything else goes to standard error, with exit code 1.
 * Never kept in a log: the line is a secret.
 */
export async function runCommand(
  issue: (context: CommandContext) => Promise<string>,
): Promise<void> {
  try {
    const config = readConfig(process.env);
    const logger = createLogger({ level: 'silent', role: 'command', site: config.site });
    const gateways = createGateways(config, logger, createMetrics({ isDefaultIncluded: false }));
    try {
      await initControllerStore(config, logger);
      process.stdout.write(`${await issue({ accounts: gateways.accounts, config })}\n`);
    } finally {
      await gateways.close();
    }
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = 1;
  }
}
