/** Prometheus: scrapes every proxy and Backend of the lab each second, its controllers less often. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PORTS, coreAddressOf, sitesOf } from './addresses.mjs';
import { wantedCommand } from './apt-packages.mjs';
import { ROOT_DIR, ensureFolder } from './folders.mjs';
import { findExecutable } from './run-command.mjs';

export const PROMETHEUS_PACKAGES = [wantedCommand('prometheus')];

/**
 * @param {{ net: number, stateDir: string }} lab
 * @returns {import('./part-spec.mjs').PartSpec}
 */
export function prometheusPart({ net, stateDir }) {
  const address = coreAddressOf(net);
  const folder = ensureFolder(join(stateDir, 'prometheus'));
  const configFile = join(folder, 'prometheus.yml');
  writeFileSync(configFile, prometheusConfiguration(net, ruleFiles()));
  return {
    name: 'prometheus',
    stage: 'stores',
    command: findExecutable('prometheus'),
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--storage.tsdb.retention.time=6h',
      `--web.listen-address=${address}:${PORTS.prometheus}`,
      '--web.enable-lifecycle',
      '--enable-feature=exemplar-storage',
      '--log.level=warn',
    ],
    waitFor: { kind: 'http', address, port: PORTS.prometheus, path: '/-/ready' },
    deadlineMs: 60_000,
  };
}

function ruleFiles() {
  const folder = join(ROOT_DIR, 'deploy/prometheus');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name) && !/\.test\.ya?ml$/.test(name))
    .map((name) => join(folder, name));
}

/**
 * The scrape configuration of a lab. YAML is a superset of JSON, so it is written as JSON.
 * Every series of a proxy carries `site`, `instance` (the proxy) and `dest_host` (the Backend).
 * @param {number} net
 * @param {string[]} rules files with recording and alerting rules
 * @returns {string}
 */
export function prometheusConfiguration(net, rules) {
  const sites = sitesOf(net);
  const perSite = (targetsOf) => sites.flatMap(targetsOf);
  const proxies = (port) =>
    perSite((site) =>
      site.proxies.map((host) => target(host, port, { site: site.name, instance: host.name })),
    );
  const backends = (port) =>
    perSite((site) =>
      site.backends.map((host) => target(host, port, { site: site.name, host: host.name })),
    );
  const configuration = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: rules,
    scrape_configs: [
      job('dovecot_proxy', proxies(PORTS.dovecotMetrics), { metric_relabel_configs: LMTP_HOST }),
      job('cluster_service_proxy', proxies(PORTS.clusterServiceProxy)),
      job('dovecot_backend', backends(PORTS.dovecotMetrics)),
      job('cluster_service_backend', backends(PORTS.clusterServiceBackend)),
      job('dovekeeper', perSite(controllerTargets), {
        scrape_interval: CONTROLLER_SCRAPE_INTERVAL,
      }),
      job('traffic', [{ targets: [`${coreAddressOf(net)}:${PORTS.traffic}`], labels: {} }]),
    ],
  };
  return `${JSON.stringify(configuration, null, 2)}\n`;
}

/** Nothing is decided by the controller's own figures, and each scrape reads its store and its Temporal. */
const CONTROLLER_SCRAPE_INTERVAL = '5s';

/** Deliveries are counted by the client side of LMTP, whose event calls the Backend `host`. */
const LMTP_HOST = [
  {
    source_labels: ['__name__', 'host'],
    separator: ';',
    regex: 'dovecot_lmtp_.*;(.+)',
    target_label: 'dest_host',
    replacement: '$1',
  },
  { regex: 'host', action: 'labeldrop' },
];

const job = (name, targets, more = {}) => ({
  job_name: name,
  static_configs: targets,
  ...more,
});

const target = (host, port, labels) => ({ targets: [`${host.address}:${port}`], labels });

const controllerTargets = (site) => [
  { targets: [site.api], labels: { site: site.name, role: 'api' } },
  { targets: [site.workerMetrics], labels: { site: site.name, role: 'worker' } },
];
