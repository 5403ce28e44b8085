/** Fifty times a domain is made, begins to speak, and is destroyed: neither workers nor memory may grow. */
import { browserMemoryBytes } from './support/browser-memory.ts';
import { expect, test } from './support/machine.ts';

const ROUNDS = 50;
/** The round after which all that is kept for later use is there. */
const SETTLED = 5;
const GROWTH_BYTES = 64 << 20;
const MIB = 1 << 20;

test('fifty rounds of create and destroy leave workers and memory as they were', async ({ machine }) => {
  await machine.configure('round', { memory: 256, vcpus: 2 });
  const before = await machine.holdings();
  const memory: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await machine.run('xm create round');
    await machine.waitFor('round', 'Linux version', 60_000);
    await machine.run('xm destroy round');
    await machine.expectNothingLeft(before);
    memory.push(browserMemoryBytes());
    console.log(`round ${round}: ${(memory.at(-1) / MIB).toFixed(0)} MiB, ${machine.page.workers().length} workers`);
  }
  // What is free but not yet given back counts as long as the browser holds it; it is given some time to do so.
  const limit = memory[SETTLED - 1]! + GROWTH_BYTES;
  await expect
    .poll(browserMemoryBytes, { timeout: 60_000, intervals: [1000], message: 'resident memory of the browser, bytes' })
    .toBeLessThanOrEqual(limit);
  await machine.expectNothingLeft(before);
});
