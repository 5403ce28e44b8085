/**
 * `npm run bench -- --disks`: what a guest gets out of its disk by an I/O program of our own (e2e/bench/disk), beside what the store
 * under it gives when it is driven directly in the same run (e2e/bench/direct-store.ts). On both stores, in a browser with a profile
 * on the host's disk: a private window would keep them in memory. Sequential accesses go through more than domain 0 keeps in memory,
 * so that the bytes come from the store and have to go there; `from the cache` says where they do not. Linux keeps in memory what was
 * written to files: `from the host's disk` is after it was told to forget it (root only), the program's accesses and the store's alike. `by
 * the page cache` is the guest's own, of the disk itself and of a file on ext4; all other accesses go past it.
 *
 * Each case runs for some seconds first, until the guest's code is translated, which is not counted; of accesses to the cache the first
 * of these seconds is told beside. Cases in order and the store take turns, and the middle one of the ratios counts: a busy host is
 * half as fast in one minute as in the next.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, test as base } from '@playwright/test';
import { DirectStore, type ReadUnit, type StoreKind } from './bench/direct-store.ts';
import { QemuDisk } from './bench/qemu-disk.ts';
import { missingCompiler, ramdiskWith } from './support/guest-programs.ts';
import { expect, openMachine, type Machine } from './support/machine.ts';

const MIB = 1024 * 1024;
const FIRST_MS = 1000;
const WARM_MS = 20_000;
const LEAST_MS = 2500;
const ROUNDS = 3;
const LIMIT_MS = 300_000;
/** More than domain 0 keeps of a disk in memory, more than the guest has for its page cache too, and less. */
const STORED_BYTES = 256 * MIB;
const BUFFERED_BYTES = 512 * MIB;
const FILE = '/mnt/file';
const CACHED_BYTES = 32 * MIB;

interface Case {
  readonly mode: 'read' | 'write';
  readonly order: 'seq' | 'rnd';
  readonly bytes: number;
  readonly depth: number;
  readonly span: number;
  /** By the guest's page cache, which reads ahead and writes behind, as programs do unless they ask for anything else. */
  readonly buffered?: boolean;
  /** Of a file rather than of the disk itself. */
  readonly file?: boolean;
  /** Several at a time by the kernel's older asynchronous I/O. */
  readonly aio?: boolean;
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
  ['seq', 4096, 1],
  ['seq', 4096, 32],
  ['rnd', 65536, 32],
  ['rnd', 4096, 32],
  ['rnd', 4096, 32, CACHED_BYTES],
]);

const READS = casesOf('read', [
  ['seq', MIB, 1],
  ['seq', MIB, 8],
  ['seq', 65536, 1],
  ['seq', 65536, 32],
  ['seq', 4096, 1],
  ['seq', 4096, 32],
  ['rnd', 65536, 32],
  ['seq', MIB, 1, CACHED_BYTES],
  ['seq', MIB, 8, CACHED_BYTES],
  ['rnd', 4096, 1, CACHED_BYTES],
  ['rnd', 4096, 32, CACHED_BYTES],
  ['rnd', 4096, 128, CACHED_BYTES],
]);

const AIO: readonly Case[] = (['write', 'read'] as const)
  .flatMap((mode) => casesOf(mode, [['seq', 4096, 32]]))
  .map((each) => ({ ...each, aio: true }));

const BUFFERED: readonly Case[] = (['write', 'read'] as const)
  .flatMap((mode) =>
    casesOf(mode, [
      ['seq', MIB, 1, BUFFERED_BYTES],
      ['seq', 65536, 1, BUFFERED_BYTES],
      ['seq', 4096, 1, BUFFERED_BYTES],
    ]),
  )
  .flatMap((each) => [
    { ...each, buffered: true },
    { ...each, buffered: true, file: true },
  ]);

const COLD_READS: readonly Case[] = casesOf('read', [
  ['seq', MIB, 1],
  ['seq', MIB, 8],
  ['seq', 65536, 1],
  ['seq', 65536, 32],
]).map((each) => ({ ...each, cold: true }));

/** What QEMU's guest is measured by as well, from a disk that does nothing: where the guest's own share is most of what there is. */
const IN_QEMU: readonly Case[] = casesOf('read', [
  ['seq', 65536, 1, CACHED_BYTES],
  ['seq', 4096, 1, CACHED_BYTES],
  ['seq', 4096, 32, CACHED_BYTES],
]);

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

