import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { codecModule } from '../../../engine/codec/testing/codec-module.ts';
import { decoders } from '../../../engine/images/testing/decoders.ts';
import { DeviceDirectory } from '../../../engine/storage/device-directory.ts';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { PartitionImage } from '../../../engine/storage/partitions/partition-image.ts';
import { placePartitions, writePartitionTable } from '../../../engine/storage/partitions/partition-table.ts';
import { memoryFiles } from '../../../engine/storage/testing/memory-files.ts';
import { decodeUtf8, encodeUtf8 } from '../../../engine/storage/utf8.ts';
import type { VolumePool } from '../../../engine/storage/volume-pool.ts';
import type { Command } from '../../../engine/toolstack/command.ts';
import { BlockSources } from '../../../engine/toolstack/devices/block-sources.ts';
import { LoopDevices } from '../../../engine/toolstack/devices/loop-devices.ts';
import { CancellationSource } from '../../../engine/toolstack/services.ts';
import { imageCodecs } from '../../decoders.ts';
import { Md5, Sha256 } from './digests.ts';
import { filePrograms } from './file-programs.ts';
import { listFiles } from './list-files.ts';
import { loopDevicesWanted } from './module-options.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const clock = { nowMs: () => NOW, after: () => () => undefined };
let files: FileSystem;
let pool: VolumePool;
let sources: BlockSources;
let programs: Command[];

beforeEach(async () => {
  ({ files, pool } = await memoryFiles({ now: () => NOW }));
  for (const path of ['/root', '/mnt', '/dev', '/etc']) await files.makeDirectory(path);
  sources = new BlockSources(pool, files, new LoopDevices(files), decoders);
  files.devices.add(() => sources.entries());
  files.devices.add(() => sources.loops.entries());
  const random = (bytes: Uint8Array): void => void bytes.fill(0x5a);
  programs = [...filePrograms({ files, clock, sources, random, codecs: imageCodecs(codecModule) }), listFiles(files, clock)];
  const devices = await DeviceDirectory.make(files.devices, () => NOW);
  await files.mount(devices.fileSystem, '/dev', { source: 'udev', refresh: () => devices.refresh() });
});

/** Runs a line of one program; words are parted by blanks. */
async function run(line: string, stdin?: string): Promise<{ out: string; error: string; bytes: Uint8Array; status: number }> {
  const [name = '', ...words] = line.split(' ');
  let out = '';
  let error = '';
  let bytes = new Uint8Array(0);
  const status = await programs
    .find((program) => program.name === name)!
    .run(words, {
      out: (text) => (out += text),
      error: (text) => (error += text),
      outBytes: (part) => (bytes = Uint8Array.of(...bytes, ...part)),
      stdin,
      stdinBytes: stdin === undefined ? undefined : encodeUtf8(stdin),
      directory: '/root',
      cancellation: new CancellationSource(),
      terminal: undefined,
      progress: () => undefined,
    });
  return { out, error, bytes, status };
}

/** The output of a line that must succeed. */
async function ok(line: string, stdin?: string): Promise<string> {
  const { out, error, status } = await run(line, stdin);
  expect(status, `${line}: ${error}`).toBe(0);
  return out;
}

