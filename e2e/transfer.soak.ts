/**
 * `npm run soak -- transfer`: disk images of gigabytes, chosen on the page, become volumes and images again, on both stores. Contents are
 * compared, progress is seen to move, the browser's memory stays bounded, and of an import that a reload cuts off nothing is left.
 * WEBXEN_SOAK_MEBIBYTES says how large the larger image is, 2304 unless told otherwise.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium, test as base, type BrowserContext } from '@playwright/test';
import { browserMemoryBytes } from './support/browser-memory.ts';
import { compareQcow2, hasQemuImg, makeQcow2, makeRaw, MEBIBYTE, sha256Of } from './support/disk-image-files.ts';
import { expect, openMachine, type Machine } from './support/machine.ts';

const MEBIBYTES = Number(process.env['WEBXEN_SOAK_MEBIBYTES'] ?? 2304);
const RAW_BYTES = MEBIBYTES * MEBIBYTE + 512;
const RAW_NOISE_BYTES = (RAW_BYTES * 400) / 2304;
const QCOW2_DISK_BYTES = Math.floor((MEBIBYTES * 2) / 3) * MEBIBYTE;
const QCOW2_NOISE_BYTES = QCOW2_DISK_BYTES * 0.7;
/** What the browser may take beyond what it had when the machine was up: what may be dirty in the store, and garbage. */
const MOST_BYTES = 500 * MEBIBYTE;
/** Logs of the browser's that it empties in its own time. */
const MOST_LEFT_BYTES = 64 * MEBIBYTE;
const SAMPLE_MS = 1000;
/** A gigabyte beside other work on the host. */
const TRANSFER_MS = 3_600_000;

interface Files {
  readonly raw: string;
  readonly qcow2: string;
  /** Checksums of the disks. */
  readonly rawSum: string;
  readonly qcow2Sum: string;
}

