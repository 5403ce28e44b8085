/** One guest with two virtual CPUs through the commands of xm: list, pause, memory, CPUs, console, reboot, shutdown. */
import { createHash } from 'node:crypto';
import { MINIMUM_RESTART_INTERVAL_MS } from '../src/engine/toolstack/xend/lifecycle.ts';
import { expect, GUEST_MS, retired, test as base, openMachine, type Machine } from './support/machine.ts';

/** A guest for all tests of this file that leave it running. */
const test = base.extend<object, { guest: Machine }>({
  guest: [
    async ({ browser }, use) => {
      const page = await browser.newPage();
      const machine = await openMachine(page, 'boot=memory&columns=100&rows=30');
      await machine.configure('life', { memory: 256, maxmem: 320, vcpus: 2 });
      expect(await machine.run('xm create life')).toBe('Using config file "/etc/xen/life".\nStarted domain life\n');
      await machine.login('life');
      await use(machine);
      await page.close();
    },
    { scope: 'worker', timeout: 900_000 },
  ],
});

/** An i386 executable of Linux that exits with 42. */
function program32(): Uint8Array {
  const base = 0x08048000;
  const [header, programHeader] = [52, 32];
  const code = [0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80];
  const size = header + programHeader + code.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  [2, 3].forEach((value, index) => view.setUint16(16 + 2 * index, value, true));
  [1, base + header + programHeader, header].forEach((value, index) => view.setUint32(20 + 4 * index, value, true));
  [header, programHeader, 1].forEach((value, index) => view.setUint16(40 + 2 * index, value, true));
  [1, 0, base, base, size, size, 5, 4096].forEach((value, index) => view.setUint32(header + 4 * index, value, true));
  bytes.set(code, header + programHeader);
  return bytes;
}

const memoryTotal = async (machine: Machine): Promise<number> =>
  Number((await machine.guest('life', "awk '/^MemTotal/ { print $2 }' /proc/meminfo")).output) / 1024;

test('xm list, domid, domname and uptime know it', async ({ guest }) => {
  const text = await guest.run('xm list');
  expect(text.split('\n')[0]).toBe('Name                              ID Mem(MiB) VCPUs State  Time(s)');
  expect(text).toMatch(/^life {29} +\d+ +256 +2 [r-][b-]---- +\d+\.\d$/m);
  const domid = (await guest.run('xm domid life')).trim();
  expect(await guest.run(`xm domname ${domid}`)).toBe('life\n');
  expect(await guest.run(`xl list life`)).toContain(`life                               ${domid} `);
  const long = await guest.run('xm list -l life');
  for (const entry of [`(domid ${domid})`, '(vcpus 2)', '(memory 256)', '(maxmem 320)', '(name life)', '(on_crash restart)'])
    expect(long).toContain(entry);
  expect(await guest.run('xm uptime life')).toMatch(/^life +\d+ +\d+:\d\d:\d\d$/m);
  expect(await guest.run('xm info')).toMatch(/^total_memory {11}: \d+$/m);
  expect(await guest.run('xm list nobody || echo failed')).toBe('failed\n');
});

test('xm vcpu-list shows both, and both have run', async ({ guest }) => {
  const rows = (await guest.run('xm vcpu-list life')).trim().split('\n');
  expect(rows[0]).toBe('Name                              ID  VCPU  CPU  State  Time(s)  CPU Affinity');
  expect(rows.slice(1).map((row) => row.split(/ +/)[2])).toEqual(['0', '1']);
  for (const row of rows.slice(1)) expect(row).toMatch(/ (r--|-b-) +\d+\.\d +any cpu$/);
  for (const counters of await guest.counters('life')) expect(retired(counters)).toBeGreaterThan(1_000_000);
});

