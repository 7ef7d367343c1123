/** Every key and channel of Redis. */
export const metricsKey = (siteName: string): string => `dovekeeper:${siteName}:metrics`;
export const liveChannel = (siteName: string): string => `dovekeeper:${siteName}:live`;

/** The metrics of a controller that stopped are gone after that time. */
export const METRICS_KEPT_SECS = 600;
