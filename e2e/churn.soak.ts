/**
 * `npm run soak`: a guest that writes new functions and runs them until they are translated, on two vCPUs for WEBXEN_SOAK_MINUTES (60
 * by default): what they compute stays right, and the browser's memory bounded, as what was translated is given back.
 */
import { browserMemoryBytes } from './support/browser-memory.ts';
import { compilePrograms, missingCompiler, ramdiskWith } from './support/guest-programs.ts';
import { expect, test } from './support/machine.ts';

const MINUTES = Number(process.env['WEBXEN_SOAK_MINUTES'] ?? 60);
const BOOT_MS = 300_000;
const SAMPLE_MS = 10_000;
const MEBIBYTE = 2 ** 20;
/** What the browser may take beyond what it had when the guest was at its login: the regions that may be kept, and garbage of as many. */
const MOST_MEBIBYTES = 700;

const missing = missingCompiler();
test.skip(missing !== undefined, missing ?? '');

test('a guest that goes on making new code', async ({ machine }) => {
  await machine.write('/root/initrd-churn', ramdiskWith(compilePrograms(['e2e/programs/churn.c'])));
  await machine.configure('churn', { kernel: '/boot/vmlinuz-cloud', ramdisk: '/root/initrd-churn', vcpus: 2 });
  await machine.run('xm create churn');
  await machine.login('churn', BOOT_MS);
  const seconds = Math.round(MINUTES * 60);
  const before = browserMemoryBytes() / MEBIBYTE;
  const began = Date.now();
  let running = true;
  const command = `(/churn ${seconds} > /tmp/other; echo other $?; tail -n 1 /tmp/other) & /churn ${seconds}; echo this $?; wait`;
  const result = machine.guest('churn', command, (seconds + 600) * 1000).finally(() => {
    running = false;
  });
  const taken: number[] = [];
  while (running) {
    await Promise.race([result, machine.page.waitForTimeout(SAMPLE_MS)]);
    taken.push(browserMemoryBytes() / MEBIBYTE - before);
    console.log(`${Math.round((Date.now() - began) / 1000)} s: ${before.toFixed(0)} + ${taken.at(-1)?.toFixed(0)} MiB`);
  }
  const { output } = await result;
  console.log(output);
  expect(output).toMatch(/^other 0$/m);
  expect(output).toMatch(/^this 0$/m);
  expect(output.match(/^churn passed: \d+ functions$/gm)).toHaveLength(2);
  // Where the host is busy, the thread that translates lags behind functions that are given up again; half of all and more else.
  for (const { instructionsTranslated, instructionsInterpreted } of await machine.counters('churn'))
    expect(instructionsTranslated / (instructionsTranslated + instructionsInterpreted)).toBeGreaterThan(0.1);
  expect(Math.max(...taken)).toBeLessThan(MOST_MEBIBYTES);
});
