/**
 * `npm run soak -- disks`: a guest writes numbered records to its disk, each flushed before it says so; the browser is killed at a
 * random moment; after a restart every record that was acknowledged must be there. WEBXEN_SOAK_ROUNDS says how often, 100 times
 * unless told otherwise.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, test as base, type BrowserContext } from '@playwright/test';
import { expect, openMachine, type Machine } from './support/machine.ts';

const ROUNDS = Number(process.env['WEBXEN_SOAK_ROUNDS'] ?? 100);
const RECORD_LIMIT = 100_000;

/** Processes of the browser that has its profile in this directory. */
function browserProcesses(profile: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--user-data-dir=${profile}`);
      } catch {
        // It ended between the listing and the look.
        return false;
      }
    })
    .map(Number);
}

/** Leaves the browser no chance to finish anything. */
function kill(profile: string): void {
  for (const pid of browserProcesses(profile)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Went with its parent.
    }
  }
}

async function start(context: BrowserContext): Promise<Machine> {
  const machine = await openMachine(context.pages()[0] ?? (await context.newPage()), 'boot=stored');
  if (!(await machine.run('lvs')).includes('soak'))
    await machine.run('pvcreate /dev/sda10 && vgcreate vg /dev/sda10 && lvcreate -L 64M -n soak vg');
  await machine.configure('soak');
  await machine.run(`echo 'disk = [ "phy:vg/soak,xvda,w" ]' >> /etc/xen/soak`);
  await machine.run('xm create soak');
  await machine.login('soak', 300_000);
  return machine;
}

base('acknowledged records survive the browser being killed', async ({ baseURL, launchOptions }) => {
  const profile = mkdtempSync(join(tmpdir(), 'webxen-soak-'));
  let acknowledged = 0;
  try {
    for (let round = 1; round <= ROUNDS + 1; round += 1) {
      const context = await chromium.launchPersistentContext(profile, { ...launchOptions, baseURL: baseURL ?? '' });
      const machine = await start(context);
      // Record n is 512 bytes at sector n: its number, ten digits.
      const { output } = await machine.guest(
        'soak',
        `n=1; while [ $n -le ${acknowledged} ]; do r=$(dd if=/dev/xvda bs=512 skip=$n count=1 2>/dev/null | head -c 10); ` +
          `[ "$r" = "$(printf %010d $n)" ] || echo "missing $n"; n=$((n+1)); done; echo "checked $((n-1))"`,
        600_000,
      );
      expect(output, `round ${round}`).toContain(`checked ${acknowledged}`);
      expect(output, `round ${round}`).not.toContain('missing');
      if (round > ROUNDS) {
        await context.close();
        break;
      }
      await machine.send(
        'soak',
        `n=${acknowledged}; while [ $n -lt ${RECORD_LIMIT} ]; do n=$((n+1)); ` +
          `printf %010d $n | dd of=/dev/xvda bs=512 seek=$n conv=sync,fsync 2>/dev/null && echo "acknow""ledged $n"; done\r`,
      );
      await machine.waitFor('soak', `acknowledged ${acknowledged + 1}`, 60_000);
      const delayMs = Math.random() * 5000;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      const text = await machine.text('soak');
      kill(profile);
      await context.close().catch(() => undefined);
      // Later ones may have been acknowledged as well; these have been for certain.
      const numbers = [...text.matchAll(/acknowledged (\d+)/g)].map(([, number]) => Number(number));
      acknowledged = Math.max(acknowledged, ...numbers);
      console.log(`round ${round}: ${acknowledged} records`);
    }
  } finally {
    kill(profile);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
});
