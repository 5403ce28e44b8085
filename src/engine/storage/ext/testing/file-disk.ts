/** A file of the host as a disk, and the host's e2fsprogs to compare with. */
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { SECTOR_BYTES, type DiskImage } from '../../disk-image.ts';

export class FileDisk implements DiskImage {
  readonly sectorBytes = 512;
  readonly discardGranularity = 0;
  readonly sectors: number;
  flushes = 0;
  private readonly file: number;

  /** Makes the file when `sizeBytes` is given. */
  constructor(
    path: string,
    sizeBytes?: number,
    readonly readOnly = false,
  ) {
    this.file = openSync(path, sizeBytes === undefined ? (readOnly ? 'r' : 'r+') : 'w+');
    if (sizeBytes !== undefined) ftruncateSync(this.file, sizeBytes);
    this.sectors = Math.floor(fstatSync(this.file).size / SECTOR_BYTES);
  }

  private check(sector: number, bytes: number): void {
    if (!Number.isInteger(sector) || sector < 0 || bytes % SECTOR_BYTES !== 0 || sector + bytes / SECTOR_BYTES > this.sectors)
      throw new RangeError(`${bytes} bytes at sector ${sector}`);
  }
  async read(sector: number, into: Uint8Array): Promise<void> {
    this.check(sector, into.length);
    for (let done = 0; done < into.length;)
      done += readSync(this.file, into, done, into.length - done, sector * SECTOR_BYTES + done);
  }
  async write(sector: number, from: Uint8Array): Promise<void> {
    this.check(sector, from.length);
    writeSync(this.file, from, 0, from.length, sector * SECTOR_BYTES);
  }
  async flush(): Promise<void> {
    this.flushes += 1;
  }
  async discard(): Promise<void> {}
  onResize(): () => void {
    return () => undefined;
  }
  close(): void {
    closeSync(this.file);
  }
}

/** A disk in memory, all in one array. */
export class MemoryDisk implements DiskImage {
  readonly sectorBytes = 512;
  readonly discardGranularity = 0;
  readonly readOnly = false;

  constructor(readonly bytes: Uint8Array) {}

  get sectors(): number {
    return this.bytes.length / SECTOR_BYTES;
  }
  private check(sector: number, bytes: number): void {
    if (!Number.isInteger(sector) || sector < 0 || bytes % SECTOR_BYTES !== 0 || sector + bytes / SECTOR_BYTES > this.sectors)
      throw new RangeError(`${bytes} bytes at sector ${sector}`);
  }
  async read(sector: number, into: Uint8Array): Promise<void> {
    this.check(sector, into.length);
    into.set(this.bytes.subarray(sector * SECTOR_BYTES, sector * SECTOR_BYTES + into.length));
  }
  async write(sector: number, from: Uint8Array): Promise<void> {
    this.check(sector, from.length);
    this.bytes.set(from, sector * SECTOR_BYTES);
  }
  async flush(): Promise<void> {}
  async discard(): Promise<void> {}
  onResize(): () => void {
    return () => undefined;
  }
}

const PLACES = ['/usr/sbin', '/sbin', '/usr/bin', '/usr/local/sbin'];

/** Runs one of the host's tools; undefined when the host has it not. */
export function hostTool(name: string, args: readonly string[], input?: string): { status: number; output: string } | undefined {
  const place = PLACES.find((folder) => existsSync(`${folder}/${name}`));
  if (place === undefined) return undefined;
  const { status, stdout, stderr } = spawnSync(`${place}/${name}`, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...(input === undefined ? {} : { input }),
  });
  return { status: status ?? -1, output: stdout + stderr };
}

export const hostHasE2fsprogs = ['mke2fs', 'e2fsck', 'debugfs', 'dumpe2fs'].every((name) => hostTool(name, ['-V']) !== undefined);
if (!hostHasE2fsprogs)
  process.stderr.write('note: the host has no e2fsprogs: what needs them is skipped (Debian package e2fsprogs)\n');
