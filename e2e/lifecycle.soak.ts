/**
 * `npm run soak`: creates, uses, reboots and ends guests for a long time (WEBXEN_SOAK_MINUTES, by default 60) and checks after each
 * round that nothing is left of them.
 */
import { expect, test } from './support/machine.ts';

const MINUTES = Number(process.env['WEBXEN_SOAK_MINUTES'] ?? 60);
const BOOT_MS = 300_000;

test('guests come and go', async ({ machine }) => {
  const state = async (): Promise<{ free: string | undefined; store: string }> => ({
    free: /^free_memory\s*:\s*(\d+)/m.exec(await machine.run('xm info'))?.[1],
    store: (await machine.run('xenstore-list /local/domain')) + (await machine.exec('xenstore-list /vm')).stdout,
  });
  const before = await state();
  const end = Date.now() + MINUTES * 60_000;
  for (let round = 1; Date.now() < end; round++) {
    await machine.run('xm create demo');
    await machine.login('demo', BOOT_MS);
    const sum = await machine.guest('demo', 'seq 1 20000 | sha256sum', BOOT_MS);
    expect(sum.output).toBe('f6351f5ead9a700e34275480b3856ea738122a7c57bdeb744a631251c069587a  -\n');
    await machine.run('xm pause demo');
    await machine.run('xm unpause demo');
    if (round % 2 === 0) await machine.run('xm destroy demo');
    else await machine.run('xm shutdown -w demo');
    expect(await state()).toEqual(before);
    console.log(`round ${round}: nothing left behind`);
  }
});
