import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../xenstore/testing/random.ts';
import { CHUNK_BYTES, StorageError } from '../chunk-store.ts';
import type { FileSystem } from '../file-system.ts';
import { MemoryChunkStore } from '../memory-chunk-store.ts';
import { FaultyChunkStore } from '../testing/faulty-chunk-store.ts';
import { memoryFiles } from '../testing/memory-files.ts';
import { decodeUtf8, encodeUtf8 } from '../utf8.ts';
import { INLINE_BYTES_MAX } from './node-record.ts';

const GIB = 2 ** 30;

async function put(files: FileSystem, path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await files.open(path, { create: 0o644 });
  await file.write(offset, bytes);
  await file.close();
}

async function take(files: FileSystem, path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await files.open(path);
  const bytes = new Uint8Array(length).fill(0xee);
  const count = await file.read(offset, bytes);
  await file.close();
  return bytes.slice(0, count);
}

describe('large and sparse files', () => {
  it('of gigabytes take the room of what was written, across a reopening', async () => {
    const chunks = new MemoryChunkStore();
    const { files } = await memoryFiles({ chunks });
    await put(files, '/sparse', 2 * GIB, encodeUtf8('end'));
    await put(files, '/sparse', 1_000_001, encodeUtf8('middle'));
    await files.flush();
    const again = (await memoryFiles({ chunks })).files;
    const status = await again.stat('/sparse');
    expect(status.sizeBytes).toBe(2 * GIB + 3);
    expect(status.blocks * 512).toBe(2 * CHUNK_BYTES);
    expect(decodeUtf8(await take(again, '/sparse', 1_000_000, 8))).toBe('\0middle\0');
    expect(decodeUtf8(await take(again, '/sparse', 2 * GIB, 100))).toBe('end');
    expect(await take(again, '/sparse', GIB, 5)).toEqual(new Uint8Array(5));
    await expect(again.readFile('/sparse')).rejects.toThrow('EFBIG');
    await again.remove('/sparse');
    await again.flush();
    expect(await chunks.chunkNumbers()).toEqual([]);
  });

  it('match an array through writes, cuts and growth of all sizes', async () => {
    const chunks = new MemoryChunkStore();
    let { files } = await memoryFiles({ chunks });
    const random = new SeededRandom(5);
    const MAX = 3 * CHUNK_BYTES;
    let model = new Uint8Array(0);
    await files.writeFile('/f', new Uint8Array(0));
    for (let step = 0; step < 150; step += 1) {
      const choice = random.below(10);
      if (choice < 6) {
        const offset = random.below(random.below(2) === 0 ? 2000 : MAX);
        const bytes = new Uint8Array(1 + random.below(random.below(2) === 0 ? 700 : 100_000)).fill(1 + (step % 250));
        await put(files, '/f', offset, bytes);
        const grown = new Uint8Array(Math.max(model.length, offset + bytes.length));
        grown.set(model);
        grown.set(bytes, offset);
        model = grown;
      } else if (choice < 8) {
        const size = random.below(MAX);
        await files.truncate('/f', size);
        const cut = new Uint8Array(size);
        cut.set(model.subarray(0, size));
        model = cut;
      } else {
        await files.flush();
        if (choice === 9) ({ files } = await memoryFiles({ chunks }));
      }
      expect(Buffer.compare(await files.readFile('/f'), model), `step ${step}`).toBe(0);
    }
  });

  it('share their chunks when copied, and go their own ways', async () => {
    const { files, pool } = await memoryFiles();
    await put(files, '/a', 0, new Uint8Array(10 * CHUNK_BYTES).fill(1));
    await files.flush();
    const before = pool.use().chunks;
    await files.copy('/a', '/b');
    expect(pool.use().chunks).toBe(before);
    await put(files, '/b', 5, new Uint8Array([9]));
    expect((await take(files, '/a', 5, 1))[0]).toBe(1);
    expect((await take(files, '/b', 5, 1))[0]).toBe(9);
  });

  it('serve as disks of whole sectors', async () => {
    const chunks = new MemoryChunkStore();
    const { files } = await memoryFiles({ chunks });
    for (const [path, size] of [
      ['/small', 2048],
      ['/large', GIB],
    ] as const) {
      await files.truncate(path, size);
      const file = await files.open(path);
      const disk = file.disk(false)!;
      expect(disk.sectors).toBe(size / 512);
      await disk.write(size / 512 - 1, new Uint8Array(512).fill(3));
      await disk.flush();
      const back = new Uint8Array(1024);
      await disk.read(size / 512 - 2, back);
      expect(back).toEqual(Uint8Array.of(...new Uint8Array(512), ...new Uint8Array(512).fill(3)));
      await expect(disk.write(size / 512, new Uint8Array(512))).rejects.toThrow(RangeError);
      const again = (await memoryFiles({ chunks })).files;
      expect((await take(again, path, size - 1, 1))[0]).toBe(3);
      await files.remove(path);
      await disk.read(size / 512 - 1, back.subarray(0, 512));
      expect(back[0]).toBe(3);
      await file.close();
    }
    await files.flush();
    expect(await chunks.chunkNumbers()).toEqual([]);
  });

  it('take and give at once, as disks, what lies in memory', async () => {
    const chunks = new MemoryChunkStore();
    const { files } = await memoryFiles({ chunks });
    await files.truncate('/disk', GIB);
    const file = await files.open('/disk');
    const disk = file.disk(false)!;
    const pieces = [4, 5].map((value) => new Uint8Array(512).fill(value));
    await disk.write(7, new Uint8Array(512).fill(1));
    expect(disk.writeNow?.(8, pieces)).toBe(true);
    const back = [new Uint8Array(1024), new Uint8Array(512)];
    expect(disk.readNow?.(7, back)).toBe(true);
    expect(back.map((piece) => [piece[0], piece[511], piece[512]])).toEqual([
      [1, 1, 4],
      [5, 5, undefined],
    ]);
    await disk.flush();
    // What another opening reads first has to be fetched.
    const again = (await memoryFiles({ chunks })).files;
    const other = (await again.open('/disk')).disk(true)!;
    expect(other.readNow?.(7, back)).toBe(false);
    await other.read(7, back[0]!);
    expect(back[0]?.[512]).toBe(4);
    expect(other.readNow?.(9, [back[1]!])).toBe(true);
    expect(() => other.writeNow?.(8, pieces)).toThrow('read-only');
    expect(() => disk.writeNow?.(GIB / 512 - 1, pieces)).toThrow(RangeError);
    await file.close();
  });

  it('tell, as disks, when they have grown or become smaller', async () => {
    const { files } = await memoryFiles({ chunks: new MemoryChunkStore() });
    await files.truncate('/disk', 4096);
    const file = await files.open('/disk');
    const disk = file.disk(false)!;
    const sizes: number[] = [];
    const forget = disk.onResize(() => sizes.push(disk.sectors));
    await disk.write(0, new Uint8Array(512));
    await file.write(0, new Uint8Array(4096));
    expect(sizes).toEqual([]);
    await file.write(4096, new Uint8Array(100));
    await file.write(4196, new Uint8Array(412));
    await files.truncate('/disk', GIB);
    await files.writeFile('/disk', new Uint8Array(1024));
    expect(sizes).toEqual([9, GIB / 512, 2]);
    forget();
    await files.truncate('/disk', 0);
    expect(sizes).toHaveLength(3);
    await file.close();
  });

  it('keep what is asked for in memory bounded, and say when there is no room', async () => {
    const { files, root } = await memoryFiles({ memoryBytesMax: 100_000 });
    await files.writeFile('/a', new Uint8Array(90_000));
    await expect(files.writeFile('/b', new Uint8Array(20_000))).rejects.toThrow('ENOSPC');
    await files.flush();
    expect(root.bytesInMemory).toBe(0);
    await files.writeFile('/b', new Uint8Array(20_000));
    await files.remove('/b');
    expect(root.bytesInMemory).toBe(0);
  });
});

