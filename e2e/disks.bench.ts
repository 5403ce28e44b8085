/**
 * `npm run bench -- --disks`: what a guest gets out of its disk by an I/O program of our own (e2e/bench/disk.c), beside what the store
 * under it gives when it is driven directly in the same run and in the same way: chunks of 256 KiB, 4 MiB at a time, each batch
 * durable before the next begins. On both stores.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { writeCpio } from '../scripts/images/cpio.ts';
import { expect, openMachine, test, type Machine } from './support/machine.ts';
import { siteImage } from './support/site-images.ts';

const MIB = 1024 * 1024;
const SPAN_MIB = 32;

interface Direct {
  /** Mebibytes a second. */
  write: number;
  read: number;
}

/** Sizes in bytes, depth, number of accesses. */
const CASES: readonly (readonly [mode: 'read' | 'write', order: 'seq' | 'rnd', bytes: number, depth: number, count: number])[] = [
  ['write', 'seq', MIB, 1, 64],
  ['write', 'seq', MIB, 8, 64],
  ['read', 'seq', MIB, 1, 64],
  ['read', 'seq', MIB, 8, 128],
  ['write', 'seq', 65536, 1, 512],
  ['write', 'seq', 65536, 32, 512],
  ['read', 'seq', 65536, 1, 512],
  ['read', 'seq', 65536, 32, 1024],
  ['read', 'rnd', 65536, 32, 1024],
  ['write', 'rnd', 4096, 32, 4096],
  ['read', 'rnd', 4096, 1, 4096],
  ['read', 'rnd', 4096, 32, 16384],
  ['read', 'rnd', 4096, 128, 16384],
];

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

function databaseDirectly(machine: Machine): Promise<Direct> {
  return machine.page.evaluate(async (mebibytes) => {
    const request = indexedDB.open('bench', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('chunks');
    await new Promise((resolve) => (request.onsuccess = resolve));
    const database = request.result;
    const batches = mebibytes / 4;
    const pass = async (mode: 'readonly' | 'readwrite', each: (chunks: IDBObjectStore, key: number) => void): Promise<number> => {
      const began = performance.now();
      for (let batch = 0; batch < batches; batch += 1) {
        const transaction = database.transaction('chunks', mode, { durability: 'strict' });
        for (let n = 0; n < 16; n += 1) each(transaction.objectStore('chunks'), batch * 16 + n);
        await new Promise((resolve) => (transaction.oncomplete = resolve));
      }
      return mebibytes / ((performance.now() - began) / 1000);
    };
    const bytes = new Uint8Array(256 * 1024).map((_, n) => n * 7);
    const write = await pass('readwrite', (chunks, key) => chunks.put(bytes.buffer, key));
    const read = await pass('readonly', (chunks, key) => chunks.get(key));
    database.close();
    indexedDB.deleteDatabase('bench');
    return { write, read };
  }, SPAN_MIB * 2);
}

/** In a worker: synchronous handles exist there only. */
function privateFilesDirectly(machine: Machine): Promise<Direct> {
  return machine.page.evaluate(async (mebibytes) => {
    const source = `onmessage = async ({ data: mebibytes }) => {
      const root = await navigator.storage.getDirectory();
      const handle = await (await root.getFileHandle('bench', { create: true })).createSyncAccessHandle();
      const bytes = new Uint8Array(4 << 20).map((_, n) => n * 7);
      const pass = (each) => {
        const began = performance.now();
        for (let at = 0; at < mebibytes << 20; at += bytes.length) each(at);
        return mebibytes / ((performance.now() - began) / 1000);
      };
      const write = pass((at) => { handle.write(bytes, { at }); handle.flush(); });
      const read = pass((at) => handle.read(bytes, { at }));
      handle.close();
      await root.removeEntry('bench');
      postMessage({ write, read });
    }`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    const answer = new Promise<Direct>((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<Direct>) => {
        resolve(data);
      };
    });
    worker.postMessage(mebibytes);
    const result = await answer;
    worker.terminate();
    return result;
  }, SPAN_MIB * 2);
}

for (const [kind, directly] of [
  ['indexeddb', databaseDirectly],
  ['opfs', privateFilesDirectly],
] as const) {
  test(`disks on ${kind}`, async ({ page }) => {
    const program = compiled();
    test.skip(program === undefined, 'gcc is needed for the I/O program');
    const machine = await openMachine(page, `boot=stored&machine=bench-${kind}&storage=${kind}`);
    await machine.run('pvcreate /dev/sda10 && vgcreate vg /dev/sda10');
    await machine.run('lvcreate -L 10000M -n big vg');
    await machine.write('/root/initrd', ramdiskWith(program ?? ''));
    await machine.configure('bench', { kernel: '/boot/vmlinuz-cloud', ramdisk: '/root/initrd' });
    await machine.run(`echo 'disk = [ "phy:vg/big,xvda,w" ]' >> /etc/xen/bench`);
    await machine.run('xm create bench');
    await machine.login('bench', 300_000);
    const rows: [string, string][] = [];
    const direct = await directly(machine);
    for (const [mode, order, bytes, depth, count] of CASES) {
      const { output } = await machine.guest(
        'bench',
        `/disk /dev/xvda ${mode} ${order} ${bytes} ${depth} ${count} ${SPAN_MIB * MIB}${mode === 'write' ? ' flush' : ''}`,
        300_000,
      );
      const [, nanoseconds] = /nanoseconds (\d+)/.exec(output) ?? [];
      expect(nanoseconds, output).toBeDefined();
      const seconds = Number(nanoseconds) / 1e9;
      const rate = (bytes * count) / MIB / seconds;
      const size = bytes >= MIB ? '1 MiB' : `${bytes / 1024} KiB`;
      const what = `${order === 'seq' ? 'sequential' : 'random'} ${mode}, ${size}, ${depth} at a time`;
      rows.push([
        what,
        `${(count / seconds).toFixed(0).padStart(7)} a second ${rate.toFixed(1).padStart(7)} MiB/s ${(rate / direct[mode]).toFixed(2).padStart(6)} of the store`,
      ]);
    }
    const clone = await page.evaluate(async () => {
      const began = performance.now();
      await xen.exec('lvcreate -s -L 100M -n copy vg/big');
      return performance.now() - began;
    });
    rows.push(['clone of 10 GB, command and all', `${clone.toFixed(0)} ms`]);
    const again = await directly(machine);
    rows.push([
      'the store itself, before and after',
      [direct, again].map(({ read, write }) => `${write.toFixed(0)} MiB/s written, ${read.toFixed(0)} read`).join('; '),
    ]);
    for (const [what, result] of rows) console.log(`${kind.padEnd(10)} ${what.padEnd(44)} ${result}`);
    await machine.run('xm destroy bench');
    await machine.run('lvremove -f vg/copy vg/big');
  });
}
