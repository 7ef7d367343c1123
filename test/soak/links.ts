/** The network between a controller and its neighbours: one proxy a pair, each on addresses of the lab's own net. */
import { hostsOf, PORTS } from '../../lab/mail/hosts.mjs';
import { addressesOf } from '../../lab/parts/addresses.mjs';
import { startFaultProxy, type FaultProxy, type LinkFault } from '../support/fault-proxy.ts';
import type { Endpoint } from '../support/tcp-proxy.ts';
import { CONTROLLERS, linkName, siteOfController } from './site-parts.ts';

export interface Links {
  /** Settings of each controller, which lead it through its proxies. */
  readonly settings: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Throws where there is no such pair; null: all is well again. */
  set(name: string, fault: LinkFault | null): void;
  restoreAll(): void;
  /** Connections that a fault has touched so far. */
  touched(): number;
  close(): Promise<void>;
}

/** Third byte of the addresses of the proxies; no host of the lab has it. */
const OCTET = 9;

/** All of them listen when it answers; rejects where a port cannot be had. */
export async function openLinks(net: number): Promise<Links> {
  const proxies = new Map<string, FaultProxy>();
  const settings: Record<string, Record<string, string>> = {};
  for (const [index, controller] of CONTROLLERS.entries()) {
    const plan = planLinks(net, controller, index + 1);
    settings[controller] = plan.settings;
    for (const { name, listen, target } of plan.links) {
      proxies.set(name, await startFaultProxy(listen, target));
    }
  }
  return {
    settings,
    set(name, fault) {
      const proxy = proxies.get(name);
      if (proxy === undefined) throw new Error(`there is no link ${name}`);
      proxy.set(fault);
    },
    restoreAll() {
      for (const proxy of proxies.values()) proxy.set(null);
    },
    touched: () => [...proxies.values()].reduce((sum, { touched }) => sum + touched, 0),
    close: async () => {
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    },
  };
}

interface PlannedLink {
  readonly name: string;
  readonly listen: Endpoint;
  readonly target: Endpoint;
}

/**
 * doveadm keeps the addresses of its hosts, because sessions at a proxy are recognised by them, and gets
 * a port of its own for each controller.
 */
function planLinks(net: number, controller: string, number: number) {
  const own = `127.${net}.${OCTET}.${number}`;
  const { cassandra, redis, prometheus, temporal } = addressesOf(net);
  const stores = {
    cassandra: endpointOf(`tcp://${cassandra}`),
    redis: endpointOf(redis),
    prometheus: endpointOf(prometheus),
    temporal: endpointOf(`tcp://${temporal}`),
  };
  const links: PlannedLink[] = Object.entries(stores).map(([name, target]) => ({
    name: linkName(controller, name),
    listen: { host: own, port: target.port },
    target,
  }));
  const doveadmPort = PORTS.doveadm + number;
  for (const { name, address, site } of hostsOf(net)) {
    if (site !== siteOfController(controller)) continue;
    const at = (port: number): Endpoint => ({ host: address, port });
    links.push({
      name: linkName(controller, name),
      listen: at(doveadmPort),
      target: at(PORTS.doveadm),
    });
  }
  const at = ({ port }: Endpoint): string => `${own}:${port}`;
  const settings = {
    CASSANDRA_SERVERS: at(stores.cassandra),
    REDIS_URL: `redis://${at(stores.redis)}`,
    PROMETHEUS_URL: `http://${at(stores.prometheus)}`,
    TEMPORAL_ADDRESS: at(stores.temporal),
    DOVEADM_PORT: String(doveadmPort),
  };
  return { links, settings };
}

function endpointOf(url: string): Endpoint {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
