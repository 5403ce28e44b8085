/**
 * `npm run bench -- --disks`: what a guest gets out of its disk by an I/O program of our own (e2e/bench/disk.c), beside what the store
 * under it gives when it is driven directly in the same run (e2e/bench/direct-store.ts). On both stores, in a browser with a profile
 * on the host's disk: a private window would keep them in memory. Sequential accesses go through more than domain 0 keeps in memory,
 * so that the bytes come from the store and have to go there; `from the cache` says where they do not. Linux keeps in memory what was
 * written to files: `from the host's disk` is after it was told to forget it (root only), the program's accesses and the store's alike.
 *
 * Each case runs for some seconds first, until the guest's code is translated, which is not counted; of reads from the cache the first
 * of these seconds is told beside. The store is measured before, between and after, and the middle one of the figures counts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium, test as base } from '@playwright/test';
import { writeCpio } from '../scripts/images/cpio.ts';
import { storeDirectly, type ReadUnit, type StoreKind, type StoreSpeed } from './bench/direct-store.ts';
import { expect, openMachine, type Machine } from './support/machine.ts';
import { siteImage } from './support/site-images.ts';

const MIB = 1024 * 1024;
const FIRST_MS = 1000;
const WARM_MS = 6000;
const LEAST_MS = 2500;
const LIMIT_MS = 300_000;
/** More than domain 0 keeps of a disk in memory, and less. */
const STORED_BYTES = 256 * MIB;
const CACHED_BYTES = 32 * MIB;

interface Case {
  readonly mode: 'read' | 'write';
  readonly order: 'seq' | 'rnd';
  readonly bytes: number;
  readonly depth: number;
  readonly span: number;
  /** Once through, after the host was told to forget. */
  readonly cold?: boolean;
}

type Row = readonly [order: Case['order'], bytes: number, depth: number, span?: number];

const casesOf = (mode: Case['mode'], rows: readonly Row[]): Case[] =>
  rows.map(([order, bytes, depth, span = STORED_BYTES]) => ({ mode, order, bytes, depth, span }));

const WRITES = casesOf('write', [
  ['seq', MIB, 8],
  ['seq', MIB, 1],
  ['seq', 65536, 1],
  ['seq', 65536, 32],
  ['rnd', 65536, 32],
  ['rnd', 4096, 32],
  ['rnd', 4096, 32, CACHED_BYTES],
]);

const READS = casesOf('read', [
  ['seq', MIB, 1],
  ['seq', MIB, 8],
  ['seq', 65536, 1],
  ['seq', 65536, 32],
  ['rnd', 65536, 32],
  ['seq', MIB, 1, CACHED_BYTES],
  ['seq', MIB, 8, CACHED_BYTES],
  ['rnd', 4096, 1, CACHED_BYTES],
  ['rnd', 4096, 32, CACHED_BYTES],
  ['rnd', 4096, 128, CACHED_BYTES],
]);

const COLD_READS: readonly Case[] = casesOf('read', [
  ['seq', MIB, 1],
  ['seq', MIB, 8],
  ['seq', 65536, 1],
  ['seq', 65536, 32],
]).map((each) => ({ ...each, cold: true }));

/** False where the host does not let us. */
function emptyHostCache(): boolean {
  try {
    execFileSync('sync');
    writeFileSync('/proc/sys/vm/drop_caches', '1');
    return true;
  } catch {
    return false;
  }
}

/** Compiles the program; undefined without a compiler. */
function compiled(): string | undefined {
  if (spawnSync('gcc', ['--version']).status !== 0) return undefined;
  mkdirSync('build/bench', { recursive: true });
  execFileSync('gcc', ['-O2', '-static', '-march=x86-64', '-o', 'build/bench/disk', 'e2e/bench/disk.c'], { stdio: 'inherit' });
  return 'build/bench/disk';
}

function ramdiskWith(program: string): Uint8Array {
  const ramdisk = readFileSync(siteImage('initrd.img-cloud'));
  const archive = writeCpio([{ kind: 'file', path: 'disk', mode: 0o755, content: readFileSync(program) }]);
  return Buffer.concat([ramdisk, new Uint8Array(-ramdisk.length & 3), gzipSync(archive)]);
}

interface Measured {
  readonly perSecond: number;
  readonly mebibytes: number;
  /** Accesses a second in the first second, with the guest's code as the cases before left it. */
  readonly atFirst?: number;
}

