/**
 * What `npm start`, `npm test` and `npm run build` do first: install what is missing, build the Wasm modules, make the guest images.
 * Uses nothing but Node, since it runs before anything is installed. Each step is skipped when its inputs have not changed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);

/** A failure whose message tells the user what to do; shown without a stack. */
export class SetupError extends Error {}

/** @param {string} text */
export function say(text) {
  console.log(`[webxen] ${text}`);
}

/**
 * Runs a program in the open; throws SetupError when it fails.
 * @param {string} what in words, for the message
 * @param {string} program
 * @param {string[]} parameters
 * @param {NodeJS.ProcessEnv} [environment]
 */
export function run(what, program, parameters, environment = {}) {
  const result = spawnSync(program, parameters, { stdio: 'inherit', env: { ...process.env, ...environment } });
  if (result.error !== undefined) throw new SetupError(`${what}: ${program} cannot be run (${result.error.message}).`);
  if (result.status !== 0)
    throw new SetupError(`${what} failed: ${program} ${parameters.join(' ')} ended with ${result.status ?? result.signal}.`);
}

/** A program that npm installed. @param {string} name */
export function installed(name) {
  return join('node_modules', '.bin', name);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new SetupError(`Node 20.19 or newer is needed; this is ${process.versions.node}.`);
}

/** Dependencies as package-lock.json states them. npm's own copy of the lock in node_modules tells whether they are there. */
function installDependencies() {
  const stamp = 'node_modules/.webxen-lock';
  const wanted = digest(['package-lock.json']);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  if (!existsSync('node_modules/.package-lock.json') || lockDiffers()) {
    say('installing dependencies');
    // No install scripts: the one there is (esbuild's) only saves a start-up step, and fails when another process starts at the wrong moment.
    // Not `npm ci`: that refuses a lock without the optional packages for other platforms, which some registries do not carry.
    run('Installing dependencies', 'npm', [
      'install',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--loglevel=error',
    ]);
  }
  writeFileSync(stamp, wanted);
}

/** True when a package of the lock file is not in node_modules in that version (packages for other platforms aside). */
function lockDiffers() {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;
  const present = JSON.parse(readFileSync('node_modules/.package-lock.json', 'utf8')).packages;
  return Object.entries(lock).some(([path, entry]) => path !== '' && !entry.optional && present[path]?.version !== entry.version);
}

/**
 * Checksum over files and folders; names, contents and order count.
 * @param {string[]} paths
 */
function digest(paths) {
  const hash = createHash('sha256');
  /** @param {string} path */
  const visit = (path) => {
    if (!existsSync(path) || path.endsWith('.test.ts')) return;
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) if (name !== 'generated' && name !== 'testing') visit(join(path, name));
    } else {
      hash.update(`${path}\0`).update(readFileSync(path));
    }
  };
  paths.forEach(visit);
  return hash.digest('hex');
}

/**
 * Does a step unless it was done with the same inputs and its product is there.
 * @param {string} name
 * @param {string[]} inputs
 * @param {string[]} products
 * @param {() => void} step
 */
export function unlessDone(name, inputs, products, step) {
  const stamp = join('build', 'stamps', name);
  const wanted = digest(inputs);
  if (products.every((product) => existsSync(product)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  step();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

/** The Wasm modules written in AssemblyScript, and the sources each is made of. */
const modules = [
  {
    script: 'build:core',
    inputs: ['src/engine/cpu', 'src/engine/pv', 'src/engine/abi', 'scripts/build-core.ts'],
    products: ['build/core.wasm', 'build/core-ordered.wasm'],
  },
  { script: 'build:codec', inputs: ['src/engine/codec/assembly', 'scripts/build-codec.ts'], products: ['build/codec.wasm'] },
];

function buildModules() {
  for (const { script, inputs, products } of modules) {
    unlessDone(script.replace(':', '-'), [...inputs, 'package-lock.json'], products, () => {
      say(`npm run ${script}`);
      run(`npm run ${script}`, 'npm', ['run', '--silent', script]);
    });
  }
}

/** @param {string[]} parameters */
function makeImages(parameters) {
  run('Making the guest images', installed('tsx'), ['scripts/images/main.ts', ...parameters]);
}

/** @param {{ testImages?: boolean, soakImages?: boolean }} [options] */
export function prepare(options = {}) {
  checkNode();
  installDependencies();
  buildModules();
  makeImages([]);
  if (options.testImages) makeImages(['tests']);
  if (options.soakImages) {
    makeImages(['soak']);
    if (!readFileSync('public/disks/manifest.json', 'utf8').includes('"debian-12"')) makeImages(['debian']);
  }
}

/** The static site in dist/, built again when anything it is made of has changed. */
export function buildSite() {
  const inputs = [
    'index.html',
    'vite.config.ts',
    'package-lock.json',
    'src',
    'public',
    'build/core.wasm',
    'build/core-ordered.wasm',
    'build/codec.wasm',
  ];
  unlessDone('site', inputs, ['dist/index.html'], () => {
    say('building the site');
    run('Building the site', installed('vite'), ['build', '--logLevel', 'error']);
  });
}

/** Path of a Chromium to test with; installs Debian's when there is none and this user may. */
export function ensureChromium() {
  const chosen = process.env['WEBXEN_CHROMIUM'];
  if (chosen !== undefined) {
    if (!existsSync(chosen)) throw new SetupError(`WEBXEN_CHROMIUM names ${chosen}, which does not exist.`);
    return chosen;
  }
  const usual = '/usr/bin/chromium';
  if (existsSync(usual)) return usual;
  const advice =
    'The browser scenarios need Chromium at /usr/bin/chromium (Debian: `apt-get install chromium` as root), or another one named in WEBXEN_CHROMIUM.';
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0)
    throw new SetupError(`${advice} There is no apt-get here.`);
  if (process.getuid?.() !== 0) throw new SetupError(`${advice} Installing it takes root.`);
  say('installing chromium from Debian packages');
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  if (spawnSync('apt-cache', ['show', 'chromium'], { stdio: 'ignore' }).status !== 0)
    run('apt-get update', 'apt-get', ['update', '-q'], quiet);
  run('Installing chromium', 'apt-get', ['install', '-q', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'], quiet);
  if (!existsSync(usual)) throw new SetupError('The package chromium was installed but left no /usr/bin/chromium.');
  return usual;
}

/**
 * Runs a command's main function; shows SetupErrors as plain sentences.
 * @param {() => void | Promise<void>} main
 */
export async function command(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`[webxen] ${error.message}`);
    process.exit(1);
  }
}
