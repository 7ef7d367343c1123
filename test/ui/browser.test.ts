/** The pages as people use them: a real browser, the real API, a real Cassandra. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SiteMetrics } from '../../workflows/domain/metrics.ts';
import {
  backendIdOf,
  createApiWorld,
  recordedDecision,
  resetWorld,
  runningOperation,
  SITE,
  type ApiWorld,
} from '../support/api-world.ts';
import { openUiBrowser, type UiBrowser, type UiPage } from '../support/ui-browser.ts';

let world: ApiWorld;
let browser: UiBrowser;
let opened: UiPage | undefined;

beforeAll(async () => {
  const uiDir = process.env['DK_TEST_UI_DIR'];
  world = await createApiWorld(uiDir === undefined ? {} : { environment: { UI_DIR: uiDir } });
  browser = await openUiBrowser(world);
});
afterAll(async () => {
  await browser.close();
  await world.close();
});
beforeEach(async () => {
  await opened?.close();
  opened = undefined;
  await resetWorld(world);
  world.played.metrics = metrics({});
});

async function signIn(role: 'viewer' | 'operator' = 'operator', width = 1440): Promise<UiPage> {
  opened = await browser.signIn(role, { width });
  return opened;
}

/** Every Backend of the site serves well, except for the ratios given. */
function metrics(failing: Readonly<Record<string, number>>): SiteMetrics {
  const hosts = ['north-mail1', 'north-mail2', 'north-mail3', 'north-mail4'];
  const counts = (ratio: number) => ({ succeeded: 1000 * (1 - ratio), failed: 1000 * ratio });
  const window = (ratio: number) => (windowSecs: number) => ({
    windowSecs,
    logins: counts(ratio),
    deliveries: counts(ratio),
  });
  const view = { proxiesExpected: 2, proxiesSeen: 2, newestSampleMs: Date.now() };
  return {
    takenAtMs: Date.now(),
    view: { ...view, blindReason: null, scrapeIntervalSecs: 1 },
    attempts: Object.fromEntries(
      hosts.map((host) => [host, [30, 60, 300].map(window(failing[host] ?? 0))]),
    ),
    load: {},
  };
}

async function judge(host: number, verdict: 'healthy' | 'critical'): Promise<void> {
  await world.dependencies.store.updateBackendMemory(SITE, {
    backendId: backendIdOf(host),
    verdict,
    verdictSinceMs: Date.now(),
    judgedAtMs: Date.now(),
  });
}

describe('signing in', () => {
  it('is needed before anything is shown', async () => {
    opened = await browser.open();
    await opened.page.goto(browser.url);
    await opened.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(await opened.page.locator('body').innerText()).not.toContain('north-mail1');
  });

  it('takes a link, and forgets its secret at once', async () => {
    const { page, complaints } = await signIn();
    await page.getByRole('table').getByText('north-mail1').waitFor();
    expect(page.url()).toBe(`${browser.url}/`);
    expect(complaints).toEqual([]);
  });

  it('works once for every link', async () => {
    const link = await browser.link('operator');
    const first = await browser.open();
    await first.page.goto(link);
    await first.page.getByText('Latest Decisions').waitFor();
    await first.close();
    opened = await browser.open();
    await opened.page.goto(link);
    await opened.page.getByRole('alert').getByText('Not signed in').waitFor();
  });
});

describe('the overview', () => {
  it('shows the fleet of the site, and says when all is well', async () => {
    for (const host of [1, 2, 3, 4]) await judge(host, 'healthy');
    const { page } = await signIn();
    await page.getByRole('heading', { name: 'All 4 online Backends are healthy.' }).waitFor();
    expect(await page.locator('tr[data-backend]').count()).toBe(4);
  });

  it('shows a failing Backend without being loaded again', async () => {
    for (const host of [1, 2, 3, 4]) await judge(host, 'healthy');
    const { page } = await signIn();
    await page.getByRole('heading', { name: 'All 4 online Backends are healthy.' }).waitFor();
    await judge(2, 'critical');
    world.played.metrics = metrics({ 'north-mail2': 0.97 });
    await world.dependencies.cache.publish({ siteName: SITE, topic: 'metrics', atMs: Date.now() });
    await page.getByRole('heading', { name: '1 of 4 Backends needs attention.' }).waitFor();
    expect(await page.locator('tr.is-crit').getAttribute('data-backend')).toBe('north-mail2');
  });

  it('says that it cannot tell when blind, and shows no rate as zero', async () => {
    world.played.metrics = null;
    const { page } = await signIn();
    await page
      .getByRole('heading', { name: 'Dovekeeper cannot tell whether the cluster is all right.' })
      .waitFor();
    const rates = await page.locator('tr[data-backend] .c-fail').allInnerTexts();
    expect(rates).toEqual(['—', '—', '—', '—']);
  });

  it.each([390, 721, 800, 1000, 1241])('keeps to a width of %i', async (width) => {
    const { page } = await signIn('operator', width);
    await page.getByText('Latest Decisions').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    // a phone has it at its foot
    const bar = page.getByRole(width < 721 ? 'toolbar' : 'banner');
    const box = await bar.getByRole('button', { name: 'Pause automation' }).boundingBox();
    expect(box?.width).toBeGreaterThan(40);
    expect((box?.x ?? width) + (box?.width ?? 0)).toBeLessThanOrEqual(width);
  });
});

