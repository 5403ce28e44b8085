/**
 * Rules that keep the shape of the house: which layer may import which, what the engine may not touch, no cycles. AssemblyScript
 * files (the core) are parsed without types and held to the import rules only; asc checks their types.
 */
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const assemblyScript = ['src/engine/cpu/**/*.ts', 'src/engine/pv/**/*.ts', 'src/engine/codec/assembly/**/*.ts'];
const typeScriptAmongThem = ['**/*.test.ts', '**/testing/**', '**/table/**', '**/layout.ts'];
const tests = ['**/*.test.ts', '**/testing/**', 'e2e/**/*.ts'];

/** A zone: files below `target` may import from `from` only what `except` lists (paths relative to `from`). */
function layer(target, except, message) {
  return { target: `./src/${target}`, from: './src', except: except.map((path) => `./${path}`), message };
}

const layers = [
  layer('engine/abi', ['engine/abi'], 'abi/ states Xen’s public interface and imports nothing.'),
  layer('engine/cpu', ['engine/cpu'], 'cpu/ knows no hypervisor: it gets a host interface.'),
  layer('engine/jit', ['engine/jit', 'engine/cpu'], 'jit/ knows the CPU and no hypervisor.'),
  layer('engine/pv', ['engine/pv', 'engine/cpu', 'engine/abi'], 'pv/ is compiled into the core: only cpu/ and abi/ are there.'),
  layer('engine/codec', ['engine/codec'], 'codec/ decodes bytes and knows nothing else.'),
  layer('engine/network', ['engine/network'], 'network/ carries frames and knows no Xen.'),
  layer('engine/storage', ['engine/storage'], 'storage/ keeps bytes and knows no Xen.'),
  layer(
    'engine/images',
    ['engine/images', 'engine/storage', 'engine/codec'],
    'images/ turns files into volumes and back, and knows no Xen.',
  ),
  layer(
    'engine/builder',
    ['engine/builder', 'engine/codec', 'engine/abi', 'engine/hypervisor/control.ts'],
    'builder/ knows formats and the ABI.',
  ),
  layer(
    'engine/xenstore',
    ['engine/xenstore', 'engine/abi', 'engine/hypervisor/control.ts'],
    'xenstore/ meets the machine only through hypervisor/control.ts.',
  ),
  layer(
    'engine/hypervisor',
    ['engine/hypervisor', 'engine/abi', 'engine/cpu', 'engine/pv', 'engine/jit', 'engine/builder'],
    'hypervisor/ knows the core, the ABI and the builder; daemons know it, not the other way round.',
  ),
  layer(
    'engine/devices',
    ['engine/devices', 'engine/abi', 'engine/hypervisor', 'engine/xenstore', 'engine/network', 'engine/storage'],
    'devices/ meets the guest through the hypervisor’s interfaces and XenStore.',
  ),
  layer('engine', ['engine'], 'The engine runs anywhere: it imports neither workers nor the page.'),
  layer('workers', ['workers', 'engine'], 'Workers do not know the page.'),
  layer('ui', ['ui', 'workers/protocol.ts', 'engine/abi'], 'The page talks to workers by workers/protocol.ts only.'),
];

const noEngineGlobals = [
  ['Date', 'take a Clock'],
  ['performance', 'take a Clock'],
  ['setTimeout', 'take a Waiter or Timers interface'],
  ['setInterval', 'take a Waiter or Timers interface'],
  ['console', 'throw, return an error or take a log interface'],
  ['crypto', 'take an Entropy'],
  ['window', 'the engine has no page'],
  ['self', 'the engine has no worker'],
  ['globalThis', 'what the engine needs comes as a parameter'],
  ['process', 'the engine has no Node'],
  ['Buffer', 'use Uint8Array'],
].map(([name, instead]) => ({ name, message: `Not in the engine: ${instead}.` }));

const noEngineProperties = [
  { object: 'Math', property: 'random', message: 'Not in the engine: take an Entropy.' },
  { object: 'Atomics', property: 'wait', message: 'Not in the engine: take a Waiter.' },
  { object: 'Atomics', property: 'waitAsync', message: 'Not in the engine: take a Waiter.' },
];

export default tseslint.config(
  {
    ignores: [
      'node_modules/',
      'dist/',
      'build/',
      'public/',
      'src/engine/cpu/generated/',
      'test-results/',
      'playwright-report/',
      'scripts/**/*.mjs',
      '*.mjs',
    ],
  },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { 'import-x': importX },
    // The compiler's back end is one line of 7 MB, which the parser cannot take.
    settings: {
      'import-x/ignore': ['node_modules/binaryen/'],
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js', '.mjs', '.json'] })],
    },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-self-import': 'error',
      'import-x/no-duplicates': 'error',
      'max-lines': ['error', { max: 700 }],
    },
  },
  {
    files: assemblyScript,
    ignores: typeScriptAmongThem,
    languageOptions: { parser: tseslint.parser, parserOptions: { allowInvalidAST: true } },
  },
  {
    files: ['**/*.ts'],
    ignores: [...assemblyScript, ...typeScriptAmongThem.map((kind) => `!${kind}`)],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './src/engine/tsconfig.json', './src/workers/tsconfig.json', './src/ui/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      eqeqeq: 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: tests,
    rules: { 'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: layers }] },
  },
  {
    files: ['src/engine/**/*.ts'],
    ignores: tests,
    rules: {
      'no-restricted-globals': ['error', ...noEngineGlobals],
      'no-restricted-properties': ['error', ...noEngineProperties],
    },
  },
  {
    files: tests,
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      'max-lines': 'off',
    },
  },
  { files: ['src/**/table/**/*.ts'], rules: { 'max-lines': 'off' } },
);
