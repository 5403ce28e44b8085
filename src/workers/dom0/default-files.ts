/** What stands in domain 0's file system when it is used for the first time. */
import { crc32 } from '../../engine/storage/crc32.ts';
import { encodeUtf8 } from '../../engine/storage/utf8.ts';
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { DEFAULT_HOST_NAME } from '../../engine/toolstack/dom0-identity.ts';

const DEMO = `# A guest to begin with: Debian's kernel for virtual machines, and a disk with a small system.
#
#   xm create -c demo        start it and look at its console; Ctrl-] leaves the console
#   xm console demo          go back to the console
#   xm shutdown demo         ask it to stop
#
# This file is Python. Words such as memory=128 behind "xm create demo" win over what it says.

kernel  = "/boot/vmlinuz-cloud"
ramdisk = "/boot/initrd.img-cloud"
memory  = 256
vcpus   = 1
name    = "demo"

# Its disk is a file of domain 0, made when it is first used. What the guest writes there is still there after it was shut down, and
# after the page was loaded anew. Back to the beginning:  cp /var/lib/xen/images/base.img /var/lib/xen/images/demo.img
disk    = [ "file:/var/lib/xen/images/demo.img,xvda1,w" ]
root    = "/dev/xvda1 ro"

# Further parameters of the kernel. earlyprintk shows its first messages, before the console driver is there.
extra   = "console=hvc0 earlyprintk=xen"
`;

const XMEXAMPLE1 = `# Example of a configuration for one guest. Copy it under another name and change the copy:
#
#   cp /etc/xen/xmexample1 /etc/xen/mine
#   edit /etc/xen/mine
#   xm create -c mine
#
# The file is Python and is run by xm; the variables it leaves behind are the settings.

#----------------------------------------------------------------------------
# Kernel and ramdisk: files of domain 0. 64-bit paravirtualised kernels only.
kernel = "/boot/vmlinuz-cloud"
ramdisk = "/boot/initrd.img-cloud"

# Memory at the start, in MiB, and the ceiling to which "xm mem-set" may raise it.
memory = 192
#maxmem = 256

# A name of its own. Without one the domain is called as this file is.
name = "ExampleDomain"

# 128-bit identity; made up anew at each creation when left out.
#uuid = "06ed00fe-1162-4fc4-b5d8-11993ee4a8b9"

#----------------------------------------------------------------------------
# Virtual CPUs at the start; "xm vcpu-set" plugs in more, up to maxvcpus.
vcpus = 1
#maxvcpus = 2

# Physical CPUs it may run on: any, one, a range, several but one.
#cpus = ""
#cpus = "0"
#cpus = "0-3,5,^1"

#----------------------------------------------------------------------------
# Network interfaces. Not available yet: this machine has no network back end.
#vif = [ 'mac=00:16:3e:00:00:11, bridge=xenbr0' ]

# Disks: what, as which device in the guest, r or w. "pvcreate /dev/sda10; vgcreate vg /dev/sda10; lvcreate -L 256M -n lvm1 vg" makes a volume.
# "cp /var/lib/xen/images/base.img /root/disk.img" makes one in a file with a small system on it, at once.
#disk = [ 'phy:vg/lvm1,sda1,w', 'file:/root/disk.img,sda2,r' ]

# Where the guest finds its root file system; without it this ramdisk stays the root.
#root = "/dev/sda1 ro"

#----------------------------------------------------------------------------
# Addresses the kernel configures by itself.
#dhcp = "dhcp"
#ip = "10.0.0.2"
#netmask = "255.255.255.0"
#gateway = "10.0.0.1"
#hostname = "example"

# Anything else for the kernel's command line.
extra = "console=hvc0"

#----------------------------------------------------------------------------
# What follows when the guest stops: destroy, restart, preserve or rename-restart.
#on_poweroff = 'destroy'
#on_reboot   = 'restart'
#on_crash    = 'restart'
`;

const XMEXAMPLE2 = `# Example of one file for many guests: the number given as vmid makes the difference between them.
#
#   xm create -c xmexample2 vmid=1
#   xm create xmexample2 vmid=2
#
# vmid has nothing to do with the id of the domain, which xend gives.

def vmid_check(name, text):
    "The number as it came from the command line, or a refusal."
    if text is None:
        raise ValueError("say which guest: vmid=1, vmid=2 ...")
    number = int(text)
    if number < 1:
        raise ValueError("the number must be 1 or more")
    return number

# Declares vmid, so that "xm create --help_config" lists it, and checks what was given.
xm_vars.var('vmid', use="Number of the guest, 1 or more.", check=vmid_check)
xm_vars.check()

kernel = "/boot/vmlinuz-cloud"
ramdisk = "/boot/initrd.img-cloud"
memory = 192
name = "VM%d" % vmid
vcpus = 1

# A volume for each guest and one for all to read.
#disk = [ 'phy:vg/root%d,sda1,w' % vmid,
#         'phy:vg/usr,sda6,r' ]

# An interface with an address of its own, once there is a network back end.
#vif = [ 'mac=00:16:3e:00:00:%02x' % vmid ]

extra = "console=hvc0 VMID=%d" % vmid

on_crash = 'preserve'
`;

const MESSAGE_OF_THE_DAY = `
This is domain 0. Start a guest with  xm create -c demo
and leave its console with Ctrl-]. There is  help  and  xm help.

`;

interface DefaultFile {
  readonly path: string;
  readonly text: string;
  /** Checksums of what earlier versions of the machine planted there. */
  readonly earlier?: readonly number[];
}

const FILES: readonly DefaultFile[] = [
  { path: '/etc/hostname', text: `${DEFAULT_HOST_NAME}\n` },
  { path: '/etc/hosts', text: `127.0.0.1\tlocalhost\n127.0.1.1\t${DEFAULT_HOST_NAME}\n` },
  // Guests are given copies: the shell is one that they have.
  {
    path: '/etc/passwd',
    text: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
    earlier: [0x302c1e31],
  },
  { path: '/etc/group', text: 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n', earlier: [0x91c2707e] },
  { path: '/etc/motd', text: MESSAGE_OF_THE_DAY },
  { path: '/etc/xen/demo', text: DEMO, earlier: [0xc4239fd3] },
  { path: '/etc/xen/xmexample1', text: XMEXAMPLE1, earlier: [0x212dc4dc] },
  { path: '/etc/xen/xmexample2', text: XMEXAMPLE2 },
];

const DIRECTORIES = ['/boot', '/dev', '/etc/xen/auto', '/mnt', '/proc', '/root', '/tmp', '/var/log', '/var/run'];

/** For a file system that has never been used. */
export async function plantDefaultFiles(files: FileSystem): Promise<void> {
  for (const path of DIRECTORIES) await files.makeDirectory(path, { recursive: true });
  for (const { path, text } of FILES) await files.writeFile(path, encodeUtf8(text));
}

/** For one that an earlier version planted: a file that nobody has touched since becomes the present one. */
export async function renewDefaultFiles(files: FileSystem): Promise<void> {
  for (const { earlier, path, text } of FILES) {
    if (earlier === undefined || !(await files.exists(path)) || (await files.stat(path)).kind !== 'file') continue;
    if (earlier.includes(crc32(await files.readFile(path)))) await files.writeFile(path, encodeUtf8(text));
  }
}
