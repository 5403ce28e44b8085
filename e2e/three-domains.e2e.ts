/** Three domains at once, each doing work of its own: none sees the others' data, none is disturbed when another stops or dies. */
import { createHash } from 'node:crypto';
import { complaints } from './support/boot-log.ts';
import { EXPECTED_COMPLAINTS } from './support/explained-differences.ts';
import { expect, retired, test } from './support/machine.ts';

const WORK_MS = 600_000;
const ROUNDS = 150;
/** Time goes on for a paused domain: its kernel finds itself stalled when it missed 21 seconds (rcupdate.rcu_cpu_stall_timeout). */
const STALL_MS = 20_000;
const NAMES = ['first', 'second', 'third'] as const;

/** In every guest the same program, on different data: a chain of checksums, through pipes and files, a line for each link. */
const program = (name: string): string =>
  `x=${name}; i=0; while [ $i -lt ${ROUNDS} ]; do i=$((i+1)); echo "$x $i" > /tmp/link; x=$(cat /tmp/link | sha256sum | cut -c1-64); echo "$i $x"; done > /tmp/chain; echo done-""$(wc -l < /tmp/chain)`;

function chain(name: string): string {
  let link = name;
  let text = '';
  for (let round = 1; round <= ROUNDS; round++) {
    link = createHash('sha256').update(`${link} ${round}\n`).digest('hex');
    text += `${round} ${link}\n`;
  }
  return text;
}

test('three domains work at the same time without disturbing each other', async ({ machine }) => {
  test.setTimeout(2 * WORK_MS);
  const before = await machine.holdings();
  for (const name of NAMES) await machine.configure(name, { memory: 128 });
  for (const name of NAMES) await machine.run(`xm create ${name}`);
  for (const name of NAMES) await machine.login(name);
  expect((await machine.domains()).map((domain) => domain.name)).toEqual([...NAMES]);

  // Each has its own place in the store, and reads nobody else's.
  const paths = (await machine.run('xenstore-list /local/domain')).trim().split('\n');
  expect(paths).toHaveLength(NAMES.length + 1);

  for (const name of NAMES) await machine.send(name, `${program(name)}\r`);
  const counts = async (): Promise<number[]> => Promise.all(NAMES.map(async (name) => retired((await machine.counters(name))[0])));
  const early = await counts();
  await expect
    .poll(async () => (await counts()).map((count, index) => count > early[index]! + 10_000_000), { timeout: WORK_MS })
    .toEqual([true, true, true]);

  // One is paused in the middle of its work: it stands still, the others come to their end.
  await machine.run('xm pause second');
  const pausedAt = Date.now();
  expect(await machine.state('second')).toBe('--p---');
  const paused = (await counts())[1];
  await Promise.all(['first', 'third'].map((name) => machine.waitFor(name, `done-${ROUNDS}`, WORK_MS)));
  expect((await counts())[1]).toBe(paused);
  expect(await machine.text('second')).not.toContain(`done-${ROUNDS}`);

  // One dies, and the paused one goes on where it was.
  await machine.send('first', 'echo c > /proc/sysrq-trigger\r');
  await machine.run('xm unpause second');
  const missedMs = Date.now() - pausedAt;
  await machine.waitFor('second', `done-${ROUNDS}`, WORK_MS);
  await expect.poll(async () => (await machine.domains()).find(({ name }) => name === 'first')?.domid ?? 0).not.toBe(1);

  for (const name of ['second', 'third']) {
    expect((await machine.guest(name, 'cat /tmp/chain')).output).toBe(chain(name));
    if (name === 'second' && missedMs > STALL_MS) continue;
    expect(complaints((await machine.guest(name, 'dmesg')).output, EXPECTED_COMPLAINTS)).toEqual([]);
  }
  for (const name of NAMES) await machine.exec(`xm destroy ${name}`);
  await machine.expectNothingLeft(before);
});
