/** A disk as a stream: raw or qcow2, as it was at one moment. */
import type { Volume } from '../storage/volume.ts';
import type { VolumePool } from '../storage/volume-pool.ts';
import { sourceOfDisk, type SparseDisk } from './byte-source.ts';
import type { ImageFormat } from './detect.ts';
import { planQcow2, writeQcow2 } from './qcow2/writer.ts';
import { Scratch } from './scratch.ts';
import { PIECE_BYTES, type ByteStream, type OnProgress } from './transfer.ts';

/** A volume's contents with its holes. */
export function diskOfVolume(volume: Volume): SparseDisk {
  const source = sourceOfDisk(volume);
  return {
    sizeBytes: volume.sizeBytes,
    nextData: (offset) => Promise.resolve(Math.min(volume.nextData(offset), volume.sizeBytes)),
    read: (offset, into) => source.read(offset, into),
  };
}

/** The image of a disk that does not change meanwhile. `onProgress` is called as the bytes are taken. */
export async function* imageOf(disk: SparseDisk, format: ImageFormat, onProgress: OnProgress): ByteStreamGenerator {
  let stream: ByteStream;
  let totalBytes = disk.sizeBytes;
  if (format === 'qcow2') {
    const plan = await planQcow2(disk, () => onProgress(0, undefined));
    totalBytes = plan.sizeBytes;
    stream = writeQcow2(disk, plan);
  } else stream = rawStream(disk);
  let done = 0;
  for await (const piece of stream) {
    done += piece.length;
    yield piece;
    await onProgress(done, totalBytes);
  }
}

type ByteStreamGenerator = AsyncGenerator<Uint8Array, void, undefined>;

/** The image of a volume as it is when the first byte is taken, whatever is written to it later. */
export async function* exportDisk(
  pool: VolumePool,
  volume: Volume,
  format: ImageFormat,
  onProgress: OnProgress,
): ByteStreamGenerator {
  const scratch = new Scratch(pool);
  try {
    yield* imageOf(diskOfVolume(await scratch.snapshot(volume)), format, onProgress);
  } finally {
    await scratch.remove();
  }
}

async function* rawStream(disk: SparseDisk): ByteStreamGenerator {
  for (let at = 0; at < disk.sizeBytes;) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, disk.sizeBytes - at));
    // A hole costs no reading.
    if ((await disk.nextData(at)) < at + piece.length) await disk.read(at, piece);
    yield piece;
    at += piece.length;
  }
}
