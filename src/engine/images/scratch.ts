/** Volumes of the pool that hold what is on its way: no list shows them, and none outlives its transfer. */
import { ByteFeed } from '../codec/byte-feed.ts';
import { SECTOR_BYTES } from '../storage/disk-image.ts';
import type { Volume } from '../storage/volume.ts';
import type { VolumePool } from '../storage/volume-pool.ts';
import { isZero, sourceOfDisk, type ByteSource } from './byte-source.ts';
import { ImageError } from './image-error.ts';
import { PIECE_BYTES, type ByteStream, type OnProgress } from './transfer.ts';

const PREFIX = '.transfer/';
/** Names are not used again, so that two transfers that begin at once do not choose the same. */
let lastNumber = 0;

/** Removes what transfers have left that did not come to their end. */
export async function removeUnfinishedTransfers(pool: VolumePool): Promise<void> {
  const removed = pool.internalNames().flatMap((name) => (name.startsWith(PREFIX) ? (pool.volume(name) ?? []) : []));
  if (removed.length > 0) await pool.commit({ removed });
}

/** Volumes that are gone when the work is over. */
export class Scratch {
  private readonly volumes: Volume[] = [];

  constructor(private readonly pool: VolumePool) {}

  create(): Volume {
    const volume = this.pool.createUnstored(this.freeName(), SECTOR_BYTES, { waitsForRoom: false });
    this.volumes.push(volume);
    return volume;
  }

  /** The volume as it is now; it does not see later writes. */
  async snapshot(source: Volume): Promise<Volume> {
    const volume = await this.pool.clone(source, this.freeName(), { readOnly: true });
    this.volumes.push(volume);
    return volume;
  }

  async keep(stream: ByteStream): Promise<ByteSource> {
    const volume = this.create();
    const sizeBytes = await pour(this.pool, volume, stream, () => undefined);
    return sourceOfDisk(volume, sizeBytes);
  }

  async remove(): Promise<void> {
    if (this.volumes.length > 0) await this.pool.commit({ removed: this.volumes.splice(0) });
  }

  private freeName(): string {
    lastNumber += 1;
    while (this.pool.volume(`${PREFIX}${lastNumber}`) !== undefined) lastNumber += 1;
    return `${PREFIX}${lastNumber}`;
  }
}

/** Writes a stream from the volume's start on, which grows with it; how many bytes it was. Zeros stay holes. */
export async function pour(pool: VolumePool, volume: Volume, stream: ByteStream, onProgress: OnProgress): Promise<number> {
  const feed = new ByteFeed(stream);
  let at = 0;
  try {
    for (;;) {
      const piece = await feed.peek(PIECE_BYTES);
      if (piece.length === 0) break;
      const whole = new Uint8Array(Math.ceil(piece.length / SECTOR_BYTES) * SECTOR_BYTES);
      whole.set(piece);
      await feed.take(piece.length);
      pool.growUnstored(volume, at + whole.length);
      if (!isZero(whole)) await volume.write(at / SECTOR_BYTES, whole);
      at += piece.length;
      await onProgress(at, undefined);
    }
  } finally {
    await feed.close();
  }
  if (at === 0) throw new ImageError('it is empty');
  return at;
}
