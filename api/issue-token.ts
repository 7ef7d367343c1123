/** `node api/issue-token.ts <role> [--name N]`: prints a bearer token; it is shown this once. */
import { parseArgs } from 'node:util';
import { ulid } from 'ulid';
import { hashSecret, newSecret } from './auth.ts';
import { parseRole, runCommand } from './command.ts';

await runCommand(async ({ accounts }) => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { name: { type: 'string', default: 'terminal' } },
  });
  const role = parseRole(positionals[0], 'issue-token <role> [--name N]');
  const token = newSecret('dk_');
  await accounts.saveToken({
    tokenId: ulid(),
    secretHash: hashSecret(token),
    name: values.name,
    role,
    createdBy: 'terminal',
    createdAtMs: Date.now(),
    expiresAtMs: null,
  });
  return token;
});
