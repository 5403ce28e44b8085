import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, type ChunkStore } from '../../engine/storage/chunk-store.ts';
import { VolumePool } from '../../engine/storage/volume-pool.ts';
import { SeededRandom } from '../../engine/xenstore/testing/random.ts';
import { OpfsChunkStore } from './opfs-chunk-store.ts';
import { describeChunkStore } from './testing/chunk-store-contract.ts';
import { LossyDisk } from './testing/lossy-files.ts';

describeChunkStore('OpfsChunkStore', async () => {
  const disk = new LossyDisk();
  return { open: () => Promise.resolve(new OpfsChunkStore(disk.files)) };
});

/** Writes its journal anew, cuts its file and moves chunks down all the time, between the steps of whoever uses it. */
const EAGER = { rewriteBytes: 250, trimSlots: 1, turn: () => Promise.resolve() };

const chunk = (value: number): Uint8Array => new Uint8Array(CHUNK_BYTES).fill(value);

/** All that a store says, in a form to compare. */
async function contents(store: ChunkStore): Promise<string> {
  const numbers = [...(await store.chunkNumbers())].sort((a, b) => a - b);
  const chunks = await store.readChunks(numbers);
  const values = chunks.map((bytes) => (bytes!.every((byte) => byte === bytes![0]) ? bytes![0] : 'mixed'));
  const records = [...(await store.records())].map(([key, bytes]) => `${key}=${bytes.join('.')}`).sort();
  return JSON.stringify([numbers.map((number, n) => [number, values[n]]), records]);
}

/**
 * Commits at random until something throws; `acknowledged` is kept up to date, `next` is what the commit under way would make, and
 * `between` what was acknowledged with chunks that need not be durable yet.
 */
async function history(
  store: ChunkStore,
  random: SeededRandom,
  commits: number,
  seen: { acknowledged: string; between: string; next: string },
): Promise<void> {
  const chunks = new Map<number, number>();
  const records = new Map<string, string>();
  const shown = (): string =>
    JSON.stringify([[...chunks].sort(([a], [b]) => a - b), [...records].map(([key, value]) => `${key}=${value}`).sort()]);
  seen.acknowledged = seen.between = seen.next = shown();
  let number = 1;
  for (let n = 0; n < commits; n += 1) {
    const added: [number, Uint8Array][] = [];
    const dropped: number[] = [];
    for (let m = random.below(3); m > 0; m -= 1) {
      added.push([number, chunk(number % 251)]);
      chunks.set(number, number % 251);
      number += 1;
    }
    const early = added.splice(0, random.below(added.length + 1));
    if (early.length > 0) {
      for (const [later] of added) chunks.delete(later);
      seen.between = shown();
      for (const [later] of added) chunks.set(later, later % 251);
      await store.commit({ chunks: early, durable: false });
      // It may be given up again before it ever was durable.
      const given = early.filter(() => random.below(4) === 0).map(([gone]) => gone);
      for (const gone of given) chunks.delete(gone);
      dropped.push(...given);
    }
    const old = [...chunks.keys()].filter((candidate) => !added.some(([fresh]) => fresh === candidate) && random.below(3) === 0);
    for (const gone of old) chunks.delete(gone);
    old.push(...dropped);
    const key = `r${random.below(4)}`;
    const value = random.bytes(1 + random.below(40));
    const forgotten = `r${random.below(4)}`;
    if (forgotten !== key) records.delete(forgotten);
    records.set(key, value.join('.'));
    seen.next = shown();
    await store.commit({
      chunks: added,
      removedChunks: old,
      records: [[key, value]],
      removedRecords: forgotten === key ? [] : [forgotten],
    });
    seen.acknowledged = seen.between = seen.next;
  }
}