const SOURCES = ['disk', 'io-uring', 'aio'].map((name) => `e2e/bench/disk/${name}.c`);

/** Compiles the program; its path. */
function compiled(): string {
  mkdirSync('build/bench', { recursive: true });
  execFileSync('gcc', ['-O2', '-static', '-march=x86-64', '-o', 'build/bench/disk', ...SOURCES], { stdio: 'inherit' });
  return 'build/bench/disk';
}

interface Measured {
  readonly perSecond: number;
  readonly mebibytes: number;
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

async function run(machine: Machine, each: Case, count: number, milliseconds: number): Promise<Measured> {
  const { output } = await machine.guest(
    'bench',
    `/disk ${each.file === true ? FILE : '/dev/xvda'} ${wordsOf(each, count, milliseconds)}`,
    LIMIT_MS,
  );
  return measuredOf(output, each.bytes);
}

/** The program's arguments behind the file. */
function wordsOf(
  { aio = false, buffered = false, bytes, depth, mode, order, span }: Case,
  count: number,
  milliseconds: number,
): string {
  const options = [buffered ? 'buffered' : '', mode === 'write' ? 'flush' : '', aio ? 'aio' : ''];
  return [mode, order, bytes, depth, count, milliseconds, span, ...options].join(' ');
}

function measuredOf(output: string, bytes: number): Measured {
  const [, accesses, nanoseconds] = /accesses (\d+) nanoseconds (\d+)/.exec(output) ?? [];
  expect(nanoseconds, output).toBeDefined();
  const perSecond = Number(accesses) / (Number(nanoseconds) / 1e9);
  return { perSecond, mebibytes: (perSecond * bytes) / MIB };
}

/** A case in order and the store in turns: before the first, between, and after the last. */
async function compared(machine: Machine, store: DirectStore, each: Case): Promise<string> {
  const { bytes, cold = false, depth, mode, span } = each;
  const read = (unit: ReadUnit): Promise<number> => {
    if (cold) emptyHostCache();
    return cold ? store.readOnce(unit) : store.read(unit);
  };
  const direct = (): Promise<number> => (mode === 'write' ? store.write() : read(16));
  // Where the program waits for each of its reads: the store read in the same way.
  const alike = mode === 'read' && depth === 1 ? (): Promise<number> => read(bytes === MIB ? 4 : 1) : undefined;
  const speeds: Measured[] = [];
  const ratios: number[] = [];
  const ratiosAlike: number[] = [];
  const stores = [await direct()];
  for (let round = 0; round < ROUNDS; round += 1) {
    if (cold) {
      // Domain 0 then has the end of the span in memory, which has left it when the program comes there again.
      await run(machine, each, span / bytes, 0);
      emptyHostCache();
    }
    const speed = await run(machine, each, span / bytes, cold ? 0 : LEAST_MS);
    if (alike !== undefined) ratiosAlike.push(speed.mebibytes / (await alike()));
    const after = await direct();
    ratios.push(speed.mebibytes / (((stores.at(-1) ?? NaN) + after) / 2));
    stores.push(after);
    speeds.push(speed);
  }
  const mebibytes = middle(speeds.map((speed) => speed.mebibytes));
  const perSecond = middle(speeds.map((speed) => speed.perSecond));
  const range = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
  const waiting = ratiosAlike.length > 0 ? `, ${middle(ratiosAlike).toFixed(2)} of it read so` : '';
  return `${figures(perSecond, mebibytes)} ${middle(ratios).toFixed(2).padStart(6)} (${range}) of the store's ${middle(stores).toFixed(0)}${waiting}`;
}

const figures = (perSecond: number, mebibytes: number): string =>
  `${perSecond.toFixed(0).padStart(7)} a second ${mebibytes.toFixed(1).padStart(7)} MiB/s`;

async function measure(machine: Machine, store: DirectStore, each: Case): Promise<string> {
  if (each.cold === true) return compared(machine, store, each);
  const first = await run(machine, each, 1, FIRST_MS);
  await run(machine, each, 1, WARM_MS);
  if (each.order === 'seq' && each.span !== CACHED_BYTES) return compared(machine, store, each);
  const { mebibytes, perSecond } = await run(machine, each, 1, LEAST_MS);
  return `${figures(perSecond, mebibytes)}${each.span === CACHED_BYTES ? ` (${first.perSecond.toFixed(0)} in the first second)` : ''}`;
}

function nameOf({ aio = false, buffered = false, bytes, cold = false, depth, file = false, mode, order, span }: Case): string {
  const size = bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / 1024} KiB`;
  const place = span === CACHED_BYTES ? `, ${mode === 'read' ? 'from' : 'within'} the cache` : cold ? ", from the host's disk" : '';
  const way = buffered ? `, ${file ? 'a file ' : ''}by the page cache` : aio ? ', by io_submit' : '';
  return `${order === 'seq' ? 'sequential' : 'random'} ${mode}, ${size}, ${depth} at a time${way}${place}`;
}

/** The guest and QEMU's in turns. */
async function besideQemu(machine: Machine, ramdisk: Uint8Array, tell: (what: string, result: string) => void): Promise<void> {
  const qemu = await QemuDisk.start(ramdisk);
  if (qemu === undefined) return;
  const there = async (each: Case, milliseconds: number): Promise<number> =>
    measuredOf(await qemu.run(wordsOf(each, 1, milliseconds)), each.bytes).perSecond;
  try {
    for (const each of IN_QEMU) {
      await run(machine, each, 1, WARM_MS);
      await there(each, WARM_MS / 2);
      const ratios: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const { perSecond } = await run(machine, each, 1, LEAST_MS);
        ratios.push(perSecond / (await there(each, LEAST_MS)));
      }
      tell(nameOf(each), `${middle(ratios).toFixed(2)} of QEMU's guest with a disk that does nothing`);
    }
  } finally {
    await qemu.close();
  }
}

