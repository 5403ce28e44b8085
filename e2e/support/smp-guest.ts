/** A guest with several vCPUs that has the programs of e2e/programs at its root, and what is asked of it. */
import { complaints } from './boot-log.ts';
import { EXPECTED_COMPLAINTS } from './explained-differences.ts';
import { compilePrograms, ramdiskWith } from './guest-programs.ts';
import { expect, type Machine } from './machine.ts';

const BOOT_MS = 300_000;

/** Boots domain `name` and logs in. */
export async function bootSmpGuest(machine: Machine, name: string, vcpus: number, memory = 256): Promise<void> {
  await machine.write('/root/initrd-smp', ramdiskWith(compilePrograms(['e2e/programs/locks.c', 'e2e/programs/litmus.c'])));
  await machine.configure(name, { kernel: '/boot/vmlinuz-cloud', ramdisk: '/root/initrd-smp', vcpus, memory });
  await machine.run(`xm create ${name}`);
  await machine.login(name, BOOT_MS);
  expect((await machine.guest(name, 'nproc')).output).toBe(`${vcpus}\n`);
}

/**
 * The locking stress, and at the same time: text patching on all CPUs (a static key, switched by a sysctl), and a CPU taken down and brought up again, for which the kernel stops the machine.
 */
export async function stressLocks(machine: Machine, name: string, threads: number, rounds: number, limitMs: number): Promise<void> {
  const disturb =
    'while [ -e /tmp/locks ]; do for f in 1 0; do echo $f > /proc/sys/kernel/sched_schedstats; done; ' +
    'echo 0 > /sys/devices/system/cpu/cpu1/online; echo 1 > /sys/devices/system/cpu/cpu1/online; sleep 0.2; done';
  const { output } = await machine.guest(
    name,
    // Its report is shown when the kernel has nothing more to say that could come between.
    `touch /tmp/locks; (${disturb}) & /locks ${threads} ${rounds} > /tmp/report; rm /tmp/locks; wait; cat /tmp/report`,
    limitMs,
  );
  expect(output.split('\n').filter((line) => / wrong/.test(line))).toEqual([]);
  expect(output).toMatch(/^locks passed$/m);
  const notices = [...EXPECTED_COMPLAINTS, /smpboot: CPU \d+ is now offline|CPU\d+: .*APIC id mismatch/];
  expect(complaints((await machine.guest(name, 'dmesg')).output, notices)).toEqual([]);
}

/** Each litmus test for so many seconds; no forbidden outcome. The program's report. */
export async function orderMemory(machine: Machine, name: string, seconds: number): Promise<string> {
  const { output } = await machine.guest(name, `/litmus ${seconds}`, 60_000 + seconds * 30_000);
  expect(output.split('\n').filter((line) => /^[^:]+: [1-9]\d* of \d+ forbidden/.test(line))).toEqual([]);
  expect(output).toMatch(/^litmus passed$/m);
  return output;
}