describe('OpfsChunkStore', () => {
  it('is what its last commit made it, or the one under way, wherever the machine stops', async () => {
    const whole = new LossyDisk();
    await history(new OpfsChunkStore(whole.files, EAGER), new SeededRandom(3), 12, { acknowledged: '', between: '', next: '' });
    expect(whole.steps).toBeGreaterThan(30);
    for (let stop = 3; stop < whole.steps; stop += 1) {
      const disk = new LossyDisk();
      const seen = { acknowledged: '[[],[]]', between: '[[],[]]', next: '[[],[]]' };
      const store = new OpfsChunkStore(disk.files, EAGER);
      disk.stepsLeft = stop - disk.steps < 0 ? 0 : stop - disk.steps;
      const outcome = await history(store, new SeededRandom(3), 12, seen).catch((error: unknown) => error);
      // Chunks may be on their way down after the last commit.
      await new Promise((resolve) => setImmediate(resolve));
      if (outcome !== undefined) expect(outcome).toHaveProperty('message', expect.stringContaining('machine'));
      expect(disk.hasStopped).toBe(true);
      disk.restart(new SeededRandom(stop + 1));
      const again = new OpfsChunkStore(disk.files, EAGER);
      const found = await contents(again);
      expect([seen.acknowledged, seen.between, seen.next], `stopped at step ${stop}`).toContain(found);
      await again.commit({ chunks: [[9999, chunk(9)]] });
      disk.restart(new SeededRandom(stop + 2));
      expect(await contents(new OpfsChunkStore(disk.files, EAGER))).toContain('[9999,9]');
    }
  });

  it('changes nothing when there is no room, and goes on when there is', async () => {
    for (let failures = 1; failures < 5; failures += 1) {
      for (let before = 0; before < 4; before += 1) {
        const disk = new LossyDisk();
        const store = new OpfsChunkStore(disk.files);
        for (let n = 1; n <= before; n += 1) await store.commit({ chunks: [[n, chunk(n)]], removedChunks: [n - 1] });
        const held = await contents(store);
        disk.failures = failures;
        const outcome = await store.commit({ chunks: [[50, chunk(50)]], removedChunks: [before] }).catch((error: unknown) => error);
        expect(outcome).toMatchObject({ code: 'ENOSPC' });
        disk.failures = 0;
        const lost = await store.chunkNumbers().then(
          () => false,
          () => true,
        );
        if (lost) continue;
        expect(await contents(store)).toBe(held);
        await store.commit({ chunks: [[51, chunk(51)]] });
        disk.restart(new SeededRandom(failures));
        expect(await contents(new OpfsChunkStore(disk.files))).toContain('[51,51]');
      }
    }
  });

  it('keeps its journal short', async () => {
    const disk = new LossyDisk();
    const store = new OpfsChunkStore(disk.files, { rewriteBytes: 2000 });
    for (let n = 0; n < 300; n += 1) await store.commit({ records: [['a', new Uint8Array([n & 0xff])]] });
    const sizes = disk.files.journals.map((file) => file.getSize());
    expect(Math.max(...sizes)).toBeLessThan(2500);
    expect(await contents(new OpfsChunkStore(disk.files, { rewriteBytes: 2000 }))).toBe(`[[],["a=${299 & 0xff}"]]`);
  });

  it('uses the room of removed chunks again', async () => {
    const disk = new LossyDisk();
    const store = new OpfsChunkStore(disk.files);
    for (let n = 1; n < 20; n += 1) await store.commit({ chunks: [[n, chunk(n)]], removedChunks: [n - 1] });
    expect(disk.files.chunks.getSize()).toBeLessThanOrEqual(2 * CHUNK_BYTES);
  });

  it('gives the room of removed chunks at its end back, and takes the lowest first', async () => {
    const disk = new LossyDisk();
    const store = new OpfsChunkStore(disk.files, { trimSlots: 4 });
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    await store.commit({ chunks: numbers.map((n) => [n, chunk(n)]) });
    const size = (): number => disk.files.chunks.getSize() / CHUNK_BYTES;
    await store.commit({ removedChunks: [0, 1, 2, 17, 18, 19] });
    expect(size()).toBe(20);
    await store.commit({ removedChunks: [3, 4, 5, 16] });
    expect(size()).toBe(16);
    await store.commit({ chunks: [[50, chunk(50)]], removedChunks: numbers.slice(8, 16) });
    expect(size()).toBe(8);
    const left = [6, 7, 50];
    const read = await store.readChunks(left);
    expect(read.map((bytes) => bytes?.[0])).toEqual(left);
    disk.failures = 2;
    await store.commit({ removedChunks: [6, 7] }).catch(() => undefined);
    disk.failures = 0;
    disk.restart(new SeededRandom(5));
    expect((await new OpfsChunkStore(disk.files, { trimSlots: 4 }).readChunks([50]))[0]).toEqual(chunk(50));
  });

  it('moves the chunks at its end down when much before them was removed', async () => {
    const disk = new LossyDisk();
    const store = new OpfsChunkStore(disk.files, { trimSlots: 4 });
    await store.commit({ chunks: Array.from({ length: 60 }, (_, n) => [n, chunk(n)]) });
    const left = [0, 20, 37, 58, 59];
    await store.commit({ removedChunks: Array.from({ length: 60 }, (_, n) => n).filter((n) => !left.includes(n)) });
    await store.commit({ chunks: [[70, chunk(70)]] });
    await expect.poll(() => disk.files.chunks.getSize() / CHUNK_BYTES).toBe(6);
    await expect.poll(() => disk.reopened).toBeGreaterThan(0);
    const held = JSON.stringify([[...left, 70].map((n) => [n, n]), []]);
    expect(await contents(store)).toBe(held);
    disk.restart(new SeededRandom(3));
    expect(await contents(new OpfsChunkStore(disk.files))).toBe(held);
  });

  it('leaves few free slots where they are', async () => {
    const disk = new LossyDisk();
    const store = new OpfsChunkStore(disk.files, { trimSlots: 4, turn: () => Promise.resolve() });
    await store.commit({ chunks: Array.from({ length: 60 }, (_, n) => [n, chunk(n)]) });
    const steps = disk.steps;
    await store.commit({ removedChunks: Array.from({ length: 15 }, (_, n) => n) });
    await new Promise((resolve) => setImmediate(resolve));
    // The entry of the journal and its flush.
    expect(disk.steps - steps).toBe(2);
    expect(disk.files.chunks.getSize() / CHUNK_BYTES).toBe(60);
  });

  it('carries volumes', async () => {
    const disk = new LossyDisk();
    const pool = await VolumePool.open(new OpfsChunkStore(disk.files));
    const volume = await pool.create('root', 4 * CHUNK_BYTES);
    await volume.write(700, new Uint8Array(1024).fill(3));
    await volume.flush();
    disk.restart(new SeededRandom(1));
    const bytes = new Uint8Array(1024);
    await (await VolumePool.open(new OpfsChunkStore(disk.files))).volume('root')!.read(700, bytes);
    expect(Buffer.from(bytes).equals(Buffer.alloc(1024, 3))).toBe(true);
  });
});
