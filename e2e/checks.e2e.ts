/**
 * Programs of a stock distribution (bash, coreutils, openssl, python3, perl) print in a guest what they print on a real CPU. The
 * checks and what they print are made by `npm run images -- tests`, which runs them in a chroot of the same ramdisk.
 */
import { readFileSync } from 'node:fs';
import { complaints } from './support/boot-log.ts';
import { EXPECTED_COMPLAINTS } from './support/explained-differences.ts';
import { expect, test } from './support/machine.ts';

/** Checks in which a program is meant to be ended by a fault. */
const PROBES = /segfault at/;
const CHECKS_MS = 1_500_000;

/** "## name", then output, then "=> status": by name. */
function parse(text: string): Map<string, string> {
  const checks = new Map<string, string>();
  for (const block of text.split(/^## /m).slice(1)) {
    const end = block.indexOf('\n');
    checks.set(block.slice(0, end), block.slice(end + 1));
  }
  return checks;
}

test('programs of Debian give the same output as on a real CPU', async ({ machine }) => {
  test.setTimeout(1_800_000);
  const expected = parse(readFileSync('build/test-images/checks-expected.txt', 'utf8'));
  expect(expected.size).toBeGreaterThan(50);
  // Each check says how it ended; the last mark ends the whole.
  expect([...expected].filter(([name, text]) => name !== 'end' && !/=> \d+\n$/.test(text))).toEqual([]);

  await machine.fetchTestImage('initrd.img-checks', '/root/initrd.img-checks');
  await machine.configure('checks', { ramdisk: '/root/initrd.img-checks', memory: 512, vcpus: 2, kernel: '/boot/vmlinuz-cloud' });
  await machine.run('xm create checks');
  await machine.login('checks');
  // What the kernel has to say (of a host that is busy, say) is for its own log, not for the middle of the output.
  expect((await machine.guest('checks', 'dmesg -n 1')).exitCode).toBe(0);
  // Through a pipe, as on the other side: some programs write otherwise to a terminal.
  const { output } = await machine.guest('checks', '/checks/run-checks | cat', CHECKS_MS);
  const seen = parse(output);
  for (const [name, text] of expected) expect.soft(seen.get(name), name).toBe(text);
  expect([...seen.keys()]).toEqual([...expected.keys()]);
  expect(complaints((await machine.guest('checks', 'dmesg')).output, [...EXPECTED_COMPLAINTS, PROBES])).toEqual([]);
});
