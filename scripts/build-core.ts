/**
 * Builds the Wasm core: writes the decoder's tables and the list of handlers out of the instruction table, then compiles the
 * AssemblyScript of cpu/ and pv/ to build/core.wasm, and to build/core-ordered.wasm with fences between guest accesses
 * (cpu/memory-order.ts). With --debug or --names the first alone, less optimised, or with names.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';
import { handlerFiles, rows } from '../src/engine/cpu/table/index.ts';
import { builtinCases, fusedPairs, hotCases } from '../src/engine/cpu/table/hot.ts';
import { decoderTables, type DecoderTables } from './core/decoder-tables.ts';

const cpu = join(import.meta.dirname, '../src/engine/cpu');
const generated = join(cpu, 'generated');
/** Operation numbers from here on are handlers in the function table. */
const HOT_HANDLERS = 256;

/** Which file under handlers/ exports each function. */
function handlerModules(): Map<string, string> {
  const modules = new Map<string, string>();
  for (const file of handlerFiles) {
    const text = readFileSync(join(cpu, 'handlers', `${file}.ts`), 'utf8');
    for (const match of text.matchAll(/^export function (\w+)\(/gm)) {
      const name = match[1] ?? '';
      if (modules.has(name)) throw new Error(`handler ${name} is defined in ${modules.get(name) ?? ''} and in ${file}`);
      modules.set(name, file);
    }
  }
  return modules;
}

function writeIfChanged(path: string, text: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

function tablesSource(tables: DecoderTables): string {
  const list = (values: ArrayLike<number>): string => Array.from(values).join(',');
  return [
    '// Written by scripts/build-core.ts out of table/.',
    `export const OPCODES: usize = memory.data<u16>([${list(tables.opcodes)}]);`,
    `export const CANDIDATES: usize = memory.data<u16>([${list(tables.candidates)}]);`,
    `export const ROWS: usize = memory.data<u8>([${list(tables.rows)}]);`,
    `export const UNDEFINED_ROW: u32 = ${rows.length};`,
    '',
  ].join('\n');
}

function handlersSource(): string {
  const modules = handlerModules();
  const used = new Map<string, Set<string>>();
  for (const name of [...rows.map((row) => row.handler), 'undefined']) {
    const file = modules.get(name);
    if (file === undefined) throw new Error(`no handler ${name} in ${handlerFiles.join(', ')}`);
    used.set(file, (used.get(file) ?? new Set()).add(name));
  }
  const imports = [...used].map(([file, names]) => `import { ${[...names].join(', ')} } from '../handlers/${file}';`);
  const stores = [...rows.map((row) => row.handler), 'undefined'].map(
    (name, row) => `  store<u16>(HANDLER_TABLE + ${row * 2}, <u16>${name}.index);`,
  );
  return [
    '// Written by scripts/build-core.ts out of table/.',
    "import { HANDLER_TABLE } from '../layout';",
    ...imports,
    'export function initialiseTables(): void {',
    ...stores,
    '}',
    '',
  ].join('\n');
}

/** Numbers of the cases, and the first number that is none. */
function hotSource(): string {
  const names = [...builtinCases, ...hotCases.map((hot) => hot.name)];
  if (new Set(names).size !== names.length) throw new Error('two hot cases have the same name');
  if (names.length > HOT_HANDLERS) throw new Error(`${names.length} hot cases; the switch is to stay below ${HOT_HANDLERS}`);
  return [
    '// Written by scripts/build-core.ts out of table/hot.ts.',
    ...names.map((name, number) => `export const HOT_${name} = ${number};`),
    '/** The case that does operation `second` behind `first` too, -1 = there is none. */',
    'export function fusedCase(first: i32, second: i32): i32 {',
    '  switch ((first << 8) | second) {',
    ...fusedPairs.map(
      ({ name, first, second }) => `    case ${(names.indexOf(first) << 8) | names.indexOf(second)}: return HOT_${name};`,
    ),
    '    default: return -1;',
    '  }',
    '}',
    `export const HOT_HANDLERS = ${HOT_HANDLERS};`,
    '',
  ].join('\n');
}

/** The loop that executes operations, with its cases in place. */
function executeSource(): string {
  const text = readFileSync(join(cpu, 'execute.ts'), 'utf8');
  const mark = /^ *\/\/ @hot-cases.*$/m;
  if (!mark.test(text)) throw new Error('execute.ts has no mark for the hot cases');
  const cases = hotCases.map(
    ({ name, body, leaves }) => `case hot.HOT_${name}: { ${body} ${leaves ? '' : 'op += OP_BYTES; continue; '}}`,
  );
  return text
    .replace(mark, () => cases.join('\n'))
    .replaceAll("from './", "from '../")
    .replaceAll('../generated/', './');
}

interface BuildOptions {
  readonly debug?: boolean;
  readonly names?: boolean;
  /** Guest accesses keep x86's order by fences. */
  readonly ordered?: boolean;
  readonly output: string;
}

function writeGenerated(): void {
  mkdirSync(generated, { recursive: true });
  writeIfChanged(join(generated, 'tables.ts'), tablesSource(decoderTables(rows)));
  writeIfChanged(join(generated, 'handlers.ts'), handlersSource());
  writeIfChanged(join(generated, 'hot.ts'), hotSource());
  writeIfChanged(join(generated, 'execute.ts'), executeSource());
}

async function compile(options: BuildOptions): Promise<void> {
  const started = performance.now();
  mkdirSync('build', { recursive: true });
  const entry = existsSync('src/engine/pv/index.ts')
    ? ['src/engine/cpu/index.ts', 'src/engine/pv/index.ts']
    : ['src/engine/cpu/index.ts'];
  const optimise = options.debug ? ['-O1', '--debug'] : ['-O3', '--noAssert', ...(options.names ? ['--debug'] : [])];
  const stderr = asc.createMemoryStream();
  const { error } = await asc.main(
    [
      ...entry,
      '--outFile',
      options.output,
      '--use',
      `ORDERED=${options.ordered ? 1 : 0}`,
      ...optimise,
      '--runtime',
      'stub',
      '--importMemory',
      '--sharedMemory',
      '--initialMemory',
      '1',
      '--maximumMemory',
      '65536',
      '--memoryBase',
      '1024',
      '--exportTable',
      '--enable',
      'threads',
      '--enable',
      'simd',
      '--enable',
      'bulk-memory',
      '--enable',
      'sign-extension',
      '--enable',
      'nontrapping-f2i',
      '--enable',
      'mutable-globals',
      '--disableWarning',
      '235',
      '--disableWarning',
      '201',
      '--disableWarning',
      '112',
    ],
    { stderr },
  );
  if (error) throw new Error(`asc: ${stderr.toString()}`);
  const warnings = stderr.toString();
  if (warnings) process.stderr.write(warnings);
  console.log(`${options.output} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

const OUTPUT = 'build/core.wasm';
const ORDERED_OUTPUT = 'build/core-ordered.wasm';

/** Both cores at once: the second in a process of its own, since the compiler keeps its thread. */
async function buildBoth(): Promise<void> {
  writeGenerated();
  const second = spawn(process.execPath, [...process.execArgv, import.meta.filename, '--only-ordered'], { stdio: 'inherit' });
  const ended = new Promise<number | null>((resolve) => second.on('exit', resolve));
  await compile({ output: OUTPUT });
  if ((await ended) !== 0) throw new Error(`${ORDERED_OUTPUT} was not built`);
}

const words = process.argv.slice(2);
if (words.includes('--only-ordered')) await compile({ ordered: true, output: ORDERED_OUTPUT });
else if (words.length === 0) await buildBoth();
else {
  writeGenerated();
  // --names keeps the functions' names, for profiles.
  const names = words.includes('--names');
  await compile({ debug: words.includes('--debug'), names, output: names ? 'build/core-names.wasm' : OUTPUT });
}