async function makeFiles(directory: string): Promise<Files> {
  const [raw, plain, qcow2] = ['large.img', 'plain.img', 'many.qcow2'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await makeRaw(raw, RAW_BYTES, RAW_NOISE_BYTES);
  await makeRaw(plain, QCOW2_DISK_BYTES, QCOW2_NOISE_BYTES);
  await makeQcow2(plain, qcow2);
  const files = { raw, qcow2, rawSum: await sha256Of(raw), qcow2Sum: await sha256Of(plain) };
  rmSync(plain);
  return files;
}

/** What the browser took when the machine was up and nothing was on its way. */
let idleBytes = 0;

/** Does something that takes long; says how long, and how much more memory the browser took meanwhile than when it was idle. */
async function measured<Result>(what: string, bytes: number, work: () => Promise<Result>): Promise<Result> {
  let most = browserMemoryBytes();
  const timer = setInterval(() => {
    most = Math.max(most, browserMemoryBytes());
  }, SAMPLE_MS);
  const began = performance.now();
  try {
    return await work();
  } finally {
    clearInterval(timer);
    const seconds = (performance.now() - began) / 1000;
    const [rate, idle, more] = [bytes / seconds, idleBytes, most - idleBytes].map((value) => (value / MEBIBYTE).toFixed(0));
    console.log(`${what}: ${seconds.toFixed(1)} s, ${rate} MiB/s, memory ${idle} + ${more} MiB`);
    expect(most - idleBytes, `memory while ${what}`).toBeLessThan(MOST_BYTES);
  }
}

/** Chooses a file on the page and begins to import it as the volume that the page proposes. */
async function choose(machine: Machine, path: string): Promise<void> {
  const { page } = machine;
  await page.locator('input[type=file][multiple]').setInputFiles(path);
  await page.getByRole('button', { name: 'Import as volume' }).click();
}

/** What the bar of an import says; undefined when there is none. */
function progress({ page }: Machine, name: string): Promise<number | undefined> {
  return page.evaluate((task) => {
    const bar = [...document.querySelectorAll('progress')].find((element) => element.ariaLabel === task);
    return bar?.hasAttribute('value') === true ? bar.value : undefined;
  }, `Importing ${name}`);
}

async function importChosen(machine: Machine, path: string, volume: string): Promise<void> {
  const seen: number[] = [];
  const name = basename(path);
  const done = machine.page.getByText(`/dev/images/${volume} is there`);
  await measured(`importing ${name}`, statSync(path).size, async () => {
    await choose(machine, path);
    const until = Date.now() + TRANSFER_MS;
    while (!(await done.isVisible())) {
      expect(Date.now(), await machine.page.locator('#notices').innerText()).toBeLessThan(until);
      const value = await progress(machine, name);
      if (value !== undefined && value !== seen.at(-1)) seen.push(value);
      await machine.page.waitForTimeout(200);
    }
  });
  expect(seen, 'progress that only grows').toEqual(seen.toSorted((a, b) => a - b));
  expect(seen.length).toBeGreaterThan(Math.min(10, MEBIBYTES / 100));
}

async function checkSum(machine: Machine, name: string, bytes: number, sum: string): Promise<void> {
  expect(await measured(`reading ${name}`, bytes, () => machine.run(`sha256sum /dev/images/${name}`))).toBe(
    `${sum}  /dev/images/${name}\n`,
  );
}

/** An image of a volume as a file of the host: by way of a private file of the page's, which a download takes it from. */
async function exportTo(machine: Machine, name: string, format: 'raw' | 'qcow2', path: string): Promise<void> {
  const { page } = machine;
  await measured(`exporting ${name} as ${format}`, RAW_BYTES, async () => {
    await page.evaluate(
      async ([volume, kind]) => {
        const directory = await navigator.storage.getDirectory();
        const handle = await directory.getFileHandle('exported', { create: true });
        const stream = await xen.exportDisk(volume, { format: kind });
        await stream.pipeTo(await handle.createWritable());
      },
      [name, format] as const,
    );
    const download = page.waitForEvent('download', { timeout: TRANSFER_MS });
    await page.evaluate(async () => {
      const directory = await navigator.storage.getDirectory();
      const file = await (await directory.getFileHandle('exported')).getFile();
      const link = document.createElement('a');
      link.href = URL.createObjectURL(file);
      link.download = 'exported';
      link.click();
    });
    await (await download).saveAs(path);
    await (await download).delete();
    await page.evaluate(async () => (await navigator.storage.getDirectory()).removeEntry('exported'));
  });
}

interface Room {
  /** Volumes that are seen, and the chunks of those that are not as well. */
  readonly volumes: string;
  /** What the browser says of all it keeps, which includes what it has yet to throw away. */
  readonly usedBytes: number;
}

async function room(machine: Machine): Promise<Room> {
  const volumes = await machine.run('storage | grep "volumes_mib\\|shared_mib"; lvs; ls -R /dev/images 2>&1 || true; du -sk /root');
  const df = await machine.run('df -k /');
  return { volumes, usedBytes: Number(/(\d+) +\d+ +\S+ +\/$/m.exec(df)?.[1]) * 1024 };
}

/** Nothing is there but what was there before. */
async function expectRoom(machine: Machine, before: Room): Promise<void> {
  expect((await room(machine)).volumes).toBe(before.volumes);
  const more = async (): Promise<number> => (await room(machine)).usedBytes - before.usedBytes;
  await expect.poll(more, { timeout: 120_000 }).toBeLessThan(MOST_LEFT_BYTES);
  console.log(`${((await more()) / MEBIBYTE).toFixed(1)} MiB more in use than before`);
}

function open(context: BrowserContext, store: string): Promise<Machine> {
  const [page] = context.pages();
  if (page === undefined) throw new Error('the browser has no page');
  return openMachine(page, `boot=stored&storage=${store}`);
}

for (const store of ['indexeddb', 'opfs'] as const)
  base(`gigabytes come in and go out, on ${store}`, async ({ baseURL, launchOptions }) => {
    const directory = mkdtempSync(join(tmpdir(), 'webxen-transfer-'));
    if (!hasQemuImg) console.log('there is no qemu-img: qcow2 images are made and read by the code of the project alone');
    try {
      const files = await makeFiles(directory);
      const context = await chromium.launchPersistentContext(join(directory, 'profile'), {
        ...launchOptions,
        baseURL: baseURL ?? '',
      });
      let machine = await open(context, store);
      const before = await room(machine);
      idleBytes = browserMemoryBytes();

      await choose(machine, files.raw);
      await expect.poll(() => progress(machine, 'large.img'), { timeout: TRANSFER_MS }).toBeGreaterThan(0.3);
      console.log(`cut off at ${await progress(machine, 'large.img')}, with ${await machine.run('storage | grep volumes')}`);
      machine = await open(context, store);
      await expectRoom(machine, before);

      await importChosen(machine, files.raw, 'large');
      await checkSum(machine, 'large', RAW_BYTES, files.rawSum);
      await importChosen(machine, files.qcow2, 'many');
      await checkSum(machine, 'many', QCOW2_DISK_BYTES, files.qcow2Sum);

      const exported = join(directory, 'exported');
      await exportTo(machine, 'large', 'raw', exported);
      expect(spawnSync('cmp', [files.raw, exported], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '' });
      await exportTo(machine, 'large', 'qcow2', exported);
      await compareQcow2(exported, files.raw);
      expect(statSync(exported).size).toBeLessThan(RAW_NOISE_BYTES * 1.1);

      // After a restart they are still there, and their room comes back with their end.
      machine = await open(context, store);
      await checkSum(machine, 'large', RAW_BYTES, files.rawSum);
      await machine.run('lvremove -f images/large images/many');
      await expectRoom(machine, before);
      await context.close();
    } finally {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  });
