/**
 * Ten minutes of processes, pipes, maps, signals, threads and files in a guest with two CPUs, and in one with four: seed after seed the same program
 * (/checks/run-mix of the tests' ramdisk) runs in the guest and, on this machine's CPU, in a chroot of the same ramdisk.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readCpio } from '../scripts/images/cpio.ts';
import { plant } from '../scripts/images/ramdisk.ts';
import { runInTree } from '../scripts/images/test-ramdisk.ts';
import { complaints } from './support/boot-log.ts';
import { EXPECTED_COMPLAINTS } from './support/explained-differences.ts';
import { expect, test } from './support/machine.ts';

const RAMDISK = 'build/test-images/initrd.img-checks';
const ROOT = 'build/soak-root';
const MINUTES = 10;
const OPERATIONS = 40;
const BOOT_MS = 180_000;
const MIX_MS = 300_000;

/** The mix ends processes by faults on purpose; the kernel notes those, in the log only. */
const ON_PURPOSE = /^(run-mix\[\d+\]: segfault at|Code: |traps: run-mix\[\d+\] general protection fault)/;

for (const vcpus of [2, 4])
  test(`ten minutes of mixed work on ${vcpus} virtual CPUs give what a real CPU gives`, async ({ machine }) => {
    rmSync(ROOT, { recursive: true, force: true });
    mkdirSync(ROOT, { recursive: true });
    plant(readCpio(gunzipSync(readFileSync(RAMDISK))), ROOT);

    await machine.fetchTestImage('initrd.img-checks', '/root/initrd.img-checks');
    await machine.configure('mixes', { ramdisk: '/root/initrd.img-checks', kernel: '/boot/vmlinuz-cloud', memory: 512, vcpus });
    await machine.run('xm create mixes');
    await machine.login('mixes', BOOT_MS);
    // They stay in the log, which is looked at in the end.
    await machine.guest('mixes', 'dmesg -n 1');

    const end = performance.now() + MINUTES * 60_000;
    let seed = 0;
    for (; performance.now() < end || seed < 2; seed++) {
      const expected = runInTree(ROOT, ['/usr/bin/python3', '/checks/run-mix', String(seed), String(OPERATIONS)]).toString('utf8');
      const { output } = await machine.guest('mixes', `/checks/run-mix ${seed} ${OPERATIONS} 2>&1 | cat`, MIX_MS);
      expect(output, `seed ${seed}`).toBe(expected);
      console.log(`seed ${seed}: ${OPERATIONS} operations, the same`);
    }
    const { output } = await machine.guest('mixes', 'dmesg');
    expect(complaints(output, [...EXPECTED_COMPLAINTS, ON_PURPOSE])).toEqual([]);
    // Nothing of all that is still there.
    expect((await machine.guest('mixes', 'ps | grep -c "[r]un-mix"')).output).toBe('0\n');
    rmSync(ROOT, { recursive: true, force: true });
  });