describe('what is stored', () => {
  it('is all of it: owners, modes, times, links, devices', async () => {
    const chunks = new MemoryChunkStore();
    const { files, fresh } = await memoryFiles({ chunks });
    expect(fresh).toBe(true);
    await files.makeDirectory('/d/e', { recursive: true, mode: 0o1777 });
    await files.writeFile('/d/file', encodeUtf8('x'), 0o755);
    await files.changeOwner('/d/file', 1000, 65534);
    await files.changeTimes('/d/file', 77.5, 88.25);
    await files.link('/d/file', '/hard');
    await files.symlink('d/file', '/soft');
    await files.makeNode('/disk', 'block-device', 0o660, { major: 254, minor: 3 });
    await files.makeNode('/pipe', 'fifo', 0o600, { major: 0, minor: 0 });
    await files.flush();
    const opened = await memoryFiles({ chunks });
    const again = opened.files;
    expect(opened.fresh).toBe(false);
    expect(await again.stat('/hard')).toMatchObject({
      mode: 0o755,
      uid: 1000,
      gid: 65534,
      mtimeMs: 77.5,
      atimeMs: 88.25,
      links: 2,
      sizeBytes: 1,
      inode: (await again.stat('/d/file')).inode,
    });
    expect(await again.readLink('/soft')).toBe('d/file');
    expect(await again.stat('/disk')).toMatchObject({ kind: 'block-device', device: { major: 254, minor: 3 }, mode: 0o660 });
    expect((await again.stat('/pipe')).kind).toBe('fifo');
    expect((await again.stat('/d')).links).toBe(3);
  });

  it('waits when a commit is refused', async () => {
    const store = new FaultyChunkStore(new MemoryChunkStore());
    const lines: string[] = [];
    const { files } = await memoryFiles({ chunks: store, log: (line) => lines.push(line) });
    store.refusal = new StorageError('ENOSPC', 'there is no room left');
    await files.writeFile('/kept', encodeUtf8('1'));
    await files.writeFile('/large', new Uint8Array(INLINE_BYTES_MAX + 1).fill(2));
    await expect(files.flush()).rejects.toThrow('there is no room left');
    store.refusal = undefined;
    await files.flush();
    const again = (await memoryFiles({ chunks: store.inner })).files;
    expect(decodeUtf8(await again.readFile('/kept'))).toBe('1');
    expect((await again.stat('/large')).sizeBytes).toBe(INLINE_BYTES_MAX + 1);
    expect(lines.join()).toContain('could not be stored');
  });

  it('is put into lost+found where the directory that named it is damaged', async () => {
    const chunks = new MemoryChunkStore();
    const { files } = await memoryFiles({ chunks });
    await files.makeDirectory('/d');
    await files.writeFile('/d/file', encodeUtf8('precious'));
    const { inode } = await files.stat('/d');
    await files.flush();
    const record = (await chunks.records()).get(`inode:${inode}`)!;
    record[20]! ^= 1;
    await chunks.commit({ records: [[`inode:${inode}`, record]] });
    const lines: string[] = [];
    const again = (await memoryFiles({ chunks, log: (line) => lines.push(line) })).files;
    const [name] = await again.readDirectory('/lost+found');
    expect(decodeUtf8(await again.readFile(`/lost+found/${name!.name}`))).toBe('precious');
    expect(lines.join()).toContain(`inode ${inode} is damaged`);
  });
});

