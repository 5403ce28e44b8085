/**
 * `npm run bench`: how fast a booted guest runs integer loops, and how long a boot takes beside QEMU's translator with the same
 * kernel and ramdisk, taking turns. Measures and reports; what is asserted is that the guest computed rightly.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { writeCpio } from '../scripts/images/cpio.ts';
import { median, record, table } from './support/bench-report.ts';
import { expect, openMachine, retired, test, type Machine } from './support/machine.ts';
import { qemuBootMs } from './support/qemu.ts';
import { siteImage } from './support/site-images.ts';

const BOOT_MS = 300_000;
const LOOP_MS = 300_000;
const ROUNDS = 3;
/** The first line of the guest's own programs. */
const FIRST_LINE = 'Log in as root';

/** Rounds of each loop, for some 300 million instructions. */
const LOOPS: Readonly<Record<string, number>> = {
  sieve: 300,
  crc: 1000,
  sort: 400,
  matrix: 160,
  search: 900,
  mix: 12_000_000,
  calls: 35,
};

/** The loops where there is no compiler: in the language of the guest's awk and shell, whose interpreters are what is measured then. */
const SCRIPTS: Readonly<Record<string, string>> = {
  awk: "awk 'BEGIN { for (i = 0; i < 300000; i++) s = (s * 31 + i) % 65521; print s }'",
  shell: 'i=0; s=0; while [ $i -lt 60000 ]; do s=$(((s * 31 + i) & 65535)); i=$((i + 1)); done; echo $s',
};

/** Compiles the loops for the guest; undefined without a compiler. */
function compiledLoops(): string | undefined {
  if (spawnSync('gcc', ['--version']).status !== 0) return undefined;
  mkdirSync('build/bench', { recursive: true });
  const flags = ['-O2', '-static', '-march=x86-64', '-fno-tree-vectorize'];
  execFileSync('gcc', [...flags, '-o', 'build/bench/loops', 'e2e/bench/loops.c'], { stdio: 'inherit' });
  return 'build/bench/loops';
}

/** The cloud ramdisk with the loops behind it: the kernel unpacks archives one after the other. */
function ramdiskWith(program: string | undefined): Uint8Array {
  const ramdisk = readFileSync(siteImage('initrd.img-cloud'));
  if (program === undefined) return ramdisk;
  const archive = writeCpio([{ kind: 'file', path: 'loops', mode: 0o755, content: readFileSync(program) }]);
  return Buffer.concat([ramdisk, new Uint8Array(-ramdisk.length & 3), gzipSync(archive)]);
}

/** Runs a command in the guest; instructions and nanoseconds it took, and what it printed. */
async function measured(
  machine: Machine,
  command: string,
): Promise<{ instructions: number; ns: number; translated: number; output: string }> {
  const reading = (): Promise<{ retired: number; translated: number; ns: number }> =>
    machine.counters('bench').then((all) => ({
      retired: all.reduce((sum, counters) => sum + retired(counters), 0),
      translated: all.reduce((sum, counters) => sum + counters.instructionsTranslated, 0),
      ns: all.reduce((sum, counters) => sum + counters.runningNs, 0),
    }));
  const before = await reading();
  const { output } = await machine.guest('bench', command, LOOP_MS);
  const after = await reading();
  return {
    instructions: after.retired - before.retired,
    translated: after.translated - before.translated,
    ns: after.ns - before.ns,
    output,
  };
}

