/** Writes api/openapi.json and the UI's schema types; both are committed. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openapiDocument } from './openapi.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

await writeFile(`${root}api/openapi.json`, `${JSON.stringify(openapiDocument(), null, 2)}\n`);
await mkdir(`${root}ui/src/api`, { recursive: true });
const generator = `${root}node_modules/openapi-typescript/bin/cli.js`;
const files = ['api/openapi.json', '-o', 'ui/src/api/schema.d.ts'];
await promisify(execFile)(process.execPath, [generator, ...files], { cwd: root });
