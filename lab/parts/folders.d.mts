export const ROOT_DIR: string;
export const CACHE_DIR: string;
export const BUILD_DIR: string;
export const COMPILE_CACHE_DIR: string;
/** The cluster of `npm start`. */
export const STATE_DIR: string;
export const TEST_DIR: string;
export const WORKFLOW_BUNDLE: string;
export const UI_DIST_DIR: string;
export function ensureFolder(folder: string): string;
export function logFileOf(stateDir: string, name: string): string;
