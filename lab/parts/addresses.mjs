/**
 * Who listens where. A lab has a number, its net: all of its addresses are 127.<net>.*, and the
 * ports are the same in every lab, so that several of them live side by side on one machine.
 */
import { LabProblem } from './lab-problem.mjs';

export const PORTS = Object.freeze({
  temporal: 7233,
  temporalUi: 8233,
  cassandra: 9042,
  cassandraStorage: 7000,
  redis: 6379,
  prometheus: 9090,
  control: 7070,
  traffic: 7071,
  imap: 10143,
  pop3: 10110,
  lmtp: 10024,
  doveadm: 24280,
  dovecotDoveadm: 8090,
  dovecotMetrics: 9900,
  clusterServiceProxy: 7070,
  clusterServiceBackend: 9910,
});

const SITE_LAYOUT = [
  { name: 'north', proxies: 2, backends: 4, proxyNet: 1, backendNet: 2, api: 8080, worker: 9464 },
  { name: 'south', proxies: 1, backends: 2, proxyNet: 3, backendNet: 4, api: 8081, worker: 9465 },
];

/**
 * @param {string | undefined} text LAB_NET
 * @param {number} fallback where it is not set
 * @returns {number} the net, 0 to 250
 */
export function parseNet(text, fallback) {
  if (text === undefined || text === '') return fallback;
  const net = Number(text);
  if (Number.isInteger(net) && net >= 0 && net <= 250) return net;
  throw new LabProblem(`LAB_NET must be a whole number from 0 to 250, but it is "${text}".`);
}

/** @param {number} net @returns {string} where everything that is no mail host listens */
export const coreAddressOf = (net) => `127.${net}.0.1`;

/**
 * The sites of a lab with the name and address of each host.
 * @param {number} net
 */
export function sitesOf(net) {
  const hosts = (site, word, count, part) =>
    Array.from({ length: count }, (_, index) => ({
      name: `${site}-${word}${index + 1}`,
      address: `127.${net}.${part}.${index + 1}`,
    }));
  return SITE_LAYOUT.map((site) => ({
    name: site.name,
    proxies: hosts(site.name, 'proxy', site.proxies, site.proxyNet),
    backends: hosts(site.name, 'mail', site.backends, site.backendNet),
    api: `${coreAddressOf(net)}:${site.api}`,
    apiPort: site.api,
    workerMetrics: `${coreAddressOf(net)}:${site.worker}`,
    workerPort: site.worker,
  }));
}

/**
 * Temporal's development server tells its own parts to meet on 127.0.0.1, whatever it listens on: on
 * another address it answers, but no workflow ever gets a worker. So the net is in its port instead.
 */
export const TEMPORAL_HOST = '127.0.0.1';

/** @param {number} net @returns {number} */
export const temporalPortOf = (net) => (net === 0 ? PORTS.temporal : 21_000 + net);

/**
 * The addresses of what every site shares, as host:port or URL.
 * @param {number} net
 */
export function addressesOf(net) {
  const host = coreAddressOf(net);
  return {
    net,
    host,
    temporal: `${TEMPORAL_HOST}:${temporalPortOf(net)}`,
    temporalUi: `http://${host}:${PORTS.temporalUi}`,
    cassandra: `${host}:${PORTS.cassandra}`,
    redis: `redis://${host}:${PORTS.redis}`,
    prometheus: `http://${host}:${PORTS.prometheus}`,
    control: `http://${host}:${PORTS.control}`,
    traffic: `http://${host}:${PORTS.traffic}`,
  };
}

/** @param {number} net @returns {string} HOST_ADDRESSES: name=address of every mail host */
export function hostAddressesOf(net) {
  return sitesOf(net)
    .flatMap((site) => [...site.proxies, ...site.backends])
    .map((host) => `${host.name}=${host.address}`)
    .join(',');
}

/** @param {number} net @returns {string} PROXY_ADDRESSES: of every proxy of the cluster */
export const proxyAddressesOf = (net) =>
  sitesOf(net)
    .flatMap(({ proxies }) => proxies.map(({ address }) => address))
    .join(',');
