/** Files of a domain 0 that is only in memory, for tests. */
import { BlockDeviceTable } from '../block-devices.ts';
import type { ChunkStore } from '../chunk-store.ts';
import { FileSystem } from '../file-system.ts';
import { MemoryChunkStore } from '../memory-chunk-store.ts';
import { NativeFileSystem } from '../native/native-file-system.ts';
import { VolumePool } from '../volume-pool.ts';

export interface MemoryFiles {
  readonly files: FileSystem;
  readonly root: NativeFileSystem;
  readonly pool: VolumePool;
  readonly fresh: boolean;
}

export async function memoryFiles(
  options: {
    readonly chunks?: ChunkStore;
    readonly now?: () => number;
    readonly memoryBytesMax?: number;
    readonly log?: (line: string) => void;
  } = {},
): Promise<MemoryFiles> {
  const { chunks = new MemoryChunkStore(), now = () => 0, memoryBytesMax, log } = options;
  const pool = await VolumePool.open(chunks);
  const { fileSystem: root, fresh } = await NativeFileSystem.open({
    type: 'webxen',
    pool,
    now,
    defer: (callback) => void Promise.resolve().then(callback),
    ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
    ...(log === undefined ? {} : { log }),
  });
  const files = new FileSystem({
    root,
    rootSource: '/dev/root',
    devices: new BlockDeviceTable(),
    random: (bytes) => bytes.fill(0x5a),
  });
  return { files, root, pool, fresh };
}
