/** Process of the cluster service: one beside each Dovecot of a cluster. */
import { describeError } from '../../../platform/describe-error.ts';
import { startBackendRole } from './backend-role.ts';
import { createLog } from './log.ts';
import { startProxyRole } from './proxy-role.ts';
import { readSettings, SettingsError } from './settings.ts';

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const log = createLog({ host: settings.host, role: settings.role });
  const start = settings.role === 'proxy' ? startProxyRole : startBackendRole;
  const stop = await start(settings, log);
  log.info('cluster service is running');
  const end = (signal: string) => {
    log.info('stopping', { signal });
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  process.on('unhandledRejection', (error) =>
    log.error('unhandled rejection', { error: describeError(error) }),
  );
}

main().catch((error: unknown) => {
  const text = error instanceof SettingsError ? error.message : describeError(error);
  process.stderr.write(`cluster service: ${text}\n`);
  process.exit(1);
});
