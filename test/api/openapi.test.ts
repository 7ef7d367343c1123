import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openapiDocument } from '../../api/openapi.ts';

interface Operation {
  readonly operationId?: string;
  readonly responses: Record<string, unknown>;
  readonly 'x-required-role'?: string;
}

const operations = Object.entries(openapiDocument().paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
    name: `${method} ${path}`,
    method,
    operation,
  })),
);

describe('api/openapi.json', () => {
  it('is current: npm run openapi', () => {
    const written = readFileSync(new URL('../../api/openapi.json', import.meta.url), 'utf8');
    expect(written).toBe(`${JSON.stringify(openapiDocument(), null, 2)}\n`);
  });

  it('gives every operation an id of its own', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(operations.length);
    expect(ids).not.toContain(undefined);
  });

  it('lets viewers change nothing but their own session', () => {
    const changing = operations.filter(
      ({ method, operation }) => method !== 'get' && operation['x-required-role'] === 'viewer',
    );
    expect(changing.map(({ name }) => name)).toEqual(['delete /api/v1/session']);
  });

  it('declares on every guarded route that it may be refused, and that Cassandra may be down', () => {
    for (const { name, operation } of operations) {
      if (operation['x-required-role'] === undefined) continue;
      expect(Object.keys(operation.responses), name).toEqual(
        expect.arrayContaining(['401', '403', '503']),
      );
    }
  });
});
