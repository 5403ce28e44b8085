/** The library against a model in memory and against the host's e2fsprogs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExtFileSystem } from './ext-file-system.ts';
import { makeFileSystem, type MakeOptions } from './make-file-system.ts';
import { FileDisk, MemoryDisk, hostHasE2fsprogs, hostTool } from './testing/file-disk.ts';
import { ModelDriver, seededRandom } from './testing/model.ts';

const uuid = Uint8Array.from({ length: 16 }, (_, n) => n * 16 + 1);
const now = (): bigint => 1_700_000_000_123_456_789n;
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ext-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What e2fsck -fn says against the image; empty = clean. */
function complaints(path: string): string {
  const result = hostTool('e2fsck', ['-fn', path]);
  return result === undefined || result.status === 0 ? '' : result.output;
}

const KINDS: readonly (readonly [string, number, Omit<MakeOptions, 'uuid' | 'now'>])[] = [
  ['ext2, blocks of 1 KiB', 24, { type: 'ext2', blockBytes: 1024 }],
  ['ext2, blocks of 4 KiB, small inodes', 24, { type: 'ext2', blockBytes: 4096, inodeBytes: 128 }],
  ['ext3, blocks of 1 KiB', 24, { type: 'ext3', blockBytes: 1024 }],
  ['ext4, blocks of 1 KiB', 24, { type: 'ext4', blockBytes: 1024 }],
  ['ext4, blocks of 2 KiB', 24, { type: 'ext4', blockBytes: 2048 }],
  ['ext4, blocks of 4 KiB', 24, { type: 'ext4', blockBytes: 4096, inodeRatio: 4096 }],
];

describe('random operations', () => {
  it.each(KINDS)('leave %s as a model says and clean', async (_name, mib, options) => {
    const path = join(folder, 'random.img');
    const disk = new FileDisk(path, mib * 1024 * 1024);
    await makeFileSystem(disk, { ...options, uuid, now });
    const fs = await ExtFileSystem.open(disk, { readOnly: false, now });
    const driver = new ModelDriver(fs, seededRandom(mib + (options.blockBytes ?? 0)), 300_000);
    for (let n = 0; n < 1500; n += 1) {
      await driver.step();
      if (n % 500 === 250) await driver.compare(fs);
    }
    await driver.compare(fs);
    await fs.unmount();
    expect(complaints(path)).toBe('');
    const again = await ExtFileSystem.open(disk, { readOnly: true, now });
    await driver.compare(again);
    disk.close();
  });
});

describe('makeFileSystem', () => {
  it('makes what the host finds clean and of the same sizes as its own', async () => {
    for (const [mib, type] of [
      [1, 'ext2'],
      [40, 'ext3'],
      [600, 'ext4'],
      [2048, 'ext3'],
    ] as const) {
      const path = join(folder, 'made.img');
      const disk = new FileDisk(path, mib * 1024 * 1024);
      await makeFileSystem(disk, { type, uuid, now, label: 'a label' });
      disk.close();
      if (!hostHasE2fsprogs) continue;
      expect(complaints(path)).toBe('');
      const sizes = (file: string): string[] =>
        (hostTool('dumpe2fs', ['-h', file])?.output ?? '')
          .split('\n')
          .filter((line) =>
            /^(Inode count|Block count|Reserved|Free|First|Blocks per|Inodes per|Filesystem features|Journal|Total journal)/.test(
              line,
            ),
          );
      hostTool('mke2fs', ['-q', '-F', '-t', type, '-L', 'a label', join(folder, 'host.img'), `${mib}M`]);
      expect(sizes(path)).toEqual(sizes(join(folder, 'host.img')));
    }
  });

  it('writes little to an empty disk', async () => {
    let written = 0;
    const disk = new FileDisk(join(folder, 'sparse.img'), 2 * 1024 * 1024 * 1024);
    const write = disk.write.bind(disk);
    disk.write = (sector, from) => {
      written += from.length;
      return write(sector, from);
    };
    await makeFileSystem(disk, { type: 'ext4', uuid, now });
    disk.close();
    expect(written).toBeLessThan(2 * 1024 * 1024);
  });

  it.each([
    [{ blockBytes: 512 }, /blocks of 512 bytes/],
    [{ reservedPercent: 60 }, /60 percent/],
    [{ journalMiB: 512 }, /journal of 512 MiB/],
    [{ inodeRatio: 100 }, /an inode for each 100 bytes/],
    [{ label: 'a label much too long' }, /longer than 16 bytes/],
  ])('refuses %o', async (options, message) => {
    const disk = new MemoryDisk(new Uint8Array(8 * 1024 * 1024));
    await expect(makeFileSystem(disk, { type: 'ext3', uuid, now, ...options })).rejects.toThrow(message);
  });
});

