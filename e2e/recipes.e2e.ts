/** Guests with disks of their own, made as people make them: by the commands of the Xen user manual, chapter 6, as printed there. */
import { expect, openMachine, test } from './support/machine.ts';

test('the demo keeps what is written to its disk over a reload', async ({ page }) => {
  let machine = await openMachine(page, 'boot=stored&machine=demo');
  await machine.run('xm create demo');
  await machine.login('demo');
  const { output } = await machine.guest('demo', 'cat /etc/issue; mount | grep " / "; echo kept > /root/note; sync');
  expect(output).toContain('Log in as root with the password xen.');
  expect(output).toMatch(/\/dev\/xvda1 on \/ type ext4 \(rw,/);

  // No shutdown: the tab goes away under the guest.
  await page.reload();
  machine = await openMachine(page, 'boot=stored&machine=demo');
  expect(await machine.run('ls -s /var/lib/xen/images')).toMatch(/^ *0 base\.img\n *[1-9]\d* demo\.img$/m);
  await machine.run('xm create demo');
  await machine.login('demo');
  expect((await machine.guest('demo', 'cat /root/note')).output).toBe('kept\n');
  await machine.run('xm shutdown -w demo');
});
