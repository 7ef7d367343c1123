/** The alert rules as Prometheus itself judges them: promtool plays series against them. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const RULES = fileURLToPath(
  new URL('../../deploy/prometheus/dovekeeper.rules.yml', import.meta.url),
);

/** At each minute `0`, `1`, `0` ... of a series from the start. */
type Series = Readonly<Record<string, string>>;

/** Names and labels of the alerts that fire after `minutes`. */
async function play(series: Series, alert: string, minutes: number, wanted: object[]) {
  const folder = await mkdtemp(join(tmpdir(), 'dovekeeper-alerts-'));
  const file = join(folder, 'test.json');
  const test = {
    rule_files: [RULES],
    evaluation_interval: '30s',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: [{ eval_time: `${minutes}m`, alertname: alert, exp_alerts: wanted }],
      },
    ],
  };
  await writeFile(file, JSON.stringify(test));
  try {
    await run('promtool', ['test', 'rules', file]);
    return 'as wanted';
  } catch (error) {
    return `${(error as { stdout?: string }).stdout}${(error as { stderr?: string }).stderr}`;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const late = {
  exp_labels: { severity: 'critical', site: 'north', task: 'rebalance_sites' },
  exp_annotations: {
    summary: 'rebalance_sites of north has not succeeded for three intervals',
  },
};
const overdue = 'dovekeeper_task_overdue{site="north", task="rebalance_sites", role="api"}';
const paused = 'dovekeeper_task_paused{site="north", task="rebalance_sites", role="api"}';

it('a task without success for three intervals is told once it stays so', async () => {
  const series = { [overdue]: '0 1x10' };
  expect(await play(series, 'DovekeeperTaskWithoutSuccess', 1, [])).toBe('as wanted');
  expect(await play(series, 'DovekeeperTaskWithoutSuccess', 5, [late])).toBe('as wanted');
});

it('a task that somebody paused is another alert, and a later one', async () => {
  const series = { [overdue]: '1x90', [paused]: '1x90' };
  expect(await play(series, 'DovekeeperTaskWithoutSuccess', 30, [])).toBe('as wanted');
  expect(await play(series, 'DovekeeperTaskPaused', 30, [])).toBe('as wanted');
  const labels = { severity: 'warning', site: 'north', task: 'rebalance_sites' };
  const told = {
    exp_labels: labels,
    exp_annotations: { summary: 'rebalance_sites of north has been paused for an hour' },
  };
  expect(await play(series, 'DovekeeperTaskPaused', 65, [told])).toBe('as wanted');
});