test('a paused domain stands still and goes on afterwards', async ({ guest }) => {
  await guest.send('life', 'while :; do :; done &\r');
  await guest.run('xm pause life');
  expect(await guest.state('life')).toBe('--p---');
  const count = async (): Promise<number> => (await guest.counters('life')).reduce((sum, counters) => sum + retired(counters), 0);
  const still = await count();
  await guest.send('life', 'echo after-""pause\r');
  await guest.page.waitForTimeout(1500);
  expect(await count()).toBe(still);
  expect(await guest.text('life')).not.toContain('after-pause');
  await guest.run('xm unpause life');
  // What was typed meanwhile is read now.
  await guest.waitFor('life', 'after-pause');
  expect(await count()).toBeGreaterThan(still);
  expect((await guest.guest('life', 'kill $!')).exitCode).toBe(0);
});

test('xm mem-set takes memory away and gives it back', async ({ guest }) => {
  const first = await memoryTotal(guest);
  await guest.run('xm mem-set life 192');
  await expect.poll(() => memoryTotal(guest), { timeout: GUEST_MS }).toBeCloseTo(first - 64, 0);
  expect((await guest.domains())[0]?.memoryMiB).toBe(192);
  expect(await guest.run('xenstore-read /local/domain/$(xm domid life)/memory/target')).toBe(`${192 * 1024}\n`);
  // The memory works: it is filled and read back.
  await guest.run('xm mem-set life 300');
  await expect.poll(() => memoryTotal(guest), { timeout: GUEST_MS }).toBeCloseTo(first + 44, 0);
  const fill = await guest.guest(
    'life',
    'mount -t tmpfs -o size=220m fill /newroot; yes 0123456 | head -c 1048576 > /tmp/block; ' +
      'for n in $(seq 1 190); do cat /tmp/block; done > /newroot/fill; md5sum < /newroot/fill; umount /newroot',
  );
  expect(fill.output).toBe(
    `${createHash('md5')
      .update('0123456\n'.repeat((190 << 20) / 8))
      .digest('hex')}  -\n`,
  );
  expect(await guest.refused('xm mem-set life 321')).toContain('its ceiling (maxmem) is 320 MiB');
  await guest.run('xm mem-set life 256');
  await expect.poll(() => memoryTotal(guest), { timeout: GUEST_MS }).toBeCloseTo(first, 0);
});

test('xm vcpu-set takes a CPU down and up again', async ({ guest }) => {
  const online = async (): Promise<string> => (await guest.guest('life', 'cat /sys/devices/system/cpu/online')).output;
  await guest.run('xm vcpu-set life 1');
  await expect.poll(online, { timeout: GUEST_MS }).toBe('0\n');
  await expect.poll(async () => (await guest.domains())[0]?.vcpus).toBe(1);
  expect(await guest.run('xm vcpu-list life')).toMatch(/^life +\d+ +1 +- +--p/m);
  await guest.run('xm vcpu-set life 2');
  await expect.poll(online, { timeout: GUEST_MS }).toBe('0-1\n');
  // A CPU is online a moment before the kernel lets programs be bound to it (its cpusets are brought up to date by a work queue).
  await expect
    .poll(async () => (await guest.guest('life', 'taskset -c 1 sh -c "seq 1 1000 | sha256sum"')).output, { timeout: GUEST_MS })
    .toContain('67d4ff71d43921d5739f387da09746f405e425b07d727e4c69d029461d1f051f  -\n');
  expect(await guest.refused('xm vcpu-set life 3')).toContain('it was created with 2');
});

test('xm sysrq reaches the kernel', async ({ guest }) => {
  await guest.run('xm sysrq life h');
  await guest.waitFor('life', /sysrq: HELP : .*reboot\(b\)/);
});