async function benchmark(machine: Machine, kind: StoreKind, tell: (what: string, result: string) => void): Promise<void> {
  const store = await DirectStore.open(machine.page, kind);
  for (const each of [...WRITES, ...READS, ...AIO, ...BUFFERED, ...(emptyHostCache() ? COLD_READS : [])])
    tell(nameOf(each), await measure(machine, store, each));
  await store.close();
}

for (const kind of ['indexeddb', 'opfs'] as const) {
  base(`disks on ${kind}`, async ({ baseURL, launchOptions }) => {
    const missing = missingCompiler();
    base.skip(missing !== undefined, missing ?? '');
    const profile = mkdtempSync(join(tmpdir(), 'webxen-bench-'));
    const context = await chromium.launchPersistentContext(profile, { ...launchOptions, baseURL: baseURL ?? '' });
    try {
      const page = context.pages()[0] ?? (await context.newPage());
      const machine = await openMachine(page, `boot=stored&machine=bench-${kind}&storage=${kind}`);
      await machine.run('pvcreate /dev/sda10 && vgcreate vg /dev/sda10');
      await machine.run('lvcreate -L 10000M -n big vg');
      await machine.run('lvcreate -L 1000M -n files vg');
      await machine.run('mkfs -t ext4 /dev/vg/files');
      const ramdisk = ramdiskWith([compiled()]);
      await machine.write('/root/initrd', ramdisk);
      await machine.configure('bench', { kernel: '/boot/vmlinuz-cloud', ramdisk: '/root/initrd' });
      await machine.run(`echo 'disk = [ "phy:vg/big,xvda,w", "phy:vg/files,xvdb,w" ]' >> /etc/xen/bench`);
      await machine.run('xm create bench');
      await machine.login('bench', LIMIT_MS);
      const filling = `dd if=/dev/zero of=${FILE} bs=1M count=${BUFFERED_BYTES / MIB}`;
      const filled = await machine.guest('bench', `mkdir /mnt && mount -t ext4 /dev/xvdb /mnt && ${filling}`, LIMIT_MS);
      expect(filled.exitCode, filled.output).toBe(0);
      const tell = (what: string, result: string): void => {
        console.log(`${kind.padEnd(10)} ${what.padEnd(55)} ${result}`);
      };
      await benchmark(machine, kind, tell);
      await besideQemu(machine, ramdisk, tell);
      const clone = await page.evaluate(async () => {
        const began = performance.now();
        await xen.exec('lvcreate -s -L 100M -n copy vg/big');
        return performance.now() - began;
      });
      tell('clone of 10 GB, command and all', `${clone.toFixed(0)} ms`);
      await machine.run('xm destroy bench');
    } finally {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    }
  });
}
