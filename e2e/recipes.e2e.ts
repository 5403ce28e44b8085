/** Guests with disks of their own, made as people make them: by the commands of the Xen user manual, chapter 6, as printed there. */
import { expect, openMachine, test, type Machine } from './support/machine.ts';

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
  const images = await machine.run('ls -s /var/lib/xen/images');
  expect(images).toMatch(/^ *0 base\.img$/m);
  expect(images).toMatch(/^ *[1-9]\d* demo\.img$/m);
  await machine.run('xm create demo');
  await machine.login('demo');
  expect((await machine.guest('demo', 'cat /root/note')).output).toBe('kept\n');
  await machine.run('xm shutdown -w demo');
});

const KERNEL = 'kernel = "/boot/vmlinuz-cloud"\nramdisk = "/boot/initrd.img-cloud"\nmemory = 192\nextra = "console=hvc0 quiet"\n';

/** What the manual copies of domain 0's own system, and makes beside it. */
const SYSTEM = ['cp -ax /{root,dev,var,etc,usr,bin,sbin,lib} /mnt', 'mkdir /mnt/{proc,sys,home,tmp}'];

/** Starts the guest of a configuration and logs in; what its root is. */
async function startedOn(machine: Machine, name: string): Promise<string> {
  await machine.run(`xm create ${name}`);
  await machine.login(name);
  return (await machine.guest(name, 'grep " / " /proc/mounts; hostname; ls -l /dev/sda1')).output;
}

