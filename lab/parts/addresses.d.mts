/** Types of addresses.mjs for TypeScript callers. */
import type { Lab, LabSite } from './lab.mjs';

export const PORTS: Readonly<
  Record<
    | 'temporal'
    | 'temporalUi'
    | 'cassandra'
    | 'cassandraStorage'
    | 'redis'
    | 'prometheus'
    | 'control'
    | 'traffic'
    | 'imap'
    | 'pop3'
    | 'lmtp'
    | 'doveadm'
    | 'dovecotDoveadm'
    | 'dovecotMetrics'
    | 'clusterServiceProxy'
    | 'clusterServiceBackend',
    number
  >
>;

/** LAB_NET as a number from 0 to 250; anything else is a LabProblem. */
export function parseNet(text: string | undefined, fallback: number): number;
/** Where everything that is no mail host listens. */
export function coreAddressOf(net: number): string;
export function sitesOf(net: number): LabSite[];
export function addressesOf(net: number): Lab['addresses'];
/** HOST_ADDRESSES: name=address of every mail host. */
export function hostAddressesOf(net: number): string;
/** PROXY_ADDRESSES: of every proxy of the cluster. */
export function proxyAddressesOf(net: number): string;
