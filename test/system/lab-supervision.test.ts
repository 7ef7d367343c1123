/** The lab's own promises, with its two lightest parts: real processes, killed for real. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PORTS, addressesOf } from '../../lab/parts/addresses.mjs';
import { checkMachine } from '../../lab/parts/check-machine.mjs';
import { startLab } from '../../lab/parts/lab.mjs';
import type { Lab, LabOptions } from '../../lab/parts/lab.mjs';
import { readTotals } from '../../lab/parts/test-totals.mjs';
import { getHttp } from '../../lab/parts/wait-for.mjs';
import { eventually } from '../support/eventually.ts';

const folder = mkdtempSync(join(process.env['DK_TEST_STATE'] ?? tmpdir(), 'supervision-'));
const lines: string[] = [];
let lab: Lab | null = null;

async function start(options: Partial<LabOptions> = {}): Promise<Lab> {
  const print = (line: string) => void lines.push(line);
  const defaults: LabOptions = { net: 'free', stateDir: folder, parts: ['redis'], print };
  lab = await startLab({ ...defaults, ...options });
  return lab;
}

const stateOf = (name: string) => lab?.status().find((part) => part.name === name)?.state;
const canConnect = async (net: number): Promise<boolean> => {
  const answer = await getHttp(`http://${addressesOf(net).host}:${PORTS.prometheus}/-/ready`);
  return answer?.status === 200;
};
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

afterEach(async () => {
  await lab?.stop();
  lab = null;
  lines.length = 0;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('supervision', () => {
  it('lets the timers of a part fire a millisecond late, and not its own', async () => {
    const slackOf = (pid: number | 'self'): number =>
      Number(readFileSync(`/proc/${pid}/timerslack_ns`, 'utf8'));
    const before = slackOf('self');
    const part = (await start()).pidOf('redis');
    expect(slackOf(part)).toBe(1_000_000);
    expect(slackOf('self')).toBe(before);
  });

  it('starts a part again within a second of its death and says so', async () => {
    const dead = (await start()).pidOf('redis');
    const killedAtMs = Date.now();
    process.kill(dead, 'SIGKILL');
    const bornAtMs = await eventually('redis has another process', () => {
      const part = lab?.status().find(({ name }) => name === 'redis');
      return part?.pid != null && part.pid !== dead && part.sinceMs;
    });
    expect(bornAtMs - killedAtMs).toBeLessThan(1000);
    expect(lines.some((line) => line.includes('redis died (killed by SIGKILL)'))).toBe(true);
  });

  it('keeps a stopped and a killed part down across a restart, until it is started', async () => {
    const parts = ['redis', 'prometheus'];
    const first = await start({ parts });
    await first.stopPart('redis');
    await first.killPart('prometheus', { staysDown: true });
    await first.stop();
    const second = await start({ parts });
    expect([stateOf('redis'), stateOf('prometheus')]).toEqual(['stopped', 'killed']);
    second.startPart('prometheus');
    await eventually('prometheus answers', () => canConnect(second.net));
    expect(stateOf('redis')).toBe('stopped');
  });

  it('freezes a part again when it died or the lab was restarted, and thaws it', async () => {
    const parts = ['prometheus'];
    const first = await start({ parts });
    first.freezePart('prometheus');
    await first.killPart('prometheus');
    await eventually('it is frozen again', () => stateOf('prometheus') === 'frozen');
    await first.stop();
    const second = await start({ parts });
    expect(stateOf('prometheus')).toBe('frozen');
    second.thawPart('prometheus');
    expect(await canConnect(second.net)).toBe(true);
  });

  it('takes orders over HTTP, but none from a web page', async () => {
    const { net } = await start();
    const { control } = addressesOf(net);
    await getHttp(`${control}/stop?part=redis`, { method: 'POST' });
    expect(stateOf('redis')).toBe('stopped');
    expect((await getHttp(`${control}/stop?part=nothing`, { method: 'POST' }))?.status).toBe(409);
    const fromPage = await fetch(`${control}/shutdown`, {
      method: 'POST',
      headers: { origin: 'http://evil.example' },
    });
    expect(fromPage.status).toBe(409);
  });

  it('leaves nothing running when it ends, and goes on after everything was killed', async () => {
    const first = await start({ parts: ['redis', 'prometheus'] });
    const pids = first.status().map(({ pid }) => pid as number);
    await first.killEverything();
    expect(pids.filter(isAlive)).toEqual([]);
    const second = await start({ parts: ['redis', 'prometheus'] });
    const later = second.status().map(({ pid }) => pid as number);
    await second.stop();
    expect(later.filter(isAlive)).toEqual([]);
  });
});

describe('refusals', () => {
  it('names port, address and a way out when a port is in use, and stops what runs', async () => {
    const { net } = await start();
    await lab?.stop();
    const blocker = createServer();
    const { host } = addressesOf(net);
    await new Promise<void>((resolve) => blocker.listen(PORTS.redis, host, resolve));
    try {
      await expect(start({ net })).rejects.toThrow(
        new RegExp(`Port ${PORTS.redis} on ${host}.*redis.*LAB_NET=`),
      );
    } finally {
      await new Promise((resolve) => blocker.close(resolve));
    }
    expect(await getHttp(`${addressesOf(net).control}/status`)).toBeNull();
  });

  it('refuses a second lab of the same clone, and one on the same net', async () => {
    const { net } = await start();
    const first = lab;
    await expect(start()).rejects.toThrow(/runs already/);
    const elsewhere = join(folder, 'elsewhere');
    await expect(start({ net, stateDir: elsewhere })).rejects.toThrow(/another net/);
    lab = first;
    expect(stateOf('redis')).toBe('running');
  });

  it('says in one sentence what the machine lacks', () => {
    const enough = { platform: 'linux', nodeVersion: '20.1.0', freeMegabytes: 9000 };
    expect(() => {
      checkMachine(enough);
    }).not.toThrow();
    expect(() => {
      checkMachine({ ...enough, freeMegabytes: 100 });
    }).toThrow(/^Too little disk space: .* 100 MB left .*; make room/);
    expect(() => {
      checkMachine({ ...enough, nodeVersion: '18.2.0' });
    }).toThrow(/Node 20 or newer/);
  });
});

describe('totals', () => {
  const report = join(folder, 'report.json');
  const totalsOf = (content: object, exitCode: number) => {
    writeFileSync(report, JSON.stringify(content));
    return readTotals(report, exitCode);
  };
  beforeAll(() => mkdirSync(folder, { recursive: true }));

  it('counts a run without tests, a broken file and a bad exit as failures', () => {
    expect(totalsOf({ numPassedTests: 0, testResults: [] }, 0)).toEqual({ passed: 0, failed: 1 });
    const broken = [{ status: 'failed', assertionResults: [] }];
    expect(totalsOf({ numPassedTests: 3, numFailedTests: 1, testResults: broken }, 1)).toEqual({
      passed: 3,
      failed: 2,
    });
    expect(totalsOf({ numPassedTests: 3, testResults: [] }, 1)).toEqual({ passed: 3, failed: 1 });
    expect(totalsOf({ numPassedTests: 3, testResults: [] }, 0)).toEqual({ passed: 3, failed: 0 });
    expect(readTotals(join(folder, 'absent.json'), 0)).toEqual({ passed: 0, failed: 1 });
  });
});