/** Types a line into the terminal in front and waits for what shows that it is done. */
async function type(machine: Machine, line: string, done = /dom0:~# $/): Promise<void> {
  await machine.page.keyboard.press('Control+L');
  await expect.poll(() => machine.screen()).toMatch(/^\S*dom0:~# ?\s*$/);
  await machine.page.keyboard.type(`${line}\n`);
  await expect
    .poll(async () => (await machine.screen()).trimEnd().split('\n').slice(1).join('\n') + ' ', { timeout: 180_000 })
    .toMatch(done);
}

test('section 6.1: a partition of domain 0 becomes a root', async ({ machine }) => {
  expect(await machine.run('fdisk -l /dev/hda')).toMatch(/^\/dev\/hda3 .* 4G 83 Linux$/m);
  await machine.run('mkfs -t ext3 /dev/hda3');
  await machine.run('mkswap /dev/hda2');
  await machine.run('mount /dev/hda3 /mnt');
  for (const command of SYSTEM) await machine.run(command);
  await machine.write(
    '/mnt/etc/fstab',
    '/dev/sda1 / ext3 defaults 1 1\n/dev/sda2 none swap sw 0 0\nproc /proc proc defaults 0 0\n',
  );
  await machine.write('/mnt/etc/hostname', 'partition\n');
  // Somebody forgot it: /proc is made at the first start.
  await machine.run('rmdir /mnt/proc');
  // As if it had been made for kernels of other versions.
  await machine.run('rm -r /mnt/lib/modules/*');
  await machine.write('/etc/xen/vm', `${KERNEL}disk = ['phy:hda3,sda1,w', 'phy:hda2,sda2,w']\nroot = "/dev/sda1 ro"\n`);
  expect(await machine.refused('xm create vm')).toBe('Error: Device 2049 (vbd) could not be connected.');
  await machine.run('umount /mnt');
  const root = await startedOn(machine, 'vm');
  expect(root).toMatch(/^\/dev\/xvda1 \/ ext3 rw,.*\npartition\n.* \/dev\/sda1 -> xvda1\n$/);
  const modules = await machine.guest(
    'vm',
    'modprobe isofs && grep -c iso9660 /proc/filesystems; ls /lib/modules; cat /proc/swaps',
  );
  expect(modules.output).toMatch(/^1\n[\d.]+-\d+-cloud-amd64 *\nFilename.*\n\/dev\/xvda2 +partition\s+1048572\s/);
  expect((await machine.exec('mount /dev/hda3 /mnt')).stderr).toContain('/dev/hda3 is in use by a guest domain');
  await machine.run('xm destroy vm');
});

test('section 6.2: a sparse file becomes a root', async ({ machine }) => {
  await machine.page.locator('.xterm:visible').first().click();
  await type(machine, 'dd if=/dev/zero of=vm1disk bs=1k seek=2048k count=1');
  await type(machine, 'mkfs -t ext3 vm1disk', /Proceed anyway\? \(y,N\) $/);
  await machine.page.keyboard.type('y\n');
  await expect.poll(() => machine.screen()).toMatch(/filesystem accounting information: done\s+root@dom0:~# ?\s*$/);
  for (const command of ['mount -o loop vm1disk /mnt', ...SYSTEM]) await type(machine, command);
  await type(machine, 'echo "/dev/sda1 / ext3 defaults 1 1" > /mnt/etc/fstab');
  await type(machine, 'echo vm1 > /mnt/etc/hostname');
  await type(machine, 'umount /mnt');
  const before = Number((await machine.run('du -k vm1disk')).split('\t')[0]);
  expect(before).toBeLessThan(100_000);

  await machine.write('/etc/xen/vm1', `${KERNEL}disk = ['file:/root/vm1disk,sda1,w']\nroot = "/dev/sda1 ro"\n`);
  expect(await startedOn(machine, 'vm1')).toMatch(/^\/dev\/xvda1 \/ ext3 rw,.*\nvm1\n.* \/dev\/sda1 -> xvda1\n$/);
  const written = await machine.guest('vm1', 'head -c 20000000 /dev/urandom > /home/noise; sync; sha256sum < /home/noise; df -k /');
  expect(written.output).toMatch(/^\/dev\/xvda1 +19\d{5} /m);
  await machine.run('xm shutdown -w vm1');

  expect(Number((await machine.run('du -k vm1disk')).split('\t')[0]) - before).toBeGreaterThan(19_000);
  await machine.run('e2fsck -f -n vm1disk');
  await machine.run('mount -o loop,ro vm1disk /mnt');
  expect((await machine.run('sha256sum /mnt/home/noise')).slice(0, 64)).toBe(/[0-9a-f]{64}/.exec(written.output)?.[0]);
  await machine.run('umount /mnt');
});

test('section 6.3: a logical volume becomes a root, and its copy-on-write clones go their own ways', async ({ machine }) => {
  for (const command of [
    'pvcreate /dev/sda10',
    'vgcreate vg /dev/sda10',
    'lvcreate -L4096M -n myvmdisk1 vg',
    'mkfs -t ext3 /dev/vg/myvmdisk1',
    'mount /dev/vg/myvmdisk1 /mnt',
    'cp -ax / /mnt',
    'umount /mnt',
    'lvcreate -s -L1024M -n myclonedisk1 /dev/vg/myvmdisk1',
    'lvcreate -s -L1024M -n myclonedisk2 /dev/vg/myvmdisk1',
    'lvextend -L +100M /dev/vg/myclonedisk1',
  ])
    await machine.run(command);
  for (const n of [1, 2])
    await machine.write(`/etc/xen/clone${n}`, `${KERNEL}disk = ['phy:vg/myclonedisk${n},sda1,w']\nroot = "/dev/sda1 ro"\n`);
  expect(await startedOn(machine, 'clone1')).toMatch(/^\/dev\/xvda1 \/ ext3 rw,.*\ndom0\n/);
  await machine.guest('clone1', 'echo first > /root/mine; head -c 20000000 /dev/urandom > /root/noise; sync');
  await startedOn(machine, 'clone2');
  expect((await machine.guest('clone2', 'cat /root/mine; ls /boot; ls /var/lib/xen/images')).output).toMatch(
    /^cat: .*No such file[^]*vmlinuz-cloud *\n$/,
  );
  const volumes = await machine.run('lvs');
  const used = (name: string): number => Number(new RegExp(`^ +${name} .* myvmdisk1 +(\\d+\\.\\d+)`, 'm').exec(volumes)?.[1]);
  expect(used('myclonedisk1')).toBeGreaterThan(1.5);
  expect(used('myclonedisk2')).toBeLessThan(1.5);
  await machine.run('xm shutdown -w clone1');
  await machine.run('xm destroy clone2');
  await machine.run('mount -o ro /dev/vg/myvmdisk1 /mnt');
  expect(await machine.run('ls /mnt/root')).toBe('');
  await machine.run('umount /mnt');
});
