/**
 * `npm run bench -- --disks`: what a guest gets out of its disk by an I/O program of our own (e2e/bench/disk.c), beside what the store
 * under it gives when it is driven directly in the same run (e2e/bench/direct-store.ts). On both stores, in a browser with a profile
 * on the host's disk: a private window would keep them in memory. Sequential accesses go through more than domain 0 keeps in memory,
 * so that the bytes come from the store and have to go there; `from the cache` says where they do not.
 *
 * Each case runs for a second first, which is not counted: the guest's code is translated then. The store is measured before, between
 * and after, and the middle one of the three figures counts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium, test as base } from '@playwright/test';
import { writeCpio } from '../scripts/images/cpio.ts';
import { storeDirectly, type StoreKind, type StoreSpeed } from './bench/direct-store.ts';
import { expect, openMachine, type Machine } from './support/machine.ts';
import { siteImage } from './support/site-images.ts';

const MIB = 1024 * 1024;
const WARM_MS = 1000;
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
}

async function measure(machine: Machine, { mode, order, bytes, depth, span }: Case): Promise<Measured> {
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
  await run(1, WARM_MS);
  return run(order === 'seq' ? span / bytes : 1, LEAST_MS);
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

async function benchmark(machine: Machine, kind: StoreKind): Promise<[string, string][]> {
  const stores: StoreSpeed[] = [await storeDirectly(machine.page, kind)];
  const results = new Map<Case, Measured>();
  for (const cases of [WRITES, READS]) {
    for (const each of cases) results.set(each, await measure(machine, each));
    stores.push(await storeDirectly(machine.page, kind));
  }
  const store = { write: middle(stores.map(({ write }) => write)), read: middle(stores.map(({ read }) => read)) };
  const rows = [...results].map(([{ mode, order, bytes, depth, span }, { mebibytes, perSecond }]): [string, string] => {
    const cached = span === CACHED_BYTES;
    const size = bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / 1024} KiB`;
    const place = cached ? `, ${mode === 'read' ? 'from' : 'within'} the cache` : '';
    const ratio = cached ? '' : ` ${(mebibytes / store[mode]).toFixed(2).padStart(6)} of the store`;
    return [
      `${order === 'seq' ? 'sequential' : 'random'} ${mode}, ${size}, ${depth} at a time${place}`,
      `${perSecond.toFixed(0).padStart(7)} a second ${mebibytes.toFixed(1).padStart(7)} MiB/s${ratio}`,
    ];
  });
  const figures = stores.map(({ read, write }) => `${write.toFixed(0)} MiB/s written, ${read.toFixed(0)} read`);
  return [...rows, ['the store itself: before, between, after', figures.join('; ')]];
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
