/**
 * The supervisor's door for `npm run lab`: GET /status; POST /stop, /start, /kill, /freeze, /thaw
 * with ?part=<name> (again for more), POST /shutdown. That it listens is also the lock of the net.
 */
import { createServer } from 'node:http';
import { PORTS, coreAddressOf } from './addresses.mjs';
import { LabProblem } from './lab-problem.mjs';

/**
 * @typedef {object} ControlActions
 * @property {() => object} status
 * @property {(name: string) => Promise<void>} stop
 * @property {(name: string) => void} start
 * @property {(name: string, options: { staysDown: boolean }) => Promise<void>} kill
 * @property {(name: string) => void} freeze
 * @property {(name: string) => void} thaw
 * @property {() => void} shutdown
 */

/**
 * Takes the net.
 * @param {number} net
 * @returns {Promise<ControlServer | null>} null: another lab has it
 */
export async function claimNet(net) {
  const server = createServer();
  const isOurs = await new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen({ host: coreAddressOf(net), port: PORTS.control, exclusive: true }, () =>
      resolve(true),
    );
  });
  return isOurs ? new ControlServer(server) : null;
}

export class ControlServer {
  #server;

  /** @param {import('node:http').Server} server that listens already */
  constructor(server) {
    this.#server = server;
    server.on('request', (_, response) => send(response, 503, { error: 'The lab starts.' }));
  }

  /** @param {ControlActions} actions */
  serve(actions) {
    this.#server.removeAllListeners('request');
    this.#server.on('request', (request, response) => {
      answer(request, actions)
        .then((body) => send(response, 200, body))
        .catch((error) => {
          if (!(error instanceof LabProblem)) return send(response, 500, { error: String(error) });
          send(response, 409, { error: error.message });
        });
    });
  }

  /** Gives the net back. @returns {Promise<void>} */
  close() {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

async function answer(request, actions) {
  // a browser always names the page that sends a POST; no page has any business here
  if (request.headers.origin !== undefined) throw new LabProblem('Not for web pages.');
  const url = new URL(request.url ?? '/', 'http://lab');
  if (request.method === 'GET' && url.pathname === '/status') return actions.status();
  if (request.method !== 'POST') throw new LabProblem(`There is no ${request.method} here.`);
  await act(url, actions);
  return actions.status();
}

async function act(url, actions) {
  const names = url.searchParams.getAll('part');
  const each = (work) => {
    if (names.length === 0) throw new LabProblem('Which part? Say it as ?part=<name>.');
    return Promise.all(names.map((name) => work(name)));
  };
  const staysDown = url.searchParams.get('stay') === '1';
  switch (url.pathname) {
    case '/stop':
      return each((name) => actions.stop(name));
    case '/start':
      return each((name) => actions.start(name));
    case '/kill':
      return each((name) => actions.kill(name, { staysDown }));
    case '/freeze':
      return each((name) => actions.freeze(name));
    case '/thaw':
      return each((name) => actions.thaw(name));
    case '/shutdown':
      return actions.shutdown();
    default:
      throw new LabProblem(`The control does not know ${url.pathname}.`);
  }
}

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body, null, 2)}\n`);
}
