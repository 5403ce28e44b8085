/**
 * `npm run bench -- disks`: what a guest gets out of its disk, beside what the browser's database gives when it is driven directly
 * in the same way: batches of 4 MiB, each durable before the next begins.
 */
import { expect, openMachine, test, type Machine } from './support/machine.ts';

const MEBIBYTES = 64;
const RANDOM_READS = 2000;

interface Direct {
  write: number;
  read: number;
}

/** Mebibytes a second of IndexedDB, chunks of 256 KiB, 16 a transaction. */
function drivenDirectly(machine: Machine): Promise<Direct> {
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
  }, MEBIBYTES);
}

/** Seconds by the guest's own clock, start of the program included. */
async function seconds(machine: Machine, command: string): Promise<number> {
  const { output } = await machine.guest(
    'bench',
    `s=$(cut -d' ' -f1 /proc/uptime); ${command} 2>/dev/null; e=$(cut -d' ' -f1 /proc/uptime); echo "took $s $e"`,
    300_000,
  );
  const [, start, end] = /took ([\d.]+) ([\d.]+)/.exec(output) ?? [];
  expect(end, output).toBeDefined();
  return Number(end) - Number(start);
}

test('disks', async ({ page }) => {
  const machine = await openMachine(page, 'boot=stored');
  await machine.run(`lvcreate -L 10000M -n big vg`);
  await machine.configure('bench');
  await machine.run(`echo 'disk = [ "phy:vg/big,xvda,w" ]' >> /etc/xen/bench`);
  await machine.run('xm create bench');
  await machine.login('bench', 300_000);
  const direct = await drivenDirectly(machine);
  const rows: [string, string][] = [];
  const rate = async (what: string, beside: number, command: string): Promise<void> => {
    const mibPerSecond = MEBIBYTES / (await seconds(machine, command));
    rows.push([what, `${mibPerSecond.toFixed(1)} MiB/s, ${(mibPerSecond / beside).toFixed(2)} of the store`]);
  };
  // Bytes that are no zeros: those would not be stored at all.
  await machine.guest(
    'bench',
    `head -c ${1024 * 1024} /dev/urandom > /tmp/one; for n in 1 2 3 4; do cat /tmp/one; done > /tmp/four`,
    120_000,
  );
  const each = MEBIBYTES / 4;
  const loop = (body: string): string => `n=0; while [ $n -lt ${each} ]; do ${body}; n=$((n+1)); done`;
  await rate(
    'sequential write, 1 MiB, flushed',
    direct.write,
    `${loop('dd if=/tmp/four of=/dev/xvda bs=1M seek=$((n*4)) oflag=direct')}; dd if=/tmp/one of=/dev/xvda bs=4k count=1 conv=fsync`,
  );
  await rate('sequential read, 1 MiB, cached', direct.read, `dd if=/dev/xvda of=/dev/null bs=1M count=${MEBIBYTES} iflag=direct`);
  await rate(
    'sequential read, 64 KiB, cached',
    direct.read,
    `dd if=/dev/xvda of=/dev/null bs=64k count=${MEBIBYTES * 16} iflag=direct`,
  );
  const small = await seconds(machine, `dd if=/dev/xvda of=/dev/null bs=4k count=${RANDOM_READS} iflag=direct`);
  rows.push(['reads of 4 KiB, one at a time, cached', `${(RANDOM_READS / small).toFixed(0)} a second`]);
  const began = Date.now();
  await machine.run('lvcreate -s -n copy vg/big');
  rows.push(['clone of 10 GB, command and all', `${Date.now() - began} ms`]);
  rows.push(['the store itself', `${direct.write.toFixed(0)} MiB/s written, ${direct.read.toFixed(0)} MiB/s read`]);
  for (const [what, result] of rows) console.log(`${what.padEnd(44)} ${result}`);
  await machine.run('xm destroy bench');
  await machine.run('lvremove -f vg/big vg/copy');
});
