/**
 * A disk image becomes a volume: raw or qcow2, compressed or not, from bytes at any place or from a stream. Contents go to a volume
 * that no list shows; only when all of it is there and right, the volume gets its name. What a killed tab leaves is removed at the
 * next start.
 */
import { ByteFeed } from '../codec/byte-feed.ts';
import { StorageError } from '../storage/chunk-store.ts';
import { SECTOR_BYTES } from '../storage/disk-image.ts';
import type { Volume } from '../storage/volume.ts';
import type { VolumePool } from '../storage/volume-pool.ts';
import { rawDisk, type ByteSource, type SparseDisk } from './byte-source.ts';
import { HEAD_BYTES, imageFormat, streamCompression, type ImageFormat, type StreamCompression } from './detect.ts';
import { ImageError } from './image-error.ts';
import { Qcow2Reader, type ClusterDecoders } from './qcow2/reader.ts';
import { pour, Scratch } from './scratch.ts';
import { copyDisk, PIECE_BYTES, type ByteStream, type OnProgress } from './transfer.ts';

export interface ImageDecoders extends ClusterDecoders {
  /** What a compressed stream makes, as it comes; rejects with DecodeError. */
  expand(compression: StreamCompression, input: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

export interface ImportOptions {
  /** Absent: what the first bytes say. */
  readonly format?: ImageFormat | undefined;
  /** Of the input, where it is known. */
  readonly totalBytes?: number | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Throws when the disk, of so many bytes, may not become a volume; called before it does. */
  readonly accept?: ((sizeBytes: number) => void) | undefined;
}

export interface ImportResult {
  readonly volume: Volume;
  readonly format: ImageFormat;
  readonly compression: StreamCompression | undefined;
}

const isStream = (input: ByteSource | ByteStream): input is ByteStream => Symbol.asyncIterator in input;

/** Bytes at any place, one behind the other. */
export async function* streamOf(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < source.sizeBytes;) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, source.sizeBytes - at));
    await source.read(at, piece);
    yield piece;
    at += piece.length;
  }
}

/**
 * The new volume of that name. ImageError, DecodeError or StorageError (EEXIST, ENOSPC) when it cannot be, and what `onProgress`
 * throws; nothing is left of it then.
 */
export async function importDisk(
  pool: VolumePool,
  name: string,
  input: ByteSource | ByteStream,
  decoders: ImageDecoders,
  options: ImportOptions = {},
): Promise<ImportResult> {
  if (pool.volume(name) !== undefined) throw new StorageError('EEXIST', `there is a volume ${name} already`);
  const scratch = new Scratch(pool);
  try {
    const opened = await openImage(input, decoders, scratch, options);
    const volume = scratch.create();
    if (opened.disk !== undefined) {
      const { disk } = opened;
      if (disk.sizeBytes === 0) throw new ImageError('it is an image of a disk without any room');
      options.accept?.(disk.sizeBytes);
      pool.growUnstored(volume, disk.sizeBytes);
      await copyDisk(disk, { write: (offset, bytes) => volume.write(offset / SECTOR_BYTES, bytes) }, opened.onProgress);
    } else await pour(pool, volume, opened.stream, opened.onProgress);
    options.accept?.(volume.sizeBytes);
    return { volume: await pool.clone(volume, name), format: opened.format, compression: opened.compression };
  } finally {
    await scratch.remove();
  }
}

interface Opened {
  readonly format: ImageFormat;
  readonly compression: StreamCompression | undefined;
  readonly onProgress: OnProgress;
}

/** The contents as a disk, or as a stream of raw bytes. */
export type OpenedImage = Opened &
  ({ readonly disk: SparseDisk; readonly stream?: undefined } | { readonly disk?: undefined; readonly stream: ByteStream });

/** Finds out what the input is. A qcow2 image that comes as a stream is kept in a scratch volume first. */
export async function openImage(
  input: ByteSource | ByteStream,
  decoders: ImageDecoders,
  scratch: Scratch,
  { format: stated, onProgress = () => undefined, totalBytes }: ImportOptions,
): Promise<OpenedImage> {
  if (!isStream(input)) {
    const head = new Uint8Array(Math.min(HEAD_BYTES, input.sizeBytes));
    await input.read(0, head);
    if (stated !== undefined || streamCompression(head) === undefined) {
      const format = stated ?? imageFormat(head);
      if (input.sizeBytes === 0) throw new ImageError('it is empty');
      const disk = format === 'raw' ? rawDisk(input) : await openQcow2(input, decoders);
      return { disk, format, compression: undefined, onProgress };
    }
    return openImage(streamOf(input), decoders, scratch, { onProgress, totalBytes: input.sizeBytes });
  }
  let read = 0;
  const watched = async function* (): ByteStream {
    for await (const piece of input) {
      read += piece.length;
      yield piece;
      await onProgress(read, totalBytes);
    }
  };
  const packed = new ByteFeed(watched());
  const compression = stated === undefined ? streamCompression(await packed.peek(HEAD_BYTES)) : undefined;
  const bytes = compression === undefined ? packed : new ByteFeed(decoders.expand(compression, packed.rest()));
  const format = stated ?? imageFormat(await bytes.peek(HEAD_BYTES));
  if (format === 'raw') return { stream: bytes.rest(), format, compression, onProgress: () => undefined };
  const kept = await scratch.keep(bytes.rest());
  return { disk: await openQcow2(kept, decoders), format, compression, onProgress };
}

async function openQcow2(source: ByteSource, decoders: ImageDecoders): Promise<Qcow2Reader> {
  const reader = await Qcow2Reader.open(source, decoders);
  await reader.check();
  return reader;
}
