/** `npm run soak`: two vCPUs in one guest with everything translated at once, which takes minutes of compiling. */
import { missingCompiler } from './support/guest-programs.ts';
import { expect, openMachine, test } from './support/machine.ts';
import { bootSmpGuest, orderMemory, stressLocks } from './support/smp-guest.ts';

const missing = missingCompiler();
test.skip(missing !== undefined, missing ?? '');

test('two vCPUs with everything translated at once', async ({ page }) => {
  const machine = await openMachine(page, 'boot=memory&hypervisor=translator=eager');
  await bootSmpGuest(machine, 'two', 2);
  for (const { instructionsInterpreted, instructionsTranslated } of await machine.counters('two'))
    expect(instructionsTranslated / (instructionsTranslated + instructionsInterpreted)).toBeGreaterThan(0.3);
  await orderMemory(machine, 'two', 5);
  await stressLocks(machine, 'two', 3, 512, 1_800_000);
});
