/** Several vCPUs in one guest: locks, memory order, patched code, and more vCPUs than the host has processors. */
import { missingCompiler } from './support/guest-programs.ts';
import { bootSmpGuest, orderMemory, stressLocks } from './support/smp-guest.ts';
import { expect, openMachine, test } from './support/machine.ts';

const missing = missingCompiler();
test.skip(missing !== undefined, missing ?? '');
test.setTimeout(600_000);

test('two vCPUs keep x86 order, and locks hold while code is patched and a CPU goes', async ({ machine }) => {
  await bootSmpGuest(machine, 'two', 2);
  await orderMemory(machine, 'two', 0.2);
  await stressLocks(machine, 'two', 4, 2000, 240_000);
});

test('32 vCPUs boot, and locks hold', async ({ machine }) => {
  await bootSmpGuest(machine, 'many', 32, 512);
  await stressLocks(machine, 'many', 32, 512, 300_000);
});

test('two vCPUs with the translator off', async ({ page }) => {
  const machine = await openMachine(page, 'boot=memory&hypervisor=translator=off');
  await bootSmpGuest(machine, 'two', 2);
  for (const { instructionsTranslated } of await machine.counters('two')) expect(instructionsTranslated).toBe(0);
  await stressLocks(machine, 'two', 3, 512, 240_000);
});

test('two vCPUs whose memory accesses fences keep in order', async ({ page }) => {
  const machine = await openMachine(page, 'boot=memory&hypervisor=memory-order=strict');
  expect(await machine.run('xm dmesg')).toContain('Fences keep the memory accesses of guests in order');
  await bootSmpGuest(machine, 'two', 2);
  await orderMemory(machine, 'two', 0.2);
  await stressLocks(machine, 'two', 3, 512, 240_000);
});
