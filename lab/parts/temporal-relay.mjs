/**
 * Runs Temporal's development server behind an address of our choice. The server's inner parts look
 * for each other on 127.0.0.1 only, whatever --ip says, so several of them cannot have the same
 * port on different addresses. This gives it a free port there and passes connections on.
 *
 * Usage: node temporal-relay.mjs <address> <port> <temporal> <arguments of server start-dev ...>
 */
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';

const HOME = '127.0.0.1';
const [address, port, command, ...rest] = process.argv.slice(2);

const inner = await findFreePort();
const args = ['server', 'start-dev', '--ip', HOME, '--port', String(inner), ...rest];
const child = spawn(command, args, { stdio: 'inherit' });
child.once('error', (error) => {
  process.stderr.write(`${command} could not be started: ${error.message}\n`);
  process.exit(1);
});
child.once('exit', (code) => process.exit(code ?? 1));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));

const server = createServer({ allowHalfOpen: true, noDelay: true }, (outside) => {
  const inside = connect({ host: HOME, port: inner, allowHalfOpen: true, noDelay: true });
  const end = () => {
    outside.destroy();
    inside.destroy();
  };
  outside.once('error', end).once('close', end);
  inside.once('error', end).once('close', end);
  outside.pipe(inside).pipe(outside);
});
server.once('error', (error) => {
  process.stderr.write(`${address}:${port}: ${error.message}\n`);
  child.kill('SIGKILL');
});
server.listen({ host: address, port: Number(port) });

function findFreePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host: HOME, port: 0 }, () => {
      const { port: free } = probe.address();
      probe.close(() => resolve(free));
    });
  });
}