/**
 * A history of changes on a store that dies after its n-th commit, for every n. What was there at the last sync acknowledged is
 * there, or what came after it; files are whole; nothing leaks.
 */
describe('a crash at any commit', () => {
  const FILES = 6;

  async function history(files: FileSystem, seed: number, acknowledged: (states: Map<string, number>) => void): Promise<void> {
    const random = new SeededRandom(seed);
    const now = new Map<string, number>();
    for (let step = 1; step <= 60; step += 1) {
      const path = `/dir${random.below(2)}/f${random.below(FILES)}`;
      const choice = random.below(10);
      if (choice < 6) {
        // Each byte says which step wrote the file; large and small ones take turns.
        const size = random.below(2) === 0 ? 10 + step : INLINE_BYTES_MAX + 1000 * step;
        await files.makeDirectory(path.slice(0, 5), { recursive: true });
        await files.writeFile(path, new Uint8Array(size).fill(step));
        now.set(path, step);
      } else if (choice === 6 && now.delete(path)) await files.remove(path);
      else if (choice === 7 && now.has(path) && now.has('/moved') === false) {
        await files.move(path, '/moved');
        now.set('/moved', now.get(path)!);
        now.delete(path);
      } else if (choice >= 8) {
        const then = new Map(now);
        await files.flush();
        acknowledged(then);
      }
    }
    await files.flush();
  }

  async function check(files: FileSystem, acknowledged: ReadonlyMap<string, number>): Promise<void> {
    const paths = ['/moved', ...[0, 1].flatMap((d) => [...Array(FILES).keys()].map((f) => `/dir${d}/f${f}`))];
    for (const path of paths) {
      if (!(await files.exists(path))) continue;
      const bytes = await files.readFile(path);
      const step = bytes[0]!;
      expect(
        bytes.every((byte) => byte === step),
        `${path} is of one piece`,
      ).toBe(true);
      expect([10 + step, INLINE_BYTES_MAX + 1000 * step]).toContain(bytes.length);
      if (path !== '/moved') expect(step, path).toBeGreaterThanOrEqual(acknowledged.get(path) ?? 0);
    }
  }

  it.each([1, 2, 3])('leaves the tree of one moment (history %i)', async (seed) => {
    const whole = new FaultyChunkStore(new MemoryChunkStore());
    await history((await memoryFiles({ chunks: whole })).files, seed, () => undefined);
    const total = whole.commits.length;
    expect(total).toBeGreaterThan(10);
    for (let deaths = 0; deaths < total; deaths += 1) {
      const disk = new MemoryChunkStore();
      const dying = new FaultyChunkStore(disk);
      dying.commitsLeft = deaths;
      dying.lastCommitLands = deaths % 2 === 0;
      let last = new Map<string, number>();
      const { files } = await memoryFiles({ chunks: dying });
      await history(files, seed, (then) => (last = then)).catch((error: unknown) => {
        expect(String(error)).toContain('died');
      });
      const after = await memoryFiles({ chunks: disk });
      await check(after.files, last);
      expect(await disk.chunkNumbers()).toHaveLength(after.pool.use().chunks);
      expect(await after.files.exists('/lost+found')).toBe(false);
      for (const { name } of await after.files.readDirectory('/')) await after.files.remove(`/${name}`, { recursive: true });
      await after.files.flush();
      expect(await disk.chunkNumbers()).toEqual([]);
      expect([...(await disk.records()).keys()].filter((key) => key !== 'inode:1')).toEqual([]);
    }
  });
});
