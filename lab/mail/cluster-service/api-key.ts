/** Who may give orders: whoever has the API key of the cluster's doveadm. */
import type { IncomingMessage } from 'node:http';

/** By either of the two schemes that Dovecot takes. */
export function isAuthorized({ headers }: IncomingMessage, apiKey: string): boolean {
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(' ');
  const secret = Buffer.from(value, 'base64').toString();
  if (scheme.toLowerCase() === 'x-dovecot-api') return secret === apiKey;
  return scheme.toLowerCase() === 'basic' && secret === `doveadm:${apiKey}`;
}

/** The header by which we say that we have it. */
export const authorizationOf = (apiKey: string): string =>
  `X-Dovecot-API ${Buffer.from(apiKey).toString('base64')}`;
