/** A real browser before the real API: its own server, sign-in links, and what the console said. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { hashSecret, newSecret } from '../../api/auth.ts';
import type { Role } from '../../gateways/controller-store/accounts.ts';
import type { ApiWorld } from './api-world.ts';

export interface UiBrowser {
  readonly url: string;
  /** A sign-in link as the terminal prints it. */
  link(role: Role): Promise<string>;
  /** A page of a fresh browser profile. */
  open(options?: { readonly width?: number; readonly height?: number }): Promise<UiPage>;
  /** Such a page, signed in, on the overview. */
  signIn(role: Role, options?: { readonly width?: number }): Promise<UiPage>;
  close(): Promise<void>;
}

export interface UiPage {
  readonly page: Page;
  /** Errors of the console and of scripts, also of the content security policy. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

const STARTS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
/** A busy machine draws slowly, in milliseconds. */
const WAIT_MS = 20_000;

export async function openUiBrowser(world: ApiWorld): Promise<UiBrowser> {
  const server = createServer(getRequestListener(world.app.http.fetch));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await chromium.launch({ executablePath: executable(), args: STARTS });
  const link = async (role: Role): Promise<string> => {
    const secret = newSecret('');
    await world.dependencies.accounts.saveSignInLink({
      secretHash: hashSecret(secret),
      role,
      createdBy: 'test',
      expiresAtMs: Date.now() + 600_000,
    });
    return `${url}/sign-in#${secret}`;
  };
  const open: UiBrowser['open'] = async ({ width = 1440, height = 900 } = {}) =>
    await openPage(browser, { width, height });
  return {
    url,
    link,
    open,
    signIn: async (role, options) => {
      const opened = await open(options);
      await opened.page.goto(await link(role));
      await opened.page.getByRole('heading', { level: 1 }).waitFor();
      return opened;
    },
    close: async () => {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function openPage(
  browser: Browser,
  viewport: { readonly width: number; readonly height: number },
): Promise<UiPage> {
  const context: BrowserContext = await browser.newContext({ viewport });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A refused request is a line of the console as well; the page has to show it, not to hide it.
    const isRefusal = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isRefusal) complaints.push(message.text());
  });
  return { page, complaints, close: () => context.close() };
}

function executable(): string {
  const path = process.env['DK_TEST_CHROMIUM'];
  if (path === undefined || path === '') {
    throw new Error('DK_TEST_CHROMIUM names no browser: run the tests by `npm test`');
  }
  return path;
}
