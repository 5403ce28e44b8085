import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, StorageError, type ChunkStore } from '../../engine/storage/chunk-store.ts';
import { MemoryChunkStore } from '../../engine/storage/memory-chunk-store.ts';
import { FaultyChunkStore } from '../../engine/storage/testing/faulty-chunk-store.ts';
import { OpfsChunkStore } from './opfs-chunk-store.ts';
import { RemoteChunkStore } from './remote-chunk-store.ts';
import { serveChunkStore } from './serve-chunk-store.ts';
import type { StoreEndpoint } from './store-messages.ts';
import { describeChunkStore } from './testing/chunk-store-contract.ts';
import { LossyDisk } from './testing/lossy-files.ts';

function endpointOf(port: MessagePort): StoreEndpoint {
  return {
    postMessage: (message, transfer) => {
      port.postMessage(message, [...transfer]);
    },
    onMessage: (listener) => {
      port.on('message', listener);
    },
  };
}

interface Opened {
  readonly store: Promise<RemoteChunkStore>;
  readonly asked: string[];
  ended: boolean;
  die(reason: string): void;
}

/** A store on the other end of a channel. */
function remotely(open: () => ChunkStore | Promise<ChunkStore>): Opened {
  const { port1, port2 } = new MessageChannel();
  let died: (reason: string) => void = () => undefined;
  const asked: string[] = [];
  serveChunkStore(endpointOf(port2), (kind, name) => {
    asked.push(`${kind} ${name}`);
    return Promise.resolve(open());
  });
  const opened: Opened = {
    store: RemoteChunkStore.open(
      {
        endpoint: endpointOf(port1),
        end: () => {
          opened.ended = true;
          port1.close();
        },
        onFail: (listener) => {
          died = listener;
        },
      },
      'opfs',
      'machine',
    ),
    asked,
    ended: false,
    die: (reason) => {
      died(reason);
      port1.close();
    },
  };
  return opened;
}

describeChunkStore('RemoteChunkStore', () => {
  const disk = new LossyDisk();
  return Promise.resolve({ open: () => remotely(() => new OpfsChunkStore(disk.files)).store });
});

const chunk = (value: number): Uint8Array => new Uint8Array(CHUNK_BYTES).fill(value);

describe('RemoteChunkStore', () => {
  it('opens what it is told to, and ends the thread when it is closed', async () => {
    const opened = remotely(() => new MemoryChunkStore());
    const store = await opened.store;
    expect(opened.asked).toEqual(['opfs machine']);
    await store.close();
    expect(opened.ended).toBe(true);
    await expect(store.chunkNumbers()).rejects.toMatchObject({ code: 'EIO' });
    await store.close();
  });

  it('says why a store does not open, and ends the thread', async () => {
    const opened = remotely(() => Promise.reject(new StorageError('EIO', 'no such thing in a private window')));
    await expect(opened.store).rejects.toEqual(new StorageError('EIO', 'no such thing in a private window'));
    expect(opened.ended).toBe(true);
  });

  it('leaves the caller its chunks, and takes the right bytes when buffers are used again', async () => {
    const store = await remotely(() => new MemoryChunkStore()).store;
    const mine = chunk(1);
    for (let number = 1; number <= 5; number += 1) {
      mine.fill(number);
      await store.commit({ chunks: [[number, mine]] });
      expect(mine.length).toBe(CHUNK_BYTES);
    }
    const chunks = await store.readChunks([1, 2, 3, 4, 5, 6]);
    expect(chunks.map((bytes) => bytes && [bytes[0], bytes[CHUNK_BYTES - 1]])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
      undefined,
    ]);
    await store.close();
  });

  it('has chunks put into shared buffers, and copies those of any other', async () => {
    const store = await remotely(() => new MemoryChunkStore()).store;
    await store.commit({ chunks: [[1, chunk(1)]] });
    const shared = new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES));
    expect((await store.readChunks([1], [shared]))[0]).toBe(shared);
    expect(shared[5]).toBe(1);
    const plain = chunk(3);
    const [read] = await store.readChunks([1], [plain]);
    expect([read?.[5], plain[5]]).toEqual([1, 3]);
    await store.close();
  });

  it('passes on the kind of an error', async () => {
    const faulty = new FaultyChunkStore(new MemoryChunkStore());
    const store = await remotely(() => faulty).store;
    faulty.refusal = new StorageError('ENOSPC', 'there is no room');
    const refused = store.commit({ chunks: [[1, chunk(1)]] });
    await expect(refused).rejects.toBeInstanceOf(StorageError);
    await expect(refused).rejects.toMatchObject({ code: 'ENOSPC', message: 'there is no room' });
    faulty.refusal = undefined;
    await store.commit({ chunks: [[1, chunk(1)]] });
    await store.close();
  });

  it('fails what is under way, and everything after it, when the thread dies', async () => {
    const opened = remotely(() => new MemoryChunkStore());
    const store = await opened.store;
    const pending = store.commit({ chunks: [[1, chunk(1)]] });
    opened.die('out of memory');
    await expect(pending).rejects.toMatchObject({ code: 'EIO', message: 'the storage failed: out of memory; reload the page' });
    await expect(store.readChunks([1])).rejects.toMatchObject({ code: 'EIO' });
    await store.close();
  });
});
