import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeSuperblock, readSuperblock, tuneFileSystem } from './describe.ts';
import { FileDisk } from './testing/file-disk.ts';

let directory: string;
let image: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'webxen-describe-'));
  image = join(directory, 'image');
});
afterEach(() => rmSync(directory, { recursive: true }));

const environment = { ...process.env, TZ: 'UTC', LC_ALL: 'C' };
const host = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'pipe'] });

async function withDisk<Result>(body: (disk: FileDisk) => Promise<Result>): Promise<Result> {
  const disk = new FileDisk(image);
  try {
    return await body(disk);
  } finally {
    disk.close();
  }
}

/** What the host's tune2fs lists, without its own first line. */
const listed = (): string => host('tune2fs', '-l', image).replace(/^tune2fs .*\n/, '');
const ours = (): Promise<string> => withDisk(async (disk) => describeSuperblock(await readSuperblock(disk)));

describe('a superblock in words', () => {
  it.each([
    ['ext2', []],
    ['ext3', ['-L', 'a label']],
    ['ext4', ['-b', '4096', '-E', 'stride=16,stripe_width=32']],
    ['ext4', ['-O', '^metadata_csum,^64bit', '-I', '128']],
    ['ext2', ['-O', '^dir_index,^resize_inode', '-m', '0']],
  ])('is what tune2fs -l prints: %s %j', async (type, options) => {
    host('truncate', '-s', '40M', image);
    host(`mkfs.${type}`, '-q', '-F', ...options, image);
    expect(await ours()).toBe(listed());
    host('tune2fs', '-c', '23', '-i', '3m', '-e', 'panic', '-o', 'journal_data_writeback,nobarrier', image);
    host('debugfs', '-w', '-R', 'ssv mtime 1700000000', image);
    host('debugfs', '-w', '-R', 'ssv state 2', image);
    host('debugfs', '-w', '-R', 'ssv kbytes_written 9000000', image);
    expect(await ours()).toBe(listed());
  });
});

describe('settings', () => {
  it.each(['ext2', 'ext3', 'ext4'])('are changed as tune2fs changes them: %s', async (type) => {
    host('truncate', '-s', '40M', image);
    host(`mkfs.${type}`, '-q', '-F', image);
    const now = (): bigint => 1_900_000_000_000_000_000n;
    await withDisk((disk) =>
      tuneFileSystem(
        disk,
        { label: 'größe', maxMounts: -1, checkIntervalSeconds: 86_400 * 10, reservedPercent: 1.5, errors: 2 },
        now,
      ),
    );
    expect(host('e2fsck', '-fn', image)).toContain('files');
    const shown = listed();
    for (const line of [
      /volume name: +größe$/m,
      /Maximum mount count: +-1$/m,
      /Check interval: +864000 \(1 week, 3 days\)$/m,
      /Reserved block count: +614$/m,
      /Errors behavior: +Remount read-only$/m,
      /Last write time: +Sun Mar 17 17:46:40 2030$/m,
    ])
      expect(shown).toMatch(line);
    expect(await ours()).toBe(shown);
    const uuid = new Uint8Array(16).fill(0x5a);
    const change = withDisk((disk) => tuneFileSystem(disk, { uuid, reservedBlocks: 3 }, now));
    if (type === 'ext4') await expect(change).rejects.toThrow('part of all checksums');
    else {
      await change;
      expect(listed()).toMatch(/UUID: +5a5a5a5a-5a5a-.*\n[^]*Reserved block count: +3\n/);
    }
    await expect(withDisk((disk) => tuneFileSystem(disk, { label: 'x'.repeat(17) }, now))).rejects.toThrow('longer than 16 bytes');
    await expect(withDisk((disk) => tuneFileSystem(disk, { reservedBlocks: 30_000 }, now))).rejects.toThrow('more than half');
    expect(host('e2fsck', '-fn', image)).toContain('files');
  });
});
