/** Waiting for somebody to answer, and asking whether a port is free. */
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;
const PROBE_TIMEOUT_MS = 2000;

/**
 * @typedef {{ kind: 'tcp' | 'http', address: string, port: number, path?: string }} Probe
 */

/** @param {Probe} probe @returns {Promise<boolean>} whether it answers (http: with a 2xx) now */
export async function probe({ kind, address, port, path }) {
  if (kind === 'tcp') return probeTcp(address, port);
  const answer = await getHttp(`http://${address}:${port}${path ?? '/'}`);
  return answer !== null && answer.status >= 200 && answer.status < 300;
}

/**
 * One GET without any agent or cache.
 * @param {string} url
 * @param {{ method?: string, timeoutMs?: number }} [options]
 * @returns {Promise<{ status: number, body: string } | null>} null: nobody answers
 */
export function getHttp(url, { method = 'GET', timeoutMs = PROBE_TIMEOUT_MS } = {}) {
  return new Promise((resolve) => {
    const call = request(url, { method, agent: false, timeout: timeoutMs }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', () => resolve(null));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(null));
    call.end();
  });
}

function probeTcp(address, port) {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: PROBE_TIMEOUT_MS });
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

/**
 * Asks again and again until the answer is yes.
 * @param {() => boolean | Promise<boolean>} ask
 * @param {{ deadlineMs: number, signal?: AbortSignal, pollMs?: number }} options
 * @returns {Promise<boolean>} false: not within the deadline, or aborted
 */
export async function waitUntil(ask, { deadlineMs, signal, pollMs = POLL_MS }) {
  const endAt = Date.now() + deadlineMs;
  while (signal?.aborted !== true) {
    if (await ask()) return true;
    if (Date.now() >= endAt) return false;
    await sleep(pollMs);
  }
  return false;
}

/** @param {string} address @param {number} port @returns {Promise<boolean>} could we listen? */
export function isPortFree(address, port) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen({ host: address, port, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
