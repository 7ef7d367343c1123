/** A played site whose every doveadm and Cassandra are watched: what a controller of it says to them is recorded. */
import { startExporter, startPrometheus, type FakeExporter } from '../gateways/prometheus-rig.ts';
import { openControllerRig, type ControllerRig } from './controller-rig.ts';
import { startCqlRecorder, type CqlRecorder, type RecordedWrite } from './cql-recorder.ts';
import { playBackend } from './played-backend.ts';
import { playTraffic } from './played-traffic.ts';
import {
  startDoveadmRecorder,
  startRawDoveadm,
  type DoveadmCall,
  type DoveadmRecorder,
  type RawDoveadm,
} from './raw-doveadm.ts';

const PROXIES = ['proxy1', 'proxy2'];
const DOVEADM_PORT = 24_280;
/** Where doveadm itself listens, behind its recorder. */
const BEHIND_PORT = 8090;

export interface RecordedSiteOptions {
  readonly octet: number;
  /** Last byte of its two exporters, and of its Prometheus one below. */
  readonly metricsByte: number;
  readonly backends: readonly { readonly name: string; readonly users: number }[];
  readonly settings?: Readonly<Record<string, string>>;
}

export interface RecordedSite {
  readonly rig: ControllerRig;
  readonly cql: CqlRecorder;
  readonly exporters: readonly FakeExporter[];
  /** Backends whose logins and deliveries fail. */
  readonly failing: Set<string>;
  calls(): DoveadmCall[];
  /** Each command once; a `GET` asks for the list of commands. */
  commands(): string[];
  /** Everything that is not clearly about our own keyspace counts as a write to the GeoDB. */
  geodbWrites(): RecordedWrite[];
  forget(): void;
  close(): Promise<void>;
}

/** With a worker and an API of its own, behind the recorders. */
export async function openRecordedSite(options: RecordedSiteOptions): Promise<RecordedSite> {
  const { octet, metricsByte, settings = {} } = options;
  const backends = options.backends.map((each, index) => ({ ...each, byte: index + 1 }));
  const proxies = PROXIES.map((name, index) => ({ name, byte: index + 11 }));
  const rig = await openControllerRig({ octet, backends, proxies, settings });
  const cassandra = { host: rig.infra, port: 9042 };
  const cql = await startCqlRecorder({ host: rig.at(200), port: 9042 }, cassandra);
  const servers: RawDoveadm[] = [];
  const recorders: DoveadmRecorder[] = [];
  for (const { name, byte } of [...backends, ...proxies]) {
    const host = rig.at(byte);
    const behind = { host, port: BEHIND_PORT };
    servers.push(await startRawDoveadm(behind, (call) => playBackend(rig, name, call)));
    recorders.push(await startDoveadmRecorder({ host, port: DOVEADM_PORT }, behind));
  }
  const exporters = [
    await startExporter(metricsByte, 9900),
    await startExporter(metricsByte + 1, 9900),
  ];
  const targets = exporters.map((exporter, index) => ({
    exporter,
    labels: { site: rig.siteName, instance: PROXIES[index] ?? '' },
  }));
  const jobs = [{ job: 'dovecot_proxy', targets }];
  const prometheus = await startPrometheus(jobs, { lastByte: metricsByte - 1 });
  const failing = new Set<string>();
  const names = backends.map(({ name }) => name);
  const stopTraffic = playTraffic(exporters, names, failing);
  const recorded = { CASSANDRA_SERVERS: `${rig.at(200)}:9042`, PROMETHEUS_URL: prometheus.url };
  rig.start('worker/main.ts', recorded);
  rig.start('api/main.ts', recorded);
  const calls = (): DoveadmCall[] => recorders.flatMap((recorder) => [...recorder.calls()]);
  return {
    rig,
    cql,
    exporters,
    failing,
    calls,
    commands: () => [...new Set(calls().map(({ method, command }) => command ?? method))],
    geodbWrites: () =>
      cql.writes().filter((write) => !write.cql.includes(rig.config.cassandra.keyspace)),
    forget() {
      for (const recorder of [cql, ...recorders]) recorder.forget();
    },
    async close() {
      stopTraffic();
      await rig.close();
      await prometheus.stop();
      for (const part of [cql, ...recorders, ...servers, ...exporters]) await part.close();
    },
  };
}
