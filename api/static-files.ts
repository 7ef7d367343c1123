/** The built UI: open to everybody, for it holds no data. */
import { readFile } from 'node:fs/promises';
import { extname, join, normalize, resolve, sep } from 'node:path';
import type { MiddlewareHandler } from 'hono';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};

const NOT_BUILT = 'The user interface is not built: run npm run build. The API works.\n';

/**
 * Files of `uiDir`; any other path without an extension is a page of the single-page app. What is
 * neither goes on to the next handler.
 */
export function staticFiles(uiDir: string): MiddlewareHandler {
  const root = resolve(uiDir);
  return async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      await next();
      return;
    }
    const path = safePath(root, c.req.path);
    const extension = extname(c.req.path);
    // Names of Backends have dots: whatever a browser goes to that is no file we know is a page.
    const isPage = !(extension in TYPES) || extension === '.html';
    const file = isPage ? join(root, 'index.html') : path;
    const content = file === null ? null : await readIfThere(file);
    if (content !== null) {
      const isHashed = c.req.path.startsWith('/assets/');
      return c.body(content, 200, {
        'Content-Type': TYPES[extname(file ?? '')] ?? 'application/octet-stream',
        'Cache-Control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      });
    }
    if (isPage) return c.text(NOT_BUILT, 404);
    await next();
  };
}

/** null: outside of the folder, or not a path at all. */
function safePath(root: string, path: string): string | null {
  try {
    const file = normalize(join(root, decodeURIComponent(path)));
    return file.startsWith(root + sep) && !file.includes('\0') ? file : null;
  } catch {
    // A malformed escape names no file.
    return null;
  }
}

async function readIfThere(file: string): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return new Uint8Array(await readFile(file));
  } catch {
    // Absent or a folder: not a file of ours.
    return null;
  }
}