test('instructions a second on integer loops', async ({ machine, browser }) => {
  test.setTimeout(BOOT_MS + LOOP_MS * 8);
  const program = compiledLoops();
  await machine.write('/root/initrd-bench', ramdiskWith(program));
  await machine.configure('bench', { ramdisk: '/root/initrd-bench', kernel: '/boot/vmlinuz-cloud' });
  await machine.run('xm create bench');
  await machine.login('bench', BOOT_MS);

  const commands =
    program === undefined
      ? SCRIPTS
      : Object.fromEntries(Object.entries(LOOPS).map(([name, rounds]) => [name, `/loops ${name} ${rounds}`]));
  const results: { loop: string; instructions: number; seconds: number; mips: number; translated: number }[] = [];
  for (const [loop, command] of Object.entries(commands)) {
    // Once for the processor's caches of decoded and translated code and for the browser's compiler, then in earnest.
    await measured(machine, command);
    const { instructions, ns, translated, output } = await measured(machine, command);
    if (program !== undefined) expect(output).toBe(execFileSync(program, command.split(' ').slice(1), { encoding: 'utf8' }));
    results.push({ loop, instructions, seconds: ns / 1e9, mips: (instructions / ns) * 1e3, translated: translated / instructions });
  }
  const all = results.reduce(
    (sum, result) => ({ instructions: sum.instructions + result.instructions, seconds: sum.seconds + result.seconds }),
    {
      instructions: 0,
      seconds: 0,
    },
  );
  const mips = all.instructions / all.seconds / 1e6;
  record('loops', { kind: program === undefined ? 'scripts' : 'compiled', results, mips }, browser.version());
  console.log(
    `\n${table([
      ['loop', 'million instructions', 'seconds', 'million a second', 'translated'],
      ...results.map((result) => [
        result.loop,
        (result.instructions / 1e6).toFixed(0),
        result.seconds.toFixed(2),
        result.mips.toFixed(0),
        `${(result.translated * 100).toFixed(0)} %`,
      ]),
      ['all', (all.instructions / 1e6).toFixed(0), all.seconds.toFixed(2), mips.toFixed(0), ''],
    ])}\n`,
  );
});

test('seconds from xm create to the first line of init, beside QEMU', async ({ browser }) => {
  test.setTimeout(BOOT_MS * ROUNDS * 2);
  const here: number[] = [];
  const instructions: number[] = [];
  const qemu: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // A page of its own for each boot: nothing is warm but the files.
    const page = await browser.newPage();
    const machine = await openMachine(page);
    await machine.configure('boot', { memory: 256, extra: 'console=hvc0' });
    await page.evaluate(() =>
      Promise.all([xen.readFile('/boot/vmlinuz-cloud'), xen.readFile('/boot/initrd.img-cloud')]).then(() => undefined),
    );
    const took = await page.evaluate(
      async ([line, limit]) => {
        const began = performance.now();
        const created = await xen.exec('xm create boot');
        if (created.exitCode !== 0) throw new Error(created.stderr);
        await xen.console('boot').waitFor(line, limit);
        return performance.now() - began;
      },
      [FIRST_LINE, BOOT_MS] as const,
    );
    here.push(took / 1000);
    instructions.push((await machine.counters('boot')).reduce((sum, counters) => sum + retired(counters), 0));
    await page.close();

    const kernel = siteImage('vmlinuz-cloud');
    const ramdisk = siteImage('initrd.img-cloud');
    qemu.push((await qemuBootMs({ kernel, ramdisk, memoryMiB: 256, until: FIRST_LINE, limitMs: BOOT_MS })) / 1000);
  }
  const ratio = median(here) / median(qemu);
  record('boot', { here, qemu, instructions, medianHere: median(here), medianQemu: median(qemu), ratio }, browser.version());
  const seconds = (values: readonly number[]): string[] => [...values, median(values)].map((value) => value.toFixed(2));
  console.log(
    `\n${table([
      ['seconds to the first line', ...here.map((_, round) => `round ${round + 1}`), 'median'],
      ['webxen', ...seconds(here)],
      ['qemu-system-x86_64 -accel tcg', ...seconds(qemu)],
      ['instructions here (millions)', ...[...instructions, median(instructions)].map((count) => (count / 1e6).toFixed(0))],
    ])}\nwebxen takes ${ratio.toFixed(2)} times QEMU's time\n`,
  );
  expect(here).toHaveLength(ROUNDS);
});
