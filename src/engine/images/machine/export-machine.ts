/**
 * A whole machine as a tar stream: the list of everything with checksums, then the records of the store (volumes, files of domain 0,
 * LVM's state, settings), then the chunks. It is what the store held at one moment, whatever is written meanwhile.
 */
import { BASE_KEY } from '../../storage/base-chunks.ts';
import { CHUNK_BYTES } from '../../storage/chunk-store.ts';
import { crc32 } from '../../storage/crc32.ts';
import type { VolumePool } from '../../storage/volume-pool.ts';
import { encodeManifest, MANIFEST_NAME } from './manifest.ts';
import { tarHeader, tarPadding, TAR_BLOCK_BYTES } from './tar.ts';
import type { OnProgress } from '../transfer.ts';

/** Chunks read at once. */
const BATCH_CHUNKS = 4;

/** What waits in memory elsewhere, such as changes of files, is to be flushed before. */
export async function* exportMachine(
  pool: VolumePool,
  machine: string,
  onProgress: OnProgress,
): AsyncGenerator<Uint8Array, void, undefined> {
  const snapshot = await pool.snapshot();
  try {
    const { chunks } = snapshot;
    // Chunks of images that the site delivers come along: the other site may not have them.
    const records = [...snapshot.records].filter(([key]) => !key.startsWith(BASE_KEY));
    const manifest = encodeManifest({
      machine,
      chunks,
      records: records.map(([key, bytes]) => ({ key, bytes: bytes.length, sum: crc32(bytes.slice()) })),
    });
    yield* entry(MANIFEST_NAME, manifest);
    yield* entry(`${MANIFEST_NAME}.crc32`, new TextEncoder().encode(String(crc32(manifest))));
    let n = 0;
    for (const [, bytes] of records) yield* entry(`records/${(n += 1)}`, bytes);
    const numbers = [...chunks.keys()];
    for (let at = 0; at < numbers.length; at += BATCH_CHUNKS) {
      const batch = numbers.slice(at, at + BATCH_CHUNKS);
      const found = await snapshot.read(batch);
      for (const [index, bytes] of found.entries()) yield* entry(`chunks/${batch[index] ?? 0}`, bytes);
      await onProgress((at + batch.length) * CHUNK_BYTES, numbers.length * CHUNK_BYTES);
    }
    yield new Uint8Array(2 * TAR_BLOCK_BYTES);
  } finally {
    snapshot.release();
  }
}

function* entry(name: string, bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  yield tarHeader(name, bytes.length);
  if (bytes.length > 0) yield bytes;
  const padding = tarPadding(bytes.length);
  if (padding > 0) yield new Uint8Array(padding);
}
