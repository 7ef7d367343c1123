import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const node = {
  AbortController: 'readonly',
  AbortSignal: 'readonly',
  Buffer: 'readonly',
  URL: 'readonly',
  URLSearchParams: 'readonly',
  clearInterval: 'readonly',
  clearTimeout: 'readonly',
  console: 'readonly',
  crypto: 'readonly',
  fetch: 'readonly',
  performance: 'readonly',
  process: 'readonly',
  setImmediate: 'readonly',
  setInterval: 'readonly',
  setTimeout: 'readonly',
  structuredClone: 'readonly',
};

/** Ours, checked with types. */
const typed = ['**/*.ts', '**/*.mts'];
const tests = ['test/**'];
const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Named exports only: a name is the same wherever it is used.',
};
const noUnderscoredEnv = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'The environment is read once, by platform/config.ts, and handed on by argument.',
};
const clock = 'A decision is a function of its snapshot: take the time from takenAtMs.';
const chance = 'A decision is a function of its snapshot: no randomness.';

export default defineConfig(
  globalIgnores([
    '.dovekeeper/',
    '.svelte-kit/',
    'ui/.svelte-check/',
    'ui/dist/',
    'ui/src/api/schema.d.ts',
    '**/node_modules/',
  ]),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: typed,
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // Temporal: an activity that nobody waits for is lost when its workflow ends.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // Numbers in texts are what messages are made of.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // A list of known words that is open for others says more than `string`.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      // A listener may be async; what it throws is caught where it is written.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      // What is made here are closures without a `this`; their methods may be handed on.
      '@typescript-eslint/unbound-method': 'off',
      // Interfaces promise; what needs no waiting may still keep the promise.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    // Outside of any tsconfig.json: no types to check with.
    files: ['test/ui/**/*.ts', 'ui/vite.config.ts'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { projectService: false } },
  },
  {
    files: ['**/*.{ts,mts,js,mjs,svelte}'],
    languageOptions: { ecmaVersion: 2024, sourceType: 'module', globals: node },
    rules: {
      complexity: ['error', 15],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'no-console': 'off',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-restricted-syntax': ['error', noDefaultExport],
    },
  },
  {
    files: ['{workflows,activities,gateways,platform,worker,api}/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': ['error', noDefaultExport, noUnderscoredEnv],
    },
  },
  {
    // Commands: the environment comes in here, and what they print is for people.
    files: [
      '{worker,api}/main.ts',
      'api/command.ts',
      'api/issue-*.ts',
      'api/write-openapi.ts',
      'gateways/*/{init,claim}.ts',
      'worker/build-bundle.ts',
    ],
    rules: { 'no-console': 'off', 'no-restricted-syntax': ['error', noDefaultExport] },
  },
  {
    files: ['workflows/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^node:', message: 'Workflows know no Node modules: they are replayed.' },
            {
              regex: '(^|/)(gateways|platform|worker|api|ui|lab)/',
              message: 'Workflows touch the world through activities only.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['workflows/{domain,policy}/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'setTimeout', message: clock },
        { name: 'setInterval', message: clock },
        { name: 'performance', message: clock },
        { name: 'crypto', message: chance },
        { name: 'process', message: 'A decision knows no process.' },
        { name: 'console', message: 'A decision says what it has to say in its answer.' },
        { name: 'fetch', message: 'A decision asks nobody.' },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: clock },
        { object: 'Math', property: 'random', message: chance },
      ],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^[^.]', message: 'Domain and policy import nothing from outside.' },
            {
              regex: '(^|/)(activities|gateways|platform|worker|api|ui|lab|mover)/',
              message: 'Domain and policy know the domain alone.',
            },
          ],
        },
      ],
      'no-restricted-syntax': [
        'error',
        noDefaultExport,
        noUnderscoredEnv,
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: clock },
        { selector: ':function[async=true]', message: 'A decision is made at once: no async.' },
      ],
    },
  },
  {
    // A whole scenario reads better in one piece, and what a test reads of the outside has no type yet.
    files: tests,
    rules: {
      complexity: 'off',
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    // In components, names of the browser are known to svelte-check.
    files: ['ui/**'],
    rules: { 'no-undef': 'off' },
  },
  ...svelte.configs.recommended,
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      parserOptions: { parser: tseslint.parser, extraFileExtensions: ['.svelte'] },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      'no-unused-vars': 'off',
      'prefer-const': 'off',
      'no-undef': 'off',
    },
  },
  {
    files: ['*.config.{js,ts}', 'ui/*.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
