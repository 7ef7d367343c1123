/** Chromium for the tests that use the web page as people do. */
import { wantedCommand } from './apt-packages.mjs';
import { findExecutable } from './run-command.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** @returns {string | null} */
export const findChromium = () => NAMES.map(findExecutable).find((path) => path !== null) ?? null;

export const CHROMIUM_PACKAGES = [
  { ...wantedCommand('chromium'), isThere: () => findChromium() !== null },
];
