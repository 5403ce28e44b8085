/**
 * Programs of a stock distribution (bash, coreutils, openssl, python3, perl) print in a guest what they print on a real CPU. The
 * checks and what they print are made by `npm run images -- tests`.
 */
import { readFileSync } from 'node:fs';
import { expect, openMachine, test as base, type Machine } from './support/machine.ts';

const BOOT_MS = 180_000;
const CHECK_MS = 120_000;

/** "## name", then output, then "=> status": by name. */
function parse(text: string): Map<string, string> {
  const checks = new Map<string, string>();
  for (const block of text.split(/^## /m).slice(1)) {
    const end = block.indexOf('\n');
    checks.set(block.slice(0, end), block.slice(end + 1));
  }
  checks.delete('end');
  return checks;
}

const expected = parse(readFileSync('build/test-images/checks-expected.txt', 'utf8'));

/** One guest for all checks: booted once, given each check by its number. */
const test = base.extend<object, { guest: Machine }>({
  guest: [
    async ({ browser }, use) => {
      const page = await browser.newPage();
      const machine = await openMachine(page);
      await page.evaluate(async () => {
        const response = await fetch('/test-images/initrd.img-checks');
        if (!response.ok) throw new Error(`initrd.img-checks: ${response.status}`);
        await xen.writeFile('/root/initrd.img-checks', new Uint8Array(await response.arrayBuffer()));
        await xen.writeFile(
          '/etc/xen/checks',
          'kernel = "/boot/vmlinuz-cloud"\nramdisk = "/root/initrd.img-checks"\nmemory = 512\nname = "checks"\nextra = "console=hvc0"\n',
        );
      });
      await machine.run('xm create checks');
      await machine.login('checks', BOOT_MS);
      // The kernel must not write between the lines of a check.
      await machine.guest('checks', 'dmesg -n 1');
      await use(machine);
      await page.close();
    },
    { scope: 'worker', timeout: BOOT_MS + 60_000 },
  ],
});

let number = 0;
for (const [name, output] of expected) {
  number += 1;
  const check = number;
  test(`check ${check}: ${name}`, async ({ guest }) => {
    const result = await guest.guest('checks', `/checks/run-checks ${check}`, CHECK_MS);
    expect(parse(result.output).get(name)).toBe(output);
  });
}
