/**
 * `npm run soak -- disks`: the browser is killed at random moments while a guest works on a small database in an ext4 file system
 * on its disk (images/disks/records) and files of domain 0's are written and synced. After a restart every record and file that
 * was acknowledged is there, and e2fsck in the guest finds no damage. On both stores. WEBXEN_SOAK_ROUNDS says how often, 100 times
 * each unless told otherwise.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, test as base, type BrowserContext } from '@playwright/test';
import { expect, openMachine, type Machine } from './support/machine.ts';
import { diskProgramsRamdisk } from './support/site-images.ts';

const ROUNDS = Number(process.env['WEBXEN_SOAK_ROUNDS'] ?? 100);

/** Processes of the browser that has its profile in this directory. */
function browserProcesses(profile: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--user-data-dir=${profile}`);
      } catch {
        // It ended between the listing and the look.
        return false;
      }
    })
    .map(Number);
}

/** Leaves the browser no chance to finish anything. */
function kill(profile: string): void {
  for (const pid of browserProcesses(profile)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Went with its parent.
    }
  }
}

const STORES = ['indexeddb', 'opfs'] as const;
/** A guest that has to read its ramdisk and boot, beside others. */
const BOOT_MS = 300_000;
const CHECK_MS = 600_000;
async function open(context: BrowserContext, store: string): Promise<Machine> {
  return openMachine(context.pages()[0] ?? (await context.newPage()), `boot=stored&storage=${store}`);
}

async function prepareMachine(machine: Machine): Promise<void> {
  await machine.run('pvcreate /dev/sda10 && vgcreate vg /dev/sda10 && lvcreate -L 128M -n soak vg');
  await machine.write('/root/initrd', diskProgramsRamdisk());
  await machine.configure('soak', { kernel: '/boot/vmlinuz-cloud', ramdisk: '/root/initrd', memory: 384 });
  await machine.run(`echo 'disk = [ "phy:vg/soak,xvda,w" ]' >> /etc/xen/soak; mkdir /root/kept; sync`);
  await startGuest(machine);
  await inGuest(machine, 'mkfs.ext4 -q /dev/xvda && mount -t ext4 /dev/xvda /disk && mkdir /disk/base && umount /disk');
  await machine.run('xm destroy soak');
}

async function startGuest(machine: Machine): Promise<void> {
  await machine.run('xm create soak');
  await machine.login('soak', BOOT_MS);
  await machine.guest('soak', 'dmesg -n 1; mkdir -p /disk');
}

/** Runs commands in the guest that must all succeed; what they printed. */
async function inGuest(machine: Machine, command: string): Promise<string> {
  const { exitCode, output } = await machine.guest('soak', `(set -e; ${command})`, CHECK_MS);
  expect(exitCode, output).toBe(0);
  return output;
}

/** Records that the guest's disk has, of which `acknowledged` must be among them; the file system is whole. */
async function checkGuest(machine: Machine, acknowledged: number): Promise<number> {
  await inGuest(machine, 'mount -t ext4 /dev/xvda /disk');
  let more = 0;
  if (acknowledged > 0) {
    const output = await inGuest(machine, `/disks/records check /disk/base ${acknowledged}`);
    expect(output).toContain(`all of ${acknowledged} are there, and `);
    more = Number(/and (\d+) more/.exec(output)?.[1]);
  }
  await inGuest(machine, 'umount /disk && e2fsck -fn /dev/xvda && mount -t ext4 /dev/xvda /disk');
  return acknowledged + more;
}

/** Files of domain 0 that a test writes one after the other: file n holds its number so many times. */
const KEPT_FILES = 40;
const keptText = (number: number): string => `${number} `.repeat(1 + ((number * 7919) % 30_000));

/**
 * Writes files from `first` on, each synced before it counts, for as long as the page lives; each also becomes /root/kept/newest
 * by a rename, and old ones are removed.
 */
async function keepFiles(machine: Machine, first: number): Promise<void> {
  await machine.page.evaluate(
    ([from, files]) => {
      const text = (number: number): string => `${number} `.repeat(1 + ((number * 7919) % 30_000));
      const page = window as unknown as { kept: number };
      page.kept = from - 1;
      const work = async (): Promise<void> => {
        for (let number = from; ; number += 1) {
          await xen.writeFile(`/root/kept/${number}`, text(number));
          await xen.writeFile('/root/kept/new', text(number));
          await xen.exec(`mv /root/kept/new /root/kept/newest; rm -f /root/kept/${number - files}; sync`);
          page.kept = number;
        }
      };
      void work();
    },
    [first, KEPT_FILES] as const,
  );
}

async function checkFiles(machine: Machine, acknowledged: number): Promise<void> {
  if (acknowledged === 0) return;
  const newest = await machine.run('cat /root/kept/newest');
  const last = Number(newest.split(' ')[0]);
  expect(last).toBeGreaterThanOrEqual(acknowledged);
  expect(newest).toBe(keptText(last));
  const names = (await machine.run('ls /root/kept')).trim().split(/\s+/);
  // Those before it may have been removed already, since more was done than was acknowledged.
  for (let number = Math.max(1, last - KEPT_FILES + 2); number <= acknowledged; number += 1) {
    expect(names).toContain(String(number));
    expect(await machine.run(`cat /root/kept/${number}`), `file ${number}`).toBe(keptText(number));
  }
  // Nothing but what was being written; every file can be read.
  const unknown = names.filter((name) => !/^(new|newest|\d+)$/.test(name));
  expect(unknown).toEqual([]);
  await machine.run('cat /root/kept/* > /dev/null && du /root/kept');
}

for (const store of STORES)
  base(`what was acknowledged survives the browser being killed, on ${store}`, async ({ baseURL, launchOptions }) => {
    const profile = mkdtempSync(join(tmpdir(), 'webxen-soak-'));
    let [records, files] = [0, 0];
    try {
      for (let round = 0; round <= ROUNDS; round += 1) {
        const context = await chromium.launchPersistentContext(profile, { ...launchOptions, baseURL: baseURL ?? '' });
        const machine = await open(context, store);
        if (round === 0) await prepareMachine(machine);
        await checkFiles(machine, files);
        await startGuest(machine);
        records = await checkGuest(machine, records);
        if (round === ROUNDS) {
          await context.close();
          break;
        }
        await machine.send('soak', `/disks/records write /disk/base ${records + 1}\r`);
        await keepFiles(machine, files + 1);
        await machine.waitFor('soak', `acknowledged ${records + 1}`, 60_000);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5000));
        const kept = await machine.page.evaluate(() => (window as unknown as { kept: number }).kept);
        const text = await machine.text('soak');
        kill(profile);
        await context.close().catch(() => undefined);
        // Later ones may have been acknowledged as well; these have been for certain.
        records = Math.max(records, ...[...text.matchAll(/acknowledged (\d+)\r?\n/g)].map(([, number]) => Number(number)));
        files = Math.max(files, kept);
        console.log(`${store}, round ${round + 1}: ${records} records, ${files} files`);
      }
    } finally {
      kill(profile);
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  });
