/**
 * `npm run soak -- debian`: the disk of `npm run images -- debian` boots over HTTP, without being fetched whole, works, and keeps what is
 * written over a reload.
 */
import { readDiskManifest } from '../scripts/images/disk-manifest.ts';
import { expect, openMachine, test, type Machine } from './support/machine.ts';

const BOOT_MS = 600_000;

async function login(machine: Machine): Promise<void> {
  await machine.waitWhilePrinting('debian-12', 'debian login: ', BOOT_MS);
  await machine.send('debian-12', 'root\r');
  await machine.waitFor('debian-12', 'Password: ');
  await machine.send('debian-12', 'xen\r');
  await machine.waitFor('debian-12', /root@debian:~# /);
}

test('a Debian of the site boots, works and is kept', async ({ page }) => {
  const [disk] = readDiskManifest('public/disks').disks;
  expect(disk, 'npm run images -- debian makes it').toBeDefined();
  let fetched = 0;
  page.on('response', (response) => {
    if (response.status() === 206) fetched += Number(response.headers()['content-length']);
  });
  let machine = await openMachine(page, 'boot=stored&machine=debian');
  const begun = performance.now();
  await machine.run('xm create debian-12');
  await login(machine);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(
    `login after ${seconds} s, with ${(fetched / 1e6).toFixed(1)} of ${((disk?.dataBytes ?? 0) / 1e6).toFixed(1)} MB fetched`,
  );
  expect(fetched).toBeGreaterThan(0);
  expect(fetched).toBeLessThan((disk?.dataBytes ?? 0) * 0.8);

  const packages = (await machine.guest('debian-12', "dpkg -l | grep -c '^ii'")).output;
  expect(Number(packages)).toBe(disk?.packages.length);
  expect((await machine.guest('debian-12', 'dpkg --verify coreutils libc6 bash; echo verified')).output).toContain('verified\n');
  const python = await machine.guest(
    'debian-12',
    "python3 -c 'import sys, json; print(json.dumps([sys.version_info[0], sum(range(1000))]))'",
  );
  expect(python.output).toContain('[3, 499500]');
  expect((await machine.guest('debian-12', 'systemctl is-system-running')).output).toContain('running');
  expect((await machine.guest('debian-12', 'ip -brief link show lo; findmnt -no SOURCE,FSTYPE /')).output).toMatch(
    /^lo .*\n\/dev\/xvda +ext4/m,
  );
  await machine.guest('debian-12', 'echo kept > /root/note; sync');

  await page.reload();
  fetched = 0;
  machine = await openMachine(page, 'boot=stored&machine=debian');
  await machine.run('xm create debian-12');
  await login(machine);
  console.log(`the second time ${(fetched / 1e6).toFixed(1)} MB`);
  expect((await machine.guest('debian-12', 'cat /root/note')).output).toBe('kept\n');
  // Another disk of it, at once and without that.
  await machine.run('cp /var/lib/xen/images/debian-12.img /root/other.img');
  await machine.run('xm shutdown -w debian-12');
});
