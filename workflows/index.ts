/** Names every workflow type. */
export { cacheMetrics } from './cache-metrics.ts';
export { checkBackendHealth } from './check-backend-health.ts';
export { checkUserMoves } from './check-user-moves.ts';
export { moveUsersOff } from './move-users-off.ts';