/** The disk in a file of the host, checked by its e2fsck. */
async function checkedByHost(path: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'webxen-fsck-'));
  try {
    const image = join(directory, 'image');
    writeFileSync(image, await files.readFile(path));
    execFileSync('e2fsck', ['-fn', image], { stdio: 'pipe' });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What the host says of a swap file. */
async function swapByHost(path: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'webxen-swap-'));
  try {
    writeFileSync(join(directory, 'swap'), await files.readFile(path));
    return execFileSync('blkid', ['-p', join(directory, 'swap')], { encoding: 'utf8' });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('e2fsck and resize2fs', () => {
  it('find an image clean, grow it after it was made longer, and leave alone what is mounted', async () => {
    await ok('truncate -s 8M image');
    await ok('mkfs.ext4 -q -F image');
    expect(await ok('e2fsck -f -n image')).toMatch(/^Pass 1: [\s\S]*11\/2048 files/);
    await ok('truncate -s 24M image');
    expect(await ok('resize2fs image')).toMatch(/is now \d+ \(1k\) blocks long\.\n$/);
    expect((await run('e2fsck -f -y image')).status).toBe(0);
    await checkedByHost('/root/image');
    await ok('mount -o loop image /mnt');
    expect(await run('e2fsck -f -y image')).toMatchObject({ status: 8, error: 'e2fsck: image is mounted.\n' });
    await ok('umount /mnt');
    expect(await run('e2fsck image')).toMatchObject({ status: 8 });
    expect(await run('e2fsck -n nothing')).toMatchObject({ status: 8 });
  });
});

describe('the recipe of section 6.2', () => {
  it('makes an image of 2 GB that takes little room', async () => {
    const { error, status } = await run('dd if=/dev/zero of=vm1disk bs=1k seek=2048k count=1');
    expect([status, error.split('\n').slice(0, 2)]).toEqual([0, ['1+0 records in', '1+0 records out']]);
    expect(await ok('ls -ls vm1disk')).toBe('0 -rw-r--r-- 1 root root 2147484672 Nov 23 12:00 vm1disk\n');
    const made = await ok('mkfs -t ext3 vm1disk', 'y\n');
    expect(made).toMatch(
      /^vm1disk is not a block special device\.\nProceed anyway\? \(y,N\) \nCreating filesystem with 524288 4k blocks/,
    );
    expect((await files.stat('/root/vm1disk')).blocks * 512).toBeLessThan(64 * 1024 * 1024);
    await ok('mount -o loop vm1disk /mnt');
    expect(await ok('losetup -a')).toMatch(/^\/dev\/loop0: \[\d{4}\]:\d+ \(\/root\/vm1disk\)\n$/);
    await files.makeDirectory('/etc/xen/auto', { recursive: true });
    await files.writeFile('/etc/fstab', encodeUtf8('proc /proc proc defaults 0 0\n'), 0o640);
    await files.symlink('fstab', '/etc/link');
    await files.changeOwner('/etc/fstab', 3, 4);
    expect((await run('cp -ax /etc /dev /mnt')).error).toBe('');
    expect(await files.stat('/mnt/etc/fstab')).toMatchObject({ mode: 0o640, uid: 3, gid: 4, sizeBytes: 29, mtimeMs: NOW });
    expect(await files.readLink('/mnt/etc/link')).toBe('fstab');
    expect(await files.stat('/mnt/dev/null')).toMatchObject({ kind: 'character-device', device: { major: 1, minor: 3 } });
    await files.writeFile('/mnt/etc/fstab', encodeUtf8('/dev/sda1 / ext3 defaults 1 1\n'));
    await expect(sources.open({ frontDomid: 1, id: 2049, type: 'file', params: '/root/vm1disk', mode: 'w' })).rejects.toThrow(
      'File /root/vm1disk is loopback-mounted through /dev/loop0,\nwhich is mounted in the privileged domain,\nand so cannot be mounted by a guest.',
    );
    // As the manual has it, with the image itself among what is copied.
    expect(await run('cp -ax /root /mnt')).toMatchObject({
      status: 1,
      error: "cp: not copying '/root/vm1disk', which holds the file system of '/mnt/root/vm1disk'\n",
    });
    expect(await files.exists('/mnt/root/vm1disk')).toBe(false);
    await ok('umount /mnt');
    expect(await ok('losetup -a')).toBe('');
    await ok('mount -o loop,ro vm1disk /mnt');
    expect(decodeUtf8(await files.readFile('/mnt/etc/fstab'))).toBe('/dev/sda1 / ext3 defaults 1 1\n');
    await ok('umount /mnt');
  });

  it('gives what the checker of the host finds clean', async () => {
    await ok('truncate -s 16M small');
    await ok('mkfs.ext4 -F -q small');
    await ok('mount -o loop small /mnt');
    for (let n = 0; n < 40; n += 1) await files.writeFile(`/mnt/file${n}`, new Uint8Array(1000 * n).fill(n));
    for (let n = 0; n < 40; n += 3) await files.remove(`/mnt/file${n}`);
    await files.makeDirectory('/mnt/a/b/c', { recursive: true });
    await files.move('/mnt/file1', '/mnt/a/b/c/moved');
    expect(await ok('df -T /mnt')).toMatch(/\/root\/small +ext4 +\d+ +\d+ +\d+ +\d+% \/mnt\n$/);
    await ok('umount /mnt');
    await checkedByHost('/root/small');
  }, 60_000);
});

describe('volumes in domain 0', () => {
  it('are devices that can be written, made file systems on, and mounted; not while a guest has them', async () => {
    await pool.create('vg/disk', 8 * 1024 * 1024);
    expect(await ok('ls -l /dev/vg/disk')).toContain('brw-rw---- 1 root root 254, 0');
    await ok('mkfs.ext2 -q /dev/vg/disk');
    await ok('mount -t ext2 /dev/vg/disk /mnt');
    await files.writeFile('/mnt/x', encodeUtf8('x'));
    expect((await run('mount /dev/vg/disk /mnt')).error).toContain('already mounted');
    expect((await run('mkfs.ext2 -q /dev/vg/disk')).error).toContain('is mounted');
    // Its node is copied into it, but not what it holds.
    await ok('cp -ax /dev /mnt');
    expect(await files.stat('/mnt/dev/vg/disk')).toMatchObject({ kind: 'block-device', device: { major: 254, minor: 0 } });
    expect((await run('cp /dev/vg/disk /mnt/image')).error).toContain('not copying');
    await ok('umount /dev/vg/disk');
    const guest = await sources.open({ frontDomid: 1, id: 2049, type: 'phy', params: 'vg/disk', mode: 'w' });
    expect((await run('mount /dev/vg/disk /mnt')).error).toContain('in use by a guest domain');
    await guest.close();
    await ok('dd if=/dev/vg/disk of=copy bs=1M');
    expect(await ok('cmp copy /dev/vg/disk')).toBe('');
    await ok('dd if=/dev/urandom of=/dev/vg/disk bs=512 seek=7 count=1');
    expect((await run('cmp copy /dev/vg/disk')).out).toContain('differ: byte 3585');
  });
});

describe('blkid, tune2fs and their family', () => {
  it('tell what is on devices and in files, and change labels', async () => {
    await pool.create('vg/disk', 8 * 1024 * 1024);
    await pool.create('vg/empty', 8 * 1024 * 1024);
    await ok('mkfs.ext3 -q -L first /dev/vg/disk');
    await ok('truncate -s 8M image');
    await ok('mkfs.ext4 -q -F image');
    const uuid = '5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a';
    expect(await ok('blkid')).toBe(`/dev/vg/disk: LABEL="first" UUID="${uuid}" SEC_TYPE="ext2" BLOCK_SIZE="1024" TYPE="ext3"\n`);
    expect(await ok('blkid -o value -s TYPE image')).toBe('ext4\n');
    expect(await ok('blkid -L first')).toBe('/dev/vg/disk\n');
    expect(await ok('blkid -o export image')).toBe(`DEVNAME=image\nUUID=${uuid}\nBLOCK_SIZE=1024\nTYPE=ext4\n\n`);
    expect(await run('blkid /dev/vg/empty')).toMatchObject({ status: 2, out: '', error: '' });
    await pool.create('disk', 16 * 1024 * 1024);
    const whole = pool.volume('disk')!;
    const [first] = placePartitions([{ type: 0x83, bootable: false }], whole.sectors);
    await writePartitionTable(whole, [first!], 0x1a2b3c4d);
    files.devices.add(() => [
      { name: 'sdq', device: { major: 65, minor: 0 }, image: whole },
      { name: 'sdq1', device: { major: 65, minor: 1 }, image: new PartitionImage(whole, first!.start, first!.sectors) },
    ]);
    expect(await ok('blkid /dev/sdq')).toBe('/dev/sdq: PTUUID="1a2b3c4d" PTTYPE="dos"\n');
    expect(await ok('blkid /dev/sdq1')).toBe('/dev/sdq1: PARTUUID="1a2b3c4d-01"\n');
    await ok('mkfs.ext4 -q /dev/sdq1');
    expect(await ok('blkid /dev/sdq1')).toBe(`/dev/sdq1: UUID="${uuid}" BLOCK_SIZE="1024" TYPE="ext4" PARTUUID="1a2b3c4d-01"\n`);
    expect(await ok('blkid -t PARTUUID=1a2b3c4d-01 -o device')).toBe('/dev/sdq1\n');
    expect((await run('blkid /dev/nothing')).error).toContain('No such file');
    await ok('truncate -s 1M swap');
    expect(await ok('mkswap -L more swap')).toBe(
      `Setting up swapspace version 1, size = 1020 KiB (1044480 bytes)\nLABEL=more, UUID=${uuid}\n`,
    );
    expect(await ok('blkid swap')).toBe(`swap: LABEL="more" UUID="${uuid}" TYPE="swap"\n`);
    expect(await swapByHost('/root/swap')).toMatch(new RegExp(`LABEL="more" UUID="${uuid}" VERSION="1" .*TYPE="swap"`));
    await ok('truncate -s 8K tiny');
    expect((await run('mkswap tiny')).error).toContain('at least 40 KiB');

    expect(await ok('e2label /dev/vg/disk')).toBe('first\n');
    await ok('tune2fs -L second -c 30 -i 2w /dev/vg/disk');
    expect(await ok('tune2fs -l /dev/vg/disk')).toMatch(
      /^Filesystem volume name: +second\n[^]*\nCheck interval: +1209600 \(2 weeks\)\n/,
    );
    await ok('mount /dev/vg/disk /mnt');
    expect(await ok('dumpe2fs -h /dev/vg/disk')).toContain('Maximum mount count:      30\n');
    expect((await run('e2label /dev/vg/disk x')).error).toContain('is mounted');
    await ok('umount /mnt');
    const guest = await sources.open({ frontDomid: 1, id: 2049, type: 'phy', params: 'vg/disk', mode: 'w' });
    expect((await run('tune2fs -L x /dev/vg/disk')).error).toContain('in use by a guest domain');
    await guest.close();
    for (const line of [
      'tune2fs /dev/vg/disk',
      'tune2fs -m 60 image',
      'tune2fs -e never image',
      'tune2fs -U 12 image',
      'dumpe2fs image',
    ])
      expect((await run(line)).status, line).toBe(1);
  });
});

describe('mount', () => {
  it('binds directories, which cp -x does not enter, and mounts what /etc/fstab says', async () => {
    await files.makeDirectory('/var/images', { recursive: true });
    await files.writeFile('/var/images/disk', encodeUtf8('disk'));
    await ok('mount --bind /var/images /var/images');
    expect(await ok('mount')).toContain('/dev/root on /var/images type webxen (rw,bind)\n');
    await ok('cp -ax /var /mnt');
    expect(await files.readDirectory('/mnt/var/images')).toEqual([]);
    await ok('umount /var/images');
    await ok('cp -ax /var /root');
    expect(decodeUtf8(await files.readFile('/root/var/images/disk'))).toBe('disk');

    await pool.create('vg/data', 8 * 1024 * 1024);
    await ok('mkfs.ext3 -q /dev/vg/data');
    for (const path of ['/data', '/scratch', '/later']) await files.makeDirectory(path);
    await files.writeFile(
      '/etc/fstab',
      encodeUtf8(
        '/dev/vg/data /data ext3 defaults 0 2\ntmpfs /scratch tmpfs defaults 0 0\ntmpfs /later tmpfs noauto 0 0\n/dev/vg/x none swap sw 0 0\n',
      ),
    );
    await ok('mount -a');
    await ok('mount -a');
    expect(files.mounts.list().map(({ path }) => path)).toEqual(['/', '/dev', '/data', '/scratch']);
    await files.appendFile('/etc/fstab', encodeUtf8('/dev/vg/none /later ext3 defaults 0 0\n'));
    expect(await run('mount -a')).toMatchObject({
      status: 32,
      error: 'mount: /later: special device /dev/vg/none does not exist\n',
    });
  });
});

describe('losetup', () => {
  it('has 8 devices, says so beyond, and as many more as modprobe.conf asks for', async () => {
    await ok('truncate -s 1M f');
    for (let n = 0; n < 8; n += 1) await ok('losetup -f f');
    expect((await run('losetup -f f')).error).toMatch(/unused loop device \(there are 8; max_loop=/);
    await ok('losetup -d /dev/loop3');
    await ok('losetup -o 512 /dev/loop3 f');
    expect(await ok('losetup /dev/loop3')).toContain('(/root/f), offset 512');
    expect((await run('losetup /dev/loop9 f')).error).toContain('No such device');
    await files.writeFile('/etc/modprobe.conf', encodeUtf8('alias eth0 e1000\noptions loop max_loop=64\n'));
    expect(await loopDevicesWanted(files)).toBe(64);
  });
});

describe('dd', () => {
  it.each([
    ['bs=4 skip=1 count=2', 'efghijkl'],
    ['bs=3', 'abcdefghijklmnopqrstuvwxyz'],
    ['bs=20 skip=1', 'uvwxyz'],
  ])('copies to a file: %s', async (operands, copied) => {
    await files.writeFile('/root/in', encodeUtf8('abcdefghijklmnopqrstuvwxyz'));
    await ok(`dd if=in of=out ${operands}`);
    expect(decodeUtf8(await files.readFile('/root/out'))).toBe(copied);
  });

  it('writes in the middle, leaves holes, and goes through pipes', async () => {
    await files.writeFile('/root/in', encodeUtf8('abc'));
    await files.writeFile('/root/out', encodeUtf8('0123456789'));
    await ok('dd if=in of=out bs=1 seek=2 conv=notrunc');
    expect(decodeUtf8(await files.readFile('/root/out'))).toBe('01abc56789');
    await ok('dd if=in of=out bs=1 seek=2');
    expect(decodeUtf8(await files.readFile('/root/out'))).toBe('01abc');
    await ok('dd if=/dev/zero of=holes bs=1M count=3 conv=sparse');
    expect(await files.stat('/root/holes')).toMatchObject({ sizeBytes: 3 * 1024 * 1024, blocks: 0 });
    expect((await run('dd bs=2 count=1', 'xyz')).bytes).toEqual(encodeUtf8('xy'));
    expect(await run('dd if=nowhere')).toMatchObject({ status: 1, error: 'dd: /root/nowhere: No such file or directory\n' });
    expect((await run('dd bs=x')).error).toBe("dd: invalid number: 'x'\n");
  });
});

describe('other programs', () => {
  it('tell and change what files are', async () => {
    await files.writeFile('/root/f', encodeUtf8('text'));
    await ok('chown 5:6 f');
    await ok('truncate -s +1K f');
    expect(await ok('stat -c %s/%u/%g/%F/%a f')).toBe('1028/5/6/regular file/644\n');
    await ok('mknod -m 600 dev b 8 1');
    expect(await ok('stat dev')).toContain('block special file');
    expect(await ok('du -s f')).toBe('4\tf\n');
    expect((await run('chown nobody f')).error).toBe("chown: invalid user: 'nobody'\n");
    await ok('sync');
  });

  it('sum bytes', async () => {
    await files.writeFile('/root/f', encodeUtf8('abc'));
    expect(await ok('md5sum f')).toBe('900150983cd24fb0d6963f7d28e17f72  f\n');
    expect(await ok('sha256sum f')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  f\n');
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000]) {
      const bytes = Uint8Array.from({ length }, (_, n) => n);
      for (const [name, digest] of [
        ['md5', new Md5()],
        ['sha256', new Sha256()],
      ] as const) {
        digest.add(bytes.subarray(0, 10));
        digest.add(bytes.subarray(10));
        const { createHash } = await import('node:crypto');
        expect(digest.hex(), `${name} of ${length}`).toBe(createHash(name).update(bytes).digest('hex'));
      }
    }
  });
});
