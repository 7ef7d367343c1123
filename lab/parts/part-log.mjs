/** The log file of a part. */
import { readFileSync, renameSync, statSync } from 'node:fs';

const LOG_BYTES_MAX = 20 * 1024 * 1024;
const TAIL_CHARACTERS = 1500;

/** Keeps one former log beside the present one. @param {string} file */
export function rotateLog(file) {
  try {
    if (statSync(file).size > LOG_BYTES_MAX) renameSync(file, `${file}.1`);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

/** @param {string} file @returns {string} its last lines; nothing where there is no file */
export function readTail(file) {
  try {
    return readFileSync(file, 'utf8').slice(-TAIL_CHARACTERS);
  } catch {
    return '';
  }
}
