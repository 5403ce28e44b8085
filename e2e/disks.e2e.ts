/** Disks of guests: volumes in the browser's storage that outlive a reload, clones, attaching while a guest runs, refusals. */
import { expect, openMachine, test, type Machine } from './support/machine.ts';

async function start(machine: Machine, name: string): Promise<void> {
  await machine.run(`xm create ${name}`);
  await machine.login(name);
}

/** Runs commands in a guest that must all succeed; what they printed. */
async function inGuest(machine: Machine, name: string, command: string): Promise<string> {
  const { exitCode, output } = await machine.guest(name, `(set -e; ${command})`);
  expect(exitCode, output).toBe(0);
  return output;
}

test('what a guest has synced is there after a reload, and a clone goes its own way', async ({ page }) => {
  let machine = await openMachine(page, 'boot=stored');
  await machine.run('pvcreate /dev/sda10 && vgcreate vg /dev/sda10');
  await machine.run('lvcreate -L 64M -n root vg');
  await machine.configure('keeper');
  await machine.run(`echo 'disk = [ "phy:vg/root,xvda,w" ]' >> /etc/xen/keeper`);
  await start(machine, 'keeper');
  const asSet = (disk: string): string =>
    `grep '\\[none\\]' /sys/block/${disk}/queue/scheduler && grep '^1024$' /sys/block/${disk}/queue/read_ahead_kb`;
  await inGuest(machine, 'keeper', asSet('xvda'));
  expect(await machine.run('xm block-list keeper')).toMatch(
    /^Vdev .*\n51712 +0 +0 +4 +\d+ +\d+ +\/local\/domain\/0\/backend\/vbd\/\d+\/51712 *\n$/,
  );
  const sum = await inGuest(
    machine,
    'keeper',
    'mkdir -p /disk; mke2fs -q /dev/xvda; mount -t ext2 /dev/xvda /disk; head -c 3000000 /dev/urandom > /disk/bytes; ' +
      'echo kept > /disk/note; sync; md5sum < /disk/bytes',
  );
  expect(sum).toMatch(/[0-9a-f]{32}/);

  // No unmounting, no shutdown: the tab goes away under the guest.
  await page.reload();
  machine = await openMachine(page, 'boot=stored');
  expect(await machine.run('lvs')).toMatch(/root +vg +-wi-a- +64\.00M/);
  await machine.run('lvcreate -s -n copy /dev/vg/root');
  await start(machine, 'keeper');
  expect(
    await inGuest(machine, 'keeper', 'mkdir -p /disk; mount -t ext2 /dev/xvda /disk; md5sum < /disk/bytes; cat /disk/note'),
  ).toContain(`${/[0-9a-f]{32}/.exec(sum)![0]}  -`);
  await inGuest(machine, 'keeper', 'echo changed > /disk/note; sync');

  expect(await machine.refused('xm block-attach keeper phy:vg/root xvdc w')).toContain(
    'Device 51744 (vbd) could not be connected.',
  );
  await machine.run('xm block-attach keeper phy:vg/copy xvdb r');
  expect(
    await inGuest(
      machine,
      'keeper',
      'for n in 1 2 3 4 5 6 7 8 9; do [ -b /dev/xvdb ] && break; sleep 0.5; done; mkdir -p /copy; mount -t ext2 -o ro /dev/xvdb /copy; cat /copy/note /disk/note; umount /copy',
    ),
  ).toContain('kept\nchanged');
  await machine.run('xm block-detach keeper xvdb');
  expect(await machine.run('xm block-list keeper')).not.toContain('51728');

  await machine.run('truncate -s 3M /root/grows && xm block-attach keeper file:/root/grows xvdd w');
  const sizeIs = (bytes: number): string =>
    `n=0; until [ "$(blockdev --getsize64 /dev/xvdd 2>&1)" = ${bytes} ]; do n=$((n + 1)); [ $n -lt 40 ]; sleep 0.5; done`;
  await inGuest(machine, 'keeper', sizeIs(3 * 2 ** 20));
  await inGuest(machine, 'keeper', `n=0; until ${asSet('xvdd')}; do n=$((n + 1)); [ $n -lt 40 ]; sleep 0.5; done`);
  await machine.run('dd if=/dev/zero of=/root/grows bs=1M seek=3 count=4 conv=notrunc');
  await inGuest(machine, 'keeper', sizeIs(7 * 2 ** 20));
  await machine.run('truncate -s 70M /root/grows');
  await inGuest(machine, 'keeper', `${sizeIs(70 * 2 ** 20)}; dd if=/dev/xvdd of=/dev/null bs=1M skip=69`);
  await machine.run('xm destroy keeper');
  await machine.run('lvremove -f vg/copy vg/root');
});
