import { readConfig } from '../../platform/config.ts';
import type { PolicySettings } from '../../workflows/domain/policy-settings.ts';

/** The lab's policy settings: shortened where the defaults would only wait. */
export function labSettings(): PolicySettings {
  return readConfig({
    CLUSTER_SITE: 'north',
    HOST_FAILURE_CRITICAL_WINDOW_SECS: '10',
    HOST_FAILURE_WINDOW_SECS: '20',
    HOST_FAILURE_MIN_LOGINS: '20',
    HOST_FAILURE_COOL_TIME_SECS: '60',
    HOST_RECOVERY_WINDOW_SECS: '15',
    HOST_RECOVERY_MAX_HOLD_SECS: '60',
    USER_MOVE_STUCK_SECS: '10',
  }).policy;
}
