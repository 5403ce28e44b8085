/** Checking and growing, against the host's e2fsck where it is there: both must find clean what is clean, and damage where it is. */
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CheckMode, type CheckResult, checkFileSystem } from './check-file-system.ts';
import { ExtFileSystem } from './ext-file-system.ts';
import { type MakeOptions, makeFileSystem } from './make-file-system.ts';
import { resizeFileSystem } from './resize-file-system.ts';
import { FileDisk, hostTool } from './testing/file-disk.ts';
import { ModelDriver, seededRandom } from './testing/model.ts';

const MIB = 1024 * 1024;
const uuid = Uint8Array.from({ length: 16 }, (_, n) => n * 16 + 1);
const now = (): bigint => 1_700_000_000_123_456_789n;
const KINDS: readonly (readonly [string, Omit<MakeOptions, 'uuid' | 'now'>])[] = [
  ['ext2, blocks of 1 KiB', { type: 'ext2', blockBytes: 1024 }],
  ['ext3, blocks of 4 KiB', { type: 'ext3', blockBytes: 4096 }],
  ['ext4, blocks of 1 KiB', { type: 'ext4', blockBytes: 1024 }],
];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ext-check-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Exit status of the host's e2fsck -fn; undefined without it. */
const hostStatus = (path: string): number | null | undefined => hostTool('e2fsck', ['-fn', path])?.status;

async function check(disk: FileDisk, mode: CheckMode): Promise<CheckResult & { lines: string[] }> {
  const lines: string[] = [];
  const result = await checkFileSystem(disk, { mode, force: true, now, report: (line) => lines.push(line) });
  return { ...result, lines };
}

async function used(options: Omit<MakeOptions, 'uuid' | 'now'>, path: string, bytes: number): Promise<[FileDisk, ModelDriver]> {
  const disk = new FileDisk(path, bytes);
  await makeFileSystem(disk, { ...options, uuid, now });
  const fs = await ExtFileSystem.open(disk, { readOnly: false, now });
  const driver = new ModelDriver(fs, seededRandom(7), 100_000);
  for (let n = 0; n < 300; n += 1) await driver.step();
  await fs.unmount();
  return [disk, driver];
}

describe.each(KINDS)('%s', (name, options) => {
  const path = (): string => join(folder, `${name.replaceAll(/\W+/g, '-')}.img`);

  it('is clean after use, also to the host', async () => {
    const [disk] = await used(options, path(), 24 * MIB);
    expect(await check(disk, 'no')).toMatchObject({ exitCode: 0, fixed: 0, left: 0 });
    expect([0, undefined]).toContain(hostStatus(path()));
    disk.close();
  });

  it('is repaired when the state of its blocks is wrong', async () => {
    const [disk] = await used(options, path(), 24 * MIB);
    const blockBytes = options.blockBytes ?? 4096;
    // The block bitmap of the first group, by its descriptor: all of a byte's blocks free that were in use, or the reverse.
    const descriptor = new Uint8Array(512);
    await disk.read(((blockBytes === 1024 ? 2 : 1) * blockBytes) / 512, descriptor);
    const bitmap = new DataView(descriptor.buffer).getUint32(0, true);
    const sector = new Uint8Array(512);
    await disk.read((bitmap * blockBytes) / 512, sector);
    sector[3] = (sector[3] ?? 0) ^ 0xff;
    await disk.write((bitmap * blockBytes) / 512, sector);
    expect((await check(disk, 'no')).exitCode).toBe(4);
    expect([4, undefined]).toContain(hostStatus(path()));
    expect((await check(disk, 'yes')).exitCode).toBe(1);
    expect(await check(disk, 'no')).toMatchObject({ exitCode: 0, left: 0 });
    expect([0, undefined]).toContain(hostStatus(path()));
    disk.close();
  });

  it('grows, and keeps its files', async () => {
    const [small, driver] = await used(options, path(), 24 * MIB);
    small.close();
    truncateSync(path(), 90 * MIB);
    const disk = new FileDisk(path());
    const { blocksBefore, blocks } = await resizeFileSystem(disk, { now });
    expect(blocks).toBeGreaterThan(blocksBefore * 3);
    expect(await check(disk, 'no')).toMatchObject({ exitCode: 0, left: 0 });
    expect([0, undefined]).toContain(hostStatus(path()));
    await driver.compare(await ExtFileSystem.open(disk, { readOnly: true, now }));
    disk.close();
  });
});
