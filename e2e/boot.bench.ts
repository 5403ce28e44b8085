/**
 * `npm run bench`: how long a stock kernel takes from `xm create` to its login, how many guest instructions that is, and how fast
 * programs run in it. Prints a table; fails only when a guest does not work.
 */
import { expect, openMachine, test, type Machine } from './support/machine.ts';

interface Measure {
  what: string;
  seconds: number;
  millionInstructions: number;
  mips: number;
}

async function measured(machine: Machine, what: string, work: () => Promise<unknown>): Promise<Measure> {
  const before = await counted(machine);
  const began = Date.now();
  await work();
  const seconds = (Date.now() - began) / 1000;
  const after = await counted(machine);
  const instructions = after.instructions - before.instructions;
  // Per second of running, not of the clock: a guest that waits for its timer executes nothing.
  const running = (after.runningNs - before.runningNs) / 1e9;
  return {
    what,
    seconds,
    millionInstructions: Math.round(instructions / 1e6),
    mips: Math.round(instructions / 1e6 / Math.max(running, 1e-3)),
  };
}

async function counted(machine: Machine): Promise<{ instructions: number; runningNs: number }> {
  if ((await machine.exec('xm domid demo')).exitCode !== 0) return { instructions: 0, runningNs: 0 };
  const counters = await machine.page.evaluate(() => xen.counters('demo'));
  return {
    instructions: counters.reduce((sum, one) => sum + one.instructionsInterpreted + one.instructionsTranslated, 0),
    runningNs: counters.reduce((sum, one) => sum + one.runningNs, 0),
  };
}

const PROGRAMS: readonly (readonly [string, string])[] = [
  ['sha256sum of 4 MiB', 'head -c 4194304 /dev/zero | sha256sum'],
  ['sort 20,000 numbers', 'seq 20000 | sort -r | tail -n 1'],
  ['shell loop of 20,000', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $i'],
  ['100 processes', 'i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done; echo $i'],
  ['gzip 2 MiB', 'seq 300000 | gzip | wc -c'],
];

test('boot and programs', async ({ page }) => {
  const machine = await openMachine(page);
  const rows: Measure[] = [];
  rows.push(
    await measured(machine, 'xm create to login', async () => {
      await machine.run('xm create demo');
      await machine.waitFor('demo', 'login: ', 300_000);
    }),
  );
  await machine.login('demo');
  for (const [what, command] of PROGRAMS) {
    rows.push(
      await measured(machine, what, async () => {
        expect((await machine.guest('demo', command, 300_000)).exitCode).toBe(0);
      }),
    );
  }
  console.table(rows);
  await machine.run('xm destroy demo');
});
