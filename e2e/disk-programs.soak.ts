/**
 * `npm run soak -- disk-programs`: stock programs work on a guest's disk, on both stores: mkfs.ext4 and e2fsck, dd, tar of a /usr
 * tree that is unpacked and compared, SQLite under load of several processes. What is on the disk is read again by a guest that
 * was made anew, after the page was loaded anew.
 */
import { expect, openMachine, test, type Machine } from './support/machine.ts';
import { diskProgramsRamdisk } from './support/site-images.ts';

const WORK_MS = 1_200_000;
const SQLITE_SECONDS = 30;

async function startGuest(machine: Machine): Promise<void> {
  await machine.run('xm create programs');
  await machine.login('programs', 300_000);
  await machine.guest('programs', 'dmesg -n 1; mkdir -p /disk');
}

/** Runs commands in the guest that must all succeed; what they printed. */
async function inGuest(machine: Machine, command: string): Promise<string> {
  const { exitCode, output } = await machine.guest('programs', `(set -e; ${command})`, WORK_MS);
  expect(exitCode, `${command}\n${output}`).toBe(0);
  return output;
}

for (const store of ['indexeddb', 'opfs'])
  test(`stock programs work on a disk on ${store}`, async ({ page }) => {
    const parameters = `boot=stored&storage=${store}&machine=programs-${store}`;
    let machine = await openMachine(page, parameters);
    await machine.run('pvcreate /dev/sda10 && vgcreate vg /dev/sda10 && lvcreate -L 512M -n work vg');
    await machine.write('/root/initrd', diskProgramsRamdisk());
    await machine.configure('programs', { kernel: '/boot/vmlinuz-cloud', ramdisk: '/root/initrd', memory: 512, vcpus: 2 });
    await machine.run(`echo 'disk = [ "phy:vg/work,xvda,w" ]' >> /etc/xen/programs`);
    await startGuest(machine);

    await inGuest(machine, 'mkfs.ext4 -q /dev/xvda; e2fsck -fn /dev/xvda; mount -t ext4 /dev/xvda /disk');
    // A file with holes and odd ends, written past the cache and through it.
    const sum = await inGuest(
      machine,
      'seq 1 400000 > /tmp/numbers; ' +
        '/bin/dd if=/tmp/numbers of=/disk/numbers bs=7919 conv=fsync 2> /dev/null; ' +
        '/bin/dd if=/tmp/numbers of=/disk/holes bs=4096 seek=20000 count=100 oflag=direct 2> /dev/null; ' +
        '/bin/dd if=/disk/holes of=/disk/copy bs=1M conv=sparse 2> /dev/null; cmp /tmp/numbers /disk/numbers; cmp /disk/holes /disk/copy; ' +
        '/usr/bin/sha256sum /disk/numbers /disk/holes /disk/copy',
    );
    await inGuest(
      machine,
      'cd /; /bin/tar -cf /disk/usr.tar usr; mkdir /disk/unpacked; /bin/tar -C /disk/unpacked -xpf /disk/usr.tar; ' +
        '/bin/tar -C /disk/unpacked -df /disk/usr.tar; diff -r /usr /disk/unpacked/usr; sync',
    );
    for (const journal of ['delete', 'wal']) {
      const output = await inGuest(
        machine,
        `mkdir /disk/${journal}; /disks/sqlite-load /disk/${journal} ${SQLITE_SECONDS} ${journal}`,
      );
      expect(output).toContain('integrity: ok\n');
      expect(output).toContain('books: agree\n');
      const transfers = [...output.matchAll(/worker \d: (\d+) transfers/g)].map(([, count]) => Number(count));
      expect(transfers).toHaveLength(3);
      expect(transfers.reduce((sum, count) => sum + count)).toBeGreaterThan(10);
      console.log(`${store}, journal ${journal}: ${transfers.join(' + ')} transfers in ${SQLITE_SECONDS} s`);
    }
    await inGuest(machine, 'sync; umount /disk; e2fsck -fn /dev/xvda');

    await page.reload();
    machine = await openMachine(page, parameters);
    await startGuest(machine);
    const after = await inGuest(
      machine,
      'e2fsck -fn /dev/xvda > /dev/null 2>&1; mount -t ext4 -o ro /dev/xvda /disk; /usr/bin/sha256sum /disk/numbers /disk/holes /disk/copy',
    );
    expect(after).toBe(sum);
    await inGuest(machine, '/bin/tar -C /disk/unpacked -df /disk/usr.tar; diff -r /usr /disk/unpacked/usr');
    for (const journal of ['delete', 'wal'])
      expect(
        await inGuest(machine, `cp /disk/${journal}/* /tmp; sqlite3 /tmp/bank.db 'pragma integrity_check'; rm /tmp/bank.db*`),
      ).toContain('ok');
    await machine.run('xm destroy programs; lvremove -f vg/work');
  });
