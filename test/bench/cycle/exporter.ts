/** Serves a synthetic site to Prometheus: each proxy under a path of its own, all Backends in one answer. */
import { createServer } from 'node:http';
import { SyntheticTraffic } from './synthetic-traffic.ts';
import type { SyntheticSite, Trouble } from './synthetic-traffic.ts';

export interface Exporter {
  close(): Promise<void>;
}

/** @param troublesAt which Backends fail at that time, epoch seconds */
export async function startSyntheticExporter(
  { host, port }: { readonly host: string; readonly port: number },
  site: SyntheticSite,
  troublesAt: (nowSecs: number) => readonly Trouble[],
): Promise<Exporter> {
  const traffic = new SyntheticTraffic(site, Date.now() / 1000);
  const server = createServer((request, response) => {
    const nowSecs = Date.now() / 1000;
    traffic.advance(nowSecs, troublesAt(nowSecs));
    const proxy = /^\/proxy\/(\d+)$/.exec(request.url ?? '')?.[1];
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    response.end(proxy === undefined ? traffic.backendText() : traffic.proxyText(Number(proxy)));
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
