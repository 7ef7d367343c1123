/** Sessions and tokens. */
import { z } from '@hono/zod-openapi';
import { ROLES } from '../../gateways/controller-store/accounts.ts';
import { momentField, reasonField } from './problem.ts';

export const RoleName = z.enum(ROLES).openapi('Role');

export const SignIn = z
  .object({
    secret: z.string().min(1).max(200).openapi({
      description: 'The part after # of the sign-in link. Works once, for 10 minutes.',
    }),
  })
  .openapi('SignIn');

export const SessionView = z
  .object({
    kind: z.enum(['session', 'token']),
    role: RoleName,
    name: z.string(),
    actor: z.string().openapi({ description: 'As the audit names it.' }),
    expiresAtMs: z.int().nullable(),
    siteName: z.string().openapi({ description: 'The home site of this controller.' }),
    nowMs: z.int().openapi({ description: "The server's clock." }),
  })
  .openapi('Session');

export const TokenView = z
  .object({
    tokenId: z.string(),
    name: z.string(),
    role: RoleName,
    createdBy: z.string(),
    createdAtMs: z.int(),
    expiresAtMs: z.int().nullable(),
  })
  .openapi('Token');

export const TokenList = z.object({ tokens: z.array(TokenView).readonly() }).openapi('TokenList');

export const NewToken = z
  .object({
    name: z.string().trim().min(1).max(100),
    role: RoleName,
    reason: reasonField,
    expiresAt: momentField.optional(),
  })
  .openapi('NewToken');

export const CreatedToken = TokenView.extend({
  token: z.string().openapi({ description: 'Shown this once; only its hash is stored.' }),
}).openapi('CreatedToken');
