/**
 * The I/O program in QEMU's own translator, with the kernel and the ramdisk that the guest of webxen has, on a virtio disk that does
 * nothing at all (null-co): what the guest's share of an access takes there.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { QemuMachine, qemuVersion } from '../../bench/qemu.ts';
import { SerialShell } from '../../bench/serial-shell.ts';
import { packageSource, unpack } from '../../scripts/images/debian-packages.ts';
import { collectModules } from '../../scripts/images/kernel-modules.ts';
import { extended } from '../support/guest-programs.ts';
import { siteImage } from '../support/site-images.ts';

const BOOT_MS = 120_000;
const LIMIT_MS = 120_000;
/** As a domain has by default. */
const MEMORY_MIB = 256;
const FOLDER = 'build/bench';

export class QemuDisk {
  private constructor(
    private readonly machine: QemuMachine,
    private readonly shell: SerialShell,
  ) {}

  /** @param ramdisk with the program. Undefined where there is no QEMU. */
  static async start(ramdisk: Uint8Array): Promise<QemuDisk | undefined> {
    if (qemuVersion() === undefined) return undefined;
    const kernel = siteImage('vmlinuz-cloud');
    const release = basename(kernel).replace('vmlinuz-', '');
    const { directory } = unpack(await packageSource().fetch(`linux-image-${release}`));
    const modules = collectModules(join(directory, 'lib/modules', release), ['virtio_pci', 'virtio_blk']);
    const files = modules.map(({ content, name }) => ({ kind: 'file', path: `${name}.ko`, mode: 0o644, content }) as const);
    mkdirSync(FOLDER, { recursive: true });
    const path = join(FOLDER, 'initrd-qemu-disk');
    writeFileSync(path, extended(ramdisk, files));
    const machine = new QemuMachine({
      kernel,
      ramdisk: path,
      memoryMiB: MEMORY_MIB,
      vcpus: 1,
      drive: 'file.driver=null-co,file.size=1G',
    });
    const disk = new QemuDisk(machine, new SerialShell(machine));
    try {
      await disk.shell.login(BOOT_MS);
      // The dependencies come first. And its disk as webxen's are treated (images/rootfs/lib/guest/disk-queues).
      const loaded = modules.map(({ name }) => `insmod /${name}.ko`).join(' && ');
      const { exitCode, output } = await disk.shell.run(`${loaded} && echo none > /sys/block/vda/queue/scheduler`, LIMIT_MS);
      if (exitCode !== 0) throw new Error(`QEMU's guest has no disk:\n${output}`);
    } catch (error) {
      await disk.close();
      throw error;
    }
    return disk;
  }

  /** What the program prints for these arguments. */
  async run(words: string): Promise<string> {
    return (await this.shell.run(`/disk /dev/vda ${words}`, LIMIT_MS)).output;
  }

  close(): Promise<void> {
    return this.machine.close();
  }
}
