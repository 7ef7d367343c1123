/** How many tests passed and failed, from the test runner's JSON report. */
import { existsSync, readFileSync } from 'node:fs';

/**
 * A file that could not even be read counts as one failure, and so does a run without any test or
 * one that ended badly for another reason.
 * @param {string} reportFile
 * @param {number} exitCode of the test runner
 * @returns {{ passed: number, failed: number }}
 */
export function readTotals(reportFile, exitCode) {
  if (!existsSync(reportFile)) return { passed: 0, failed: 1 };
  const report = JSON.parse(readFileSync(reportFile, 'utf8'));
  const passed = report.numPassedTests ?? 0;
  const brokenFiles = (report.testResults ?? []).filter(
    (file) =>
      file.status === 'failed' &&
      !file.assertionResults.some((assertion) => assertion.status === 'failed'),
  );
  const failed = (report.numFailedTests ?? 0) + brokenFiles.length;
  const isBad = failed === 0 && (exitCode !== 0 || passed === 0);
  return { passed, failed: isBad ? 1 : failed };
}
