/** The rules of this repository about its own text: who may know whom, how long things get, what is left behind. */
import { existsSync, readdirSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { openapiDocument } from '../api/openapi.ts';
import {
  functionsOf,
  importsOf,
  lineOf,
  parse,
  readText,
  ROOT,
  sourceFiles,
  trackedFiles,
  visit,
  type Import,
} from './support/source-files.ts';

const inside = (path: string, ...folders: string[]): boolean =>
  folders.some((folder) => path.startsWith(`${folder}/`));
const isDomain = (path: string): boolean => inside(path, 'workflows/domain');
const isPolicy = (path: string): boolean => inside(path, 'workflows/policy');
const isContract = (path: string): boolean => path === 'workflows/contract.ts';
/** What Temporal runs: the workflows themselves and their movers. */
const isWorkflow = (path: string): boolean =>
  inside(path, 'workflows') && !isDomain(path) && !isPolicy(path) && !isContract(path);

/** The decisions that an activity may make by itself: over data that is too much to hand to a workflow. */
const POLICIES_OF_ACTIVITIES = [
  'judge-reachability',
  'choose-users',
  'resolve-feature',
  'merge-feature-settings',
];

/** Imports of the given files that are not allowed, as `file:line -> target`. */
function strangers(
  files: (path: string) => boolean,
  isAllowed: (each: Import) => boolean,
): string[] {
  return sourceFiles.filter(files).flatMap((path) =>
    importsOf(path)
      .filter((each) => !isAllowed(each))
      .map(({ line, target }) => `${path}:${line} -> ${target}`),
  );
}
const ours =
  (...folders: string[]) =>
  ({ isOurs, target }: Import) =>
    !isOurs || inside(target, ...folders);

describe('who may know whom', () => {
  it('domain imports nothing but domain: nouns stand alone', () => {
    const isAllowed = ({ isOurs, target }: Import) => isOurs && isDomain(target);
    expect(strangers(isDomain, isAllowed)).toEqual([]);
  });

  it('policy imports only domain and policy: a decision needs no Temporal, no Node and nobody else', () => {
    const isAllowed = ({ isOurs, target }: Import) =>
      isOurs && (isDomain(target) || isPolicy(target));
    expect(strangers(isPolicy, isAllowed)).toEqual([]);
  });

  it('the contract imports only domain and Temporal: outsiders load it too', () => {
    const isAllowed = ({ isOurs, target }: Import) =>
      isOurs ? isDomain(target) : target.startsWith('@temporalio/');
    expect(strangers(isContract, isAllowed)).toEqual([]);
  });

  it('workflow files import domain, policy, contract, each other and Temporal, of activities only types', () => {
    const isAllowed = ({ isOurs, target, isTypeOnly }: Import) => {
      if (!isOurs) return target === '@temporalio/workflow' || target === '@temporalio/common';
      return inside(target, 'workflows') || (isTypeOnly && inside(target, 'activities'));
    };
    expect(strangers(isWorkflow, isAllowed)).toEqual([]);
  });

  it('only activity-options proxies activities', () => {
    const proxies = sourceFiles
      .filter((path) => inside(path, 'workflows') && readText(path).includes('proxyActivities'))
      .filter((path) => path !== 'workflows/activity-options.ts');
    expect(proxies).toEqual([]);
  });

  it('activities import domain, contract, gateways, platform, and of policy only what they apply page by page', () => {
    const isAllowed = (each: Import) => {
      const { isOurs, target, isTypeOnly } = each;
      if (!isOurs || isDomain(target) || isContract(target)) return true;
      if (isPolicy(target)) {
        const name = target.slice('workflows/policy/'.length, -'.ts'.length);
        return POLICIES_OF_ACTIVITIES.includes(name) || isTypeOnly;
      }
      return inside(target, 'activities', 'gateways', 'platform');
    };
    expect(strangers((path) => inside(path, 'activities'), isAllowed)).toEqual([]);
  });

  it('a gateway imports only domain, contract, platform and gateways', () => {
    const isAllowed = (each: Import) =>
      ours('gateways', 'platform', 'workflows/domain')(each) || isContract(each.target);
    expect(strangers((path) => inside(path, 'gateways'), isAllowed)).toEqual([]);
  });

  it('platform imports only domain, contract and platform: every process stands on it', () => {
    const isAllowed = (each: Import) =>
      ours('platform', 'workflows/domain')(each) || isContract(each.target);
    expect(strangers((path) => inside(path, 'platform'), isAllowed)).toEqual([]);
  });

  it('the API imports contract, domain, policy, gateways and platform: it asks, it does not act', () => {
    const folders = ['api', 'workflows/domain', 'workflows/policy', 'gateways', 'platform'];
    const isAllowed = (each: Import) => ours(...folders)(each) || isContract(each.target);
    expect(strangers((path) => inside(path, 'api'), isAllowed)).toEqual([]);
  });

  it('the UI knows of us only what is generated from api/openapi.json', () => {
    const isAllowed = (each: Import) => ours('ui')(each) && !each.target.startsWith('node:');
    const isUi = (path: string) => inside(path, 'ui/src');
    expect(strangers(isUi, isAllowed)).toEqual([]);
  });

  it('the command knows of us only what is generated from api/openapi.json', () => {
    const isAllowed = ours('cli', 'api/openapi.json');
    expect(strangers((path) => inside(path, 'cli'), isAllowed)).toEqual([]);
  });

  it('nothing outside lab/ and test/ knows lab/: the product runs without it', () => {
    const isProduct = (path: string) => !inside(path, 'lab', 'test');
    const isAllowed = ({ isOurs, target }: Import) => !isOurs || !inside(target, 'lab');
    expect(strangers(isProduct, isAllowed)).toEqual([]);
  });

  it('nothing outside test/ knows test/', () => {
    const isAllowed = ({ isOurs, target }: Import) => !isOurs || !inside(target, 'test');
    expect(strangers((path) => !inside(path, 'test'), isAllowed)).toEqual([]);
  });

  it('the parts of the lab are plain Node: they run before anything is installed', () => {
    const isPart = (path: string) => inside(path, 'lab') && path.endsWith('.mjs');
    const isAllowed = ({ isOurs, target }: Import) =>
      isOurs ? inside(target, 'lab') || target === 'package.json' : target.startsWith('node:');
    expect(strangers(isPart, isAllowed)).toEqual([]);
  });
});

describe('how long things get', () => {
  const isProduct = (path: string) => !inside(path, 'test');

  it('a function has at most 60 lines', () => {
    const long = sourceFiles.filter(isProduct).flatMap((path) =>
      functionsOf(path)
        .filter(({ lines }) => lines > 60)
        .map(({ line, lines }) => `${path}:${line} has ${lines}`),
    );
    expect(long).toEqual([]);
  });

  it('a file has at most 300 lines', () => {
    const long = sourceFiles
      .filter(isProduct)
      .map((path) => ({ path, lines: readText(path).trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > 300)
      .map(({ path, lines }) => `${path} has ${lines}`);
    expect(long).toEqual([]);
  });
});

describe('names', () => {
  it('say what is inside: no utils, helpers, common or types', () => {
    const vague = sourceFiles.filter((path) =>
      /(^|[/.-])(utils?|helpers?|common|types|misc)\.[a-z.]+$/.test(path),
    );
    expect(vague).toEqual([]);
  });

  it('are kebab-case, and PascalCase for components', () => {
    const odd = sourceFiles.filter((path) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const form = name.endsWith('.svelte') ? /^[A-Z][A-Za-z0-9]*\.svelte$/ : /^[a-z0-9.-]+$/;
      return !form.test(name);
    });
    expect(odd).toEqual([]);
  });
});

describe('what is left behind', () => {
  /** Nodes of the given files that should not be there, as `file:line`. */
  function nodes(files: (path: string) => boolean, isWrong: (node: ts.Node) => boolean): string[] {
    return sourceFiles.filter(files).flatMap((path) => {
      const found: string[] = [];
      visit(parse(path), (node) => {
        if (isWrong(node)) found.push(`${path}:${lineOf(node)}`);
      });
      return found;
    });
  }

  /** `file:line: text` of every tracked text that matches. */
  function texts(pattern: RegExp, files = trackedFiles): string[] {
    return files
      .filter((path) => path !== 'test/tidy.test.ts' && !/\.(png|ico|woff2?)$/.test(path))
      .flatMap((path) =>
        readText(path)
          .split('\n')
          .flatMap((text, index) =>
            pattern.test(text) ? [`${path}:${index + 1}: ${text.trim().slice(0, 80)}`] : [],
          ),
      );
  }

  it('no note of something yet to be done: that is an issue', () => {
    expect(texts(/\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  it('no test that is skipped, focused or only planned', () => {
    const isLame = (node: ts.Node) =>
      ts.isPropertyAccessExpression(node) &&
      /^(it|test|describe|suite)(\.[a-z]+)*$/i.test(node.expression.getText()) &&
      ['skip', 'only', 'todo', 'fails', 'skipIf', 'runIf'].includes(node.name.text);
    expect(nodes((path) => inside(path, 'test'), isLame)).toEqual([]);
  });

  it('no any: what is not known is unknown until it was parsed', () => {
    const isAny = (node: ts.Node) => node.kind === ts.SyntaxKind.AnyKeyword;
    expect(nodes(() => true, isAny)).toEqual([]);
  });

  it('no clock and no chance in a decision', () => {
    const banned = /^(Date\.now|Math\.random|performance\.now|crypto\.randomUUID)$/;
    const isBanned = (node: ts.Node) => {
      if (ts.isPropertyAccessExpression(node)) return banned.test(node.getText());
      if (!ts.isNewExpression(node)) return false;
      return node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0;
    };
    expect(nodes((path) => isDomain(path) || isPolicy(path), isBanned)).toEqual([]);
  });

  it('no path of a machine and no host of a package registry', () => {
    const machine = /(^|[\s"'`(=])\/(work|home|Users|root)\/[A-Za-z]/;
    expect(texts(machine)).toEqual([]);
    const registries =
      /(registry\.npmjs|npmjs\.org|pypi\.org|pythonhosted|repo1?\.maven|maven\.org)/;
    expect(texts(registries)).toEqual([]);
  });
});

describe('what is installed', () => {
  interface Lockfile {
    readonly packages: Readonly<Record<string, { readonly resolved?: string }>>;
  }
  const lockfile = JSON.parse(readText('package-lock.json')) as Lockfile;

  it('has one protobufjs for all of Temporal, or it does not know its own messages', () => {
    const locked = Object.keys(lockfile.packages).filter((path) =>
      /node_modules\/@temporalio\/.*node_modules\/protobufjs$/.test(path),
    );
    expect(locked).toEqual([]);
    expect(lockfile.packages).toHaveProperty(['node_modules/protobufjs']);
    const copies = readdirSync(`${ROOT}node_modules/@temporalio`).filter((name) =>
      existsSync(`${ROOT}node_modules/@temporalio/${name}/node_modules/protobufjs`),
    );
    expect(copies).toEqual([]);
  });

  it('can come from any registry: the lockfile names none', () => {
    const resolved = Object.entries(lockfile.packages).filter(([, each]) => 'resolved' in each);
    expect(resolved.map(([path]) => path)).toEqual([]);
  });
});

describe('what is generated', () => {
  it('openapi.json is what the routes say', () => {
    const written: unknown = JSON.parse(readText('api/openapi.json'));
    expect(written).toEqual(JSON.parse(JSON.stringify(openapiDocument())));
  });
});