describe('automation', () => {
  it('is paused by one click, which can be undone', async () => {
    const { page } = await signIn();
    await page.getByRole('banner').getByRole('button', { name: 'Pause automation' }).click();
    await page.locator('[data-condition=automation]').waitFor();
    expect(await world.dependencies.store.readAutomation(SITE)).toMatchObject({ state: 'paused' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('[data-condition=automation]').waitFor({ state: 'detached' });
    expect(await world.dependencies.store.readAutomation(SITE)).toMatchObject({
      state: 'running',
    });
  });

  it('is resumed with a reason', async () => {
    const { page } = await signIn();
    await page.getByRole('banner').getByRole('button', { name: 'Pause automation' }).click();
    await page.getByRole('banner').getByRole('button', { name: 'Resume automation…' }).click();
    const dialog = page.getByRole('dialog');
    const confirm = dialog.getByRole('button', { name: 'Resume automation' });
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByLabel('Reason (required)').fill('maintenance is over');
    await confirm.click();
    await page.locator('[data-condition=automation]').waitFor({ state: 'detached' });
    const automation = await world.dependencies.store.readAutomation(SITE);
    expect(automation).toMatchObject({ state: 'running', reason: 'maintenance is over' });
  });

  it('is not in the hands of a viewer', async () => {
    const { page } = await signIn('viewer');
    const button = page.getByRole('banner').getByRole('button', { name: 'Pause automation' });
    expect(await button.isDisabled()).toBe(true);
    expect(await button.getAttribute('title')).toContain('operator');
  });
});

describe('a Backend', () => {
  it('lists its users page by page, and leads to each', async () => {
    const { page } = await signIn();
    await page.getByRole('link', { name: 'north-mail1' }).first().click();
    await page.getByRole('link', { name: 'user7@example.org' }).click();
    await page.getByText('Lives on').waitFor();
    await page.reload();
    await page.getByText('Lives on').waitFor();
    expect(await page.locator('.home2 .cur').innerText()).toContain('north-mail1');
  });

  it('is evacuated after its plan was shown and a reason given', async () => {
    const { page, complaints } = await signIn();
    await page.goto(`${browser.url}/backends/north-mail1`);
    await page.getByRole('button', { name: 'Evacuate…' }).click();
    const dialog = page.getByRole('dialog');
    const apply = dialog.getByRole('button', { name: 'Evacuate: move 25 Users' });
    expect(await apply.isDisabled()).toBe(true);
    expect(world.played.requests).toEqual([]);
    await dialog.getByRole('radio', { name: '25' }).check();
    await dialog.getByLabel('Reason (required)').fill('disk replacement');
    await apply.click();
    await page.waitForURL(/\/operations\/\w{26}$/);
    expect(world.played.requests).toMatchObject([
      {
        sourceHost: 'north-mail1',
        cause: 'operator',
        reason: 'disk replacement',
        speedPercent: 25,
      },
    ]);
    expect(await page.getByRole('radio', { name: '25' }).isChecked()).toBe(true);
    expect(complaints).toEqual([]);
  });

  it('gives a share of its users away after the plan for that share was shown', async () => {
    const { page, complaints } = await signIn();
    await page.goto(`${browser.url}/backends/north-mail1`);
    await page.getByRole('button', { name: 'Batch move…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Batch move: move 5 Users' }).waitFor();
    await dialog.getByLabel('Share of the Users').fill('40');
    await dialog.getByText('Make the plan for this share.').waitFor();
    await dialog.getByRole('button', { name: 'Make the plan' }).click();
    const apply = dialog.getByRole('button', { name: 'Batch move: move 10 Users' });
    await apply.waitFor();
    expect(await apply.isDisabled()).toBe(true);
    await dialog.getByLabel('Reason (required)').fill('disk replacement');
    await apply.click();
    await page.waitForURL(/\/operations\//);
    expect(world.played.requests).toMatchObject([
      { kind: 'batchMove', maxUsers: 10, reason: 'disk replacement' },
    ]);
    expect(complaints).toEqual([]);
  });

  it('shows moves that somebody else began, and a hold that can be released', async () => {
    const { store } = world.dependencies;
    const sources = [{ sourceId: backendIdOf(3), users: 7, oldestSeenAtMs: Date.now() - 300_000 }];
    const scan = { scannedAtMs: Date.now(), tookMs: 1, isPartial: false, sources };
    await store.saveForeignMoveScan(SITE, scan);
    const operatorHoldUntilMs = Date.now() + 3_600_000;
    await store.updateBackendMemory(SITE, { backendId: backendIdOf(3), operatorHoldUntilMs });
    const { page } = await signIn();
    await page.goto(`${browser.url}/backends/north-mail3`);
    await page.locator('[data-condition="foreign-moves"]').getByText('7 Users').waitFor();
    await page.getByText("moving off on somebody else's request").waitFor();
    await page.getByRole('button', { name: 'Release the hold…' }).click();
    await page.getByRole('dialog').getByLabel('Reason (required)').fill('fixed');
    await page.getByRole('dialog').getByRole('button', { name: 'Release' }).click();
    await page.getByText('automation held off').waitFor({ state: 'detached' });
    await store.saveForeignMoveScan(SITE, { ...scan, sources: [] });
  });

  it('that does not exist is said to be unknown', async () => {
    const { page } = await signIn();
    await page.goto(`${browser.url}/backends/north-mail9`);
    await page.getByText('No Backend is called north-mail9').waitFor();
  });
});

describe('a user', () => {
  it('is moved to the Backend that was chosen, with a reason', async () => {
    const { page, complaints } = await signIn();
    await page.goto(`${browser.url}/users/${encodeURIComponent('user1@example.org')}`);
    await page.getByRole('button', { name: 'Move…' }).click();
    const dialog = page.getByRole('dialog');
    const confirm = dialog.getByRole('button', { name: 'Move 1 User' });
    await dialog.getByLabel('Reason (required)').fill('asked for it');
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByLabel('To Backend').selectOption('north-mail3');
    await confirm.click();
    await page.waitForURL(/\/operations\//);
    expect(world.played.requests).toMatchObject([
      { maxUsers: 1, targetIds: [backendIdOf(3)], reason: 'asked for it' },
    ]);
    expect(complaints).toEqual([]);
  });
});

describe('an operation', () => {
  it('shows counts that add up, and is paused by one click', async () => {
    const operation = runningOperation();
    await world.dependencies.store.saveOperation(operation);
    const { page } = await signIn();
    await page.goto(`${browser.url}/operations/${operation.operationId}`);
    const equation = page.getByRole('group', {
      name: '100 planned is 40 confirmed plus 5 skipped plus 1 failed plus 54 remaining',
    });
    await equation.waitFor();
    await page
      .getByRole('main')
      .getByRole('button', { name: /^Pause/ })
      .click();
    await page.getByRole('button', { name: 'Undo' }).waitFor();
    expect(world.played.controls[0]).toMatch(/^pause north-mail1: /);
  });
});

describe('features', () => {
  it('are changed with a reason', async () => {
    const { page } = await signIn();
    await page.goto(`${browser.url}/features`);
    const flag = 'BackendHealthAutoHandling at Global';
    await page.getByRole('radiogroup', { name: flag }).getByLabel('DryRun').check();
    await page.getByLabel('Reason (required)').fill('watch it first');
    await page.getByRole('button', { name: 'Set DryRun' }).click();
    await page.locator('.prov', { hasText: 'set by' }).first().waitFor();
    const rows = await world.dependencies.geodb.readFeatureRows();
    expect(rows).toMatchObject([
      { level: 'global', feature: 'BackendHealthAutoHandling', state: 'dryRun' },
    ]);
  });
});

describe('the decisions', () => {
  it.each([800, 1440])('never break the name of a Backend, %i wide', async (width) => {
    const hosts = ['north-mail1', 'north-mail2', 'north-mail3'];
    await world.dependencies.store.saveDecisions([recordedDecision({ hosts })]);
    const { page } = await signIn('operator', width);
    await page.goto(`${browser.url}/decisions`);
    const row = page.locator('summary', { hasText: 'because all are healthy' });
    await row.getByText('north-mail3').waitFor();
    const said = (await row.innerText()).replaceAll(/\s+/g, ' ');
    expect(said).toContain('north-mail1, north-mail2 and north-mail3');
    for (const host of hosts) {
      // two lines are more than 30 pixels
      expect((await row.getByText(host).boundingBox())?.height).toBeLessThan(30);
    }
  });
});

describe('the keyboard', () => {
  it('goes from page to page and opens the search', async () => {
    const { page } = await signIn();
    await page.getByText('Latest Decisions').waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    await page.getByRole('heading', { name: 'Decisions', level: 1 }).waitFor();
    await page.keyboard.press('/');
    await page.getByRole('dialog').getByRole('searchbox').fill('mail3');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${browser.url}/backends/north-mail3`);
  });
});
