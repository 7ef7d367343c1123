/** The source text of this repository as data, for tests about the source itself. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Import {
  /** Path from the root for files of ours, else the package or `node:` module. */
  readonly target: string;
  readonly isOurs: boolean;
  /** Erased before it runs. */
  readonly isTypeOnly: boolean;
  readonly line: number;
}

/** All files that git knows, as paths from the root. */
export const trackedFiles: readonly string[] = execFileSync('git', ['ls-files', '-z'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(ROOT + path));

const SOURCE = /\.(ts|mts|js|mjs|svelte)$/;
const GENERATED = ['ui/src/api/schema.d.ts'];

/** Code that we wrote. */
export const sourceFiles = trackedFiles.filter(
  (path) => SOURCE.test(path) && !GENERATED.includes(path),
);

export function readText(path: string): string {
  return readFileSync(ROOT + path, 'utf8');
}

const parsed = new Map<string, ts.SourceFile>();

/** The syntax tree of a file; of a Svelte component, that of its scripts. */
export function parse(path: string): ts.SourceFile {
  const known = parsed.get(path);
  if (known !== undefined) return known;
  const text = path.endsWith('.svelte') ? scriptsOf(readText(path)) : readText(path);
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  parsed.set(path, tree);
  return tree;
}

/** Lines outside of scripts are left empty, so that line numbers stay right. */
function scriptsOf(component: string): string {
  let isScript = false;
  return component
    .split('\n')
    .map((line) => {
      if (/<script\b/.test(line)) isScript = true;
      if (/<\/script>/.test(line)) isScript = false;
      return isScript && !/<script\b/.test(line) ? line : '';
    })
    .join('\n');
}

export function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => {
    visit(child, look);
  });
}

export function lineOf(node: ts.Node): number {
  const file = node.getSourceFile();
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}

/** Everything a file imports: statically, dynamically, by `export from` and by `import('...')` types. */
export function importsOf(path: string): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, isTypeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    const isOurs = specifier.text.startsWith('.');
    const target = isOurs ? resolve(path, specifier.text) : specifier.text;
    if (target === './' || target === '.') return;
    found.push({ target, isOurs, isTypeOnly, line: lineOf(node) });
  };
  visit(parse(path), (node) => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, importsTypesOnly(node));
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false);
    } else if (isNewUrl(node)) add(node, node.arguments?.[0], false);
  });
  return found;
}

function importsTypesOnly({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { namedBindings, name } = importClause;
  if (name !== undefined || namedBindings === undefined) return false;
  if (!ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.every((element) => element.isTypeOnly);
}

/** `new URL('./file', import.meta.url)` names a file as an import does. */
function isNewUrl(node: ts.Node): node is ts.NewExpression {
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return false;
  return node.arguments?.[1]?.getText() === 'import.meta.url';
}

function resolve(from: string, specifier: string): string {
  const clean = specifier.replace(/\?.*$/, '');
  return posix.normalize(posix.join(dirname(from), clean));
}

const FUNCTIONS = new Set([
  ts.SyntaxKind.FunctionDeclaration,
  ts.SyntaxKind.FunctionExpression,
  ts.SyntaxKind.ArrowFunction,
  ts.SyntaxKind.MethodDeclaration,
  ts.SyntaxKind.Constructor,
  ts.SyntaxKind.GetAccessor,
  ts.SyntaxKind.SetAccessor,
]);

/** Every function of a file with its lines, blank ones and comments not counted. */
export function functionsOf(path: string): { readonly line: number; readonly lines: number }[] {
  const found: { line: number; lines: number }[] = [];
  visit(parse(path), (node) => {
    if (!FUNCTIONS.has(node.kind)) return;
    const lines = node.getText().split('\n');
    const counted = lines.filter((line) => !/^\s*(\/\/.*|\/?\*.*)?$/.test(line));
    found.push({ line: lineOf(node), lines: counted.length });
  });
  return found;
}