test('a 32-bit program is ended by a signal, and xm dmesg says why', async ({ guest }) => {
  await guest.guest('life', `echo ${Buffer.from(program32()).toString('base64')} | base64 -d > /tmp/old; chmod +x /tmp/old`);
  // 128 + SIGSEGV; where it runs it exits with 42.
  expect((await guest.guest('life', '/tmp/old')).exitCode).toBe(139);
  expect((await guest.guest('life', 'echo well')).output).toBe('well\n');
  const domid = (await guest.run('xm domid life')).trim();
  expect(await guest.run('xm dmesg')).toContain(`(XEN) d${domid}: 32-bit code (selector 0x23) is not supported`);
});

test('xm rename gives it another name, in the store too', async ({ guest }) => {
  await guest.run('xm rename life other');
  const domid = (await guest.run('xm domid other')).trim();
  expect(await guest.run(`xenstore-read /local/domain/${domid}/name`)).toBe('other\n');
  expect(await guest.refused('xm domid life')).toBe("Error: Domain 'life' does not exist.");
  await guest.run('xm rename other life');
});

test('xm console in domain 0’s terminal shows the guest and is left by Ctrl+]', async ({ guest }) => {
  const { page } = guest;
  await page.getByRole('tab', { name: 'Domain-0' }).click();
  await page.keyboard.type('xm console life\n');
  await page.keyboard.type('echo typed-"in"-console\n');
  await guest.waitFor('life', 'typed-in-console');
  await expect.poll(() => guest.screen()).toContain('typed-in-console');
  await page.keyboard.press('Control+]');
  await page.keyboard.type('echo back-"in"-dom0 > /root/back\n');
  await expect.poll(async () => (await guest.exec('cat /root/back')).stdout).toBe('back-in-dom0\n');
  expect(await guest.text('life')).not.toContain('back-in-dom0');
});

test('xm create -p makes a domain that has not begun, -q says nothing', async ({ guest }) => {
  await guest.configure('waiting', { memory: 64 });
  expect(await guest.run('xm create -p -q waiting memory=96')).toBe('');
  expect(await guest.state('waiting')).toBe('--p---');
  expect(await guest.run('xm list waiting')).toMatch(/^waiting +\d+ +96 +1 --p--- +0\.0$/m);
  expect((await guest.counters('waiting')).map(retired)).toEqual([0]);
  await guest.run('xm unpause waiting');
  await guest.waitFor('waiting', 'Linux version');
  await guest.run('xm destroy waiting');
  expect((await guest.domains()).map(({ name }) => name)).toEqual(['life']);
});

test('xm reboot and xm shutdown are carried out by the guest', async ({ guest }) => {
  const first = Number(await guest.run('xm domid life'));
  await guest.run('xm reboot life');
  await expect
    .poll(async () => Number((await guest.exec('xm domid life')).stdout) || first, { timeout: GUEST_MS })
    .toBeGreaterThan(first);
  expect(await guest.text(first)).toContain('reboot: Restarting system');
  await guest.login('life');
  const second = Number(await guest.run('xm domid life'));

  // Asked by its own user; and nothing waits for a network that is not there.
  expect((await guest.guest('life', 'ls /sys/class/net; ps | grep -c "[u]dhcpc"')).output).toBe('lo\n0\n');
  // Two restarts within the interval would be taken for a loop, and a fast machine boots in less.
  await guest.page.waitForTimeout(MINIMUM_RESTART_INTERVAL_MS);
  await guest.send('life', 'reboot\r');
  await expect
    .poll(async () => Number((await guest.exec('xm domid life')).stdout) || second, { timeout: GUEST_MS })
    .toBeGreaterThan(second);
  expect(await guest.text(second)).toContain('reboot: Restarting system');
  await guest.waitWhilePrinting('life', 'login: ');
  const third = Number(await guest.run('xm domid life'));
  expect(await guest.run('xm shutdown -w life')).toBe('Domain life terminated\nAll domains terminated\n');
  expect(await guest.domains()).toEqual([]);
  expect(await guest.text(third)).toMatch(/reboot: (System halted|Power down)/);
  expect(await guest.run('xenstore-list /local/domain')).toBe('0\n');
});
