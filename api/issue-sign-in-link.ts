/** `node api/issue-sign-in-link.ts <role>`: prints a link that works once, for ten minutes. */
import { hashSecret, newSecret, SIGN_IN_LINK_LIFETIME_MS } from './auth.ts';
import { parseRole, runCommand } from './command.ts';

await runCommand(async ({ accounts, config }) => {
  const role = parseRole(process.argv[2], 'issue-sign-in-link <role>');
  const secret = newSecret('');
  await accounts.saveSignInLink({
    secretHash: hashSecret(secret),
    role,
    createdBy: 'terminal',
    expiresAtMs: Date.now() + SIGN_IN_LINK_LIFETIME_MS,
  });
  // In the fragment, which browsers keep to themselves: no server log and no referrer has it.
  return `${config.http.publicUrl}/sign-in#${secret}`;
});