describe('an open file system', () => {
  async function mounted(type: 'ext2' | 'ext3' | 'ext4' = 'ext4', mib = 8): Promise<{ disk: MemoryDisk; fs: ExtFileSystem }> {
    const disk = new MemoryDisk(new Uint8Array(mib * 1024 * 1024));
    await makeFileSystem(disk, { type, uuid, now });
    return { disk, fs: await ExtFileSystem.open(disk, { readOnly: false, now }) };
  }
  const plain = { mode: 0o644, uid: 0, gid: 0 };

  it('keeps what is held until it is released, also over a crash', async () => {
    const { disk, fs } = await mounted();
    const before = await fs.statfs();
    const inode = await fs.create(fs.root, 'open', { kind: 'file', ...plain });
    await fs.write(inode, 0, new Uint8Array(100_000).fill(7));
    fs.hold(inode);
    await fs.unlink(fs.root, 'open');
    const byte = new Uint8Array(1);
    await fs.read(inode, 5000, byte);
    expect(byte[0]).toBe(7);
    await fs.sync();
    const crashed = new MemoryDisk(disk.bytes.slice());
    await fs.release(inode);
    await expect(fs.stat(inode)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await fs.statfs()).toEqual(before);
    const after = await ExtFileSystem.open(crashed, { readOnly: false, now });
    expect(after.warnings).toEqual(['mounting unchecked fs, running e2fsck is recommended']);
    expect(await after.statfs()).toEqual(before);
  });

  it('keeps times, owners and devices', async () => {
    const { fs } = await mounted();
    const inode = await fs.create(fs.root, 'disk', {
      kind: 'block-device',
      mode: 0o660,
      uid: 70001,
      gid: 70002,
      device: { major: 259, minor: 70000 },
    });
    await fs.setAttributes(inode, { atimeNs: -1_500_000_001n, mtimeNs: 9_000_000_000_123_456_789n });
    expect(await fs.stat(inode)).toMatchObject({
      kind: 'block-device',
      mode: 0o660,
      uid: 70001,
      gid: 70002,
      device: { major: 259, minor: 70000 },
      atimeNs: -1_500_000_001n,
      mtimeNs: 9_000_000_000_123_456_789n,
      ctimeNs: now(),
    });
  });

  it('is full with ENOSPC, gives back all, and takes as much again', async () => {
    const { fs } = await mounted('ext3', 4);
    const before = await fs.statfs();
    for (let round = 0; round < 2; round += 1) {
      const inode = await fs.create(fs.root, 'big', { kind: 'file', ...plain });
      let offset = 0;
      for (;;) {
        const count = await fs.write(inode, offset, new Uint8Array(300_000)).catch((error: { code: string }) => error.code);
        if (typeof count === 'string') {
          expect(count).toBe('ENOSPC');
          break;
        }
        offset += count;
      }
      expect(offset).toBeGreaterThan(2_000_000);
      expect((await fs.statfs()).freeBlocks).toBeLessThan(4);
      await fs.unlink(fs.root, 'big');
      expect(await fs.statfs()).toEqual(before);
    }
  });

  it('holds files of many GB with holes', async () => {
    for (const type of ['ext3', 'ext4'] as const) {
      const { fs } = await mounted(type);
      const inode = await fs.create(fs.root, 'sparse', { kind: 'file', ...plain });
      const places = [0, 5_000_000, 15_000_000_000];
      for (const place of places) await fs.write(inode, place, Uint8Array.of(1, 2, 3));
      const status = await fs.stat(inode);
      expect(status.sizeBytes).toBe(15_000_000_003);
      expect(status.blocks).toBeLessThan(40);
      const bytes = new Uint8Array(5);
      for (const place of places) {
        expect(await fs.read(inode, Math.max(0, place - 1), bytes)).toBe(place === 0 ? 5 : place < 1e10 ? 5 : 4);
        expect([...bytes.subarray(0, 4)]).toEqual(place === 0 ? [1, 2, 3, 0] : [0, 1, 2, 3]);
      }
    }
  });

  it('finds ten thousand names by their hashes', async () => {
    const path = join(folder, 'many.img');
    const disk = new FileDisk(path, 32 * 1024 * 1024);
    await makeFileSystem(disk, { type: 'ext3', uuid, now, blockBytes: 1024, inodes: 12_000 });
    const fs = await ExtFileSystem.open(disk, { readOnly: false, now });
    const directory = await fs.create(fs.root, 'many', { kind: 'directory', ...plain });
    for (let n = 0; n < 10_000; n += 1) await fs.create(directory, `a file of the number ${n}`, { kind: 'fifo', ...plain });
    for (let n = 0; n < 10_000; n += 3) await fs.unlink(directory, `a file of the number ${n}`);
    for (let n = 0; n < 10_000; n += 111)
      expect(await fs.lookup(directory, `a file of the number ${n}`)).toEqual(
        n % 3 === 0 ? undefined : (expect.any(Number) as unknown),
      );
    await fs.unmount();
    disk.close();
    expect(complaints(path)).toBe('');
  });
});