async function measure(machine: Machine, { mode, order, bytes, depth, span, cold = false }: Case): Promise<Measured> {
  const run = async (count: number, milliseconds: number): Promise<Measured> => {
    const { output } = await machine.guest(
      'bench',
      `/disk /dev/xvda ${mode} ${order} ${bytes} ${depth} ${count} ${milliseconds} ${span}${mode === 'write' ? ' flush' : ''}`,
      LIMIT_MS,
    );
    const [, accesses, nanoseconds] = /accesses (\d+) nanoseconds (\d+)/.exec(output) ?? [];
    expect(nanoseconds, output).toBeDefined();
    const perSecond = Number(accesses) / (Number(nanoseconds) / 1e9);
    return { perSecond, mebibytes: (perSecond * bytes) / MIB };
  };
  if (cold) {
    // Domain 0 then has the end of the span in memory, which has left it when the program comes there again.
    await run(span / bytes, 0);
    emptyHostCache();
    return run(span / bytes, 0);
  }
  const { perSecond: atFirst } = await run(1, FIRST_MS);
  await run(1, WARM_MS);
  return { ...(await run(order === 'seq' ? span / bytes : 1, LEAST_MS)), atFirst };
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

async function benchmark(machine: Machine, kind: StoreKind): Promise<[string, string][]> {
  const stores: StoreSpeed[] = [await storeDirectly(machine.page, kind, emptyHostCache)];
  const results = new Map<Case, Measured>();
  const groups = [WRITES, READS, ...(stores[0]?.readCold === undefined ? [] : [COLD_READS])];
  for (const cases of groups) {
    for (const each of cases) results.set(each, await measure(machine, each));
    stores.push(await storeDirectly(machine.page, kind, emptyHostCache));
  }
  const written = middle(stores.map(({ write }) => write));
  const read = (unit: ReadUnit): number => middle(stores.map((store) => store.read[unit]));
  const readCold = middle(stores.map((store) => store.readCold ?? NaN));
  /** The store at its best, and where the program waits for each of its reads, the store read in the same way. */
  const ratios = ({ mode, order, bytes, depth, cold = false }: Case, mebibytes: number): string => {
    const best = mebibytes / (mode === 'write' ? written : cold ? readCold : read(16));
    const alike = mebibytes / read(bytes === MIB ? 4 : 1);
    const waits = mode === 'read' && order === 'seq' && depth === 1 && !cold;
    return ` ${best.toFixed(2).padStart(6)} of the store${waits ? `, ${alike.toFixed(2)} of it read so` : ''}`;
  };
  const rows = [...results].map(([each, { atFirst = NaN, mebibytes, perSecond }]): [string, string] => {
    const { mode, order, bytes, depth, span } = each;
    const cached = span === CACHED_BYTES;
    const size = bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / 1024} KiB`;
    const place = cached
      ? `, ${mode === 'read' ? 'from' : 'within'} the cache`
      : each.cold === true
        ? ", from the host's disk"
        : '';
    const ratio = cached ? ` (${atFirst.toFixed(0)} in the first second)` : ratios(each, mebibytes);
    return [
      `${order === 'seq' ? 'sequential' : 'random'} ${mode}, ${size}, ${depth} at a time${place}`,
      `${perSecond.toFixed(0).padStart(7)} a second ${mebibytes.toFixed(1).padStart(7)} MiB/s${ratio}`,
    ];
  });
  const figures = stores.map((store) => {
    const reads = ([16, 4, 1] as const).map((unit) => store.read[unit].toFixed(0));
    const cold = store.readCold === undefined ? '' : `, ${store.readCold.toFixed(0)} from the host's disk`;
    return `${store.write.toFixed(0)} MiB/s written, ${reads.join(' / ')} read 4 MiB / 1 MiB / a chunk at a time${cold}`;
  });
  return [...rows, ['the store itself: before, between and after', figures.join('; ')]];
}

for (const kind of ['indexeddb', 'opfs'] as const) {
  base(`disks on ${kind}`, async ({ baseURL, launchOptions }) => {
    const program = compiled();
    base.skip(program === undefined, 'gcc is needed for the I/O program');
    const profile = mkdtempSync(join(tmpdir(), 'webxen-bench-'));
    const context = await chromium.launchPersistentContext(profile, { ...launchOptions, baseURL: baseURL ?? '' });
    try {
      const page = context.pages()[0] ?? (await context.newPage());
      const machine = await openMachine(page, `boot=stored&machine=bench-${kind}&storage=${kind}`);
      await machine.run('pvcreate /dev/sda10 && vgcreate vg /dev/sda10');
      await machine.run('lvcreate -L 10000M -n big vg');
      await machine.write('/root/initrd', ramdiskWith(program ?? ''));
      await machine.configure('bench', { kernel: '/boot/vmlinuz-cloud', ramdisk: '/root/initrd' });
      await machine.run(`echo 'disk = [ "phy:vg/big,xvda,w" ]' >> /etc/xen/bench`);
      await machine.run('xm create bench');
      await machine.login('bench', LIMIT_MS);
      const rows = await benchmark(machine, kind);
      const clone = await page.evaluate(async () => {
        const began = performance.now();
        await xen.exec('lvcreate -s -L 100M -n copy vg/big');
        return performance.now() - began;
      });
      rows.push(['clone of 10 GB, command and all', `${clone.toFixed(0)} ms`]);
      for (const [what, result] of rows) console.log(`${kind.padEnd(10)} ${what.padEnd(55)} ${result}`);
      await machine.run('xm destroy bench');
    } finally {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    }
  });
}
