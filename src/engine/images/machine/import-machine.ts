/**
 * A machine out of an archive, into a store in which nothing is. Chunks are stored as they come, under numbers that nothing refers
 * to; one last commit with all records makes them a machine. A store in which that did not happen holds no machine, and the next
 * opening clears it.
 */
import { ByteFeed } from '../../codec/byte-feed.ts';
import { BASE_KEY } from '../../storage/base-chunks.ts';
import { CHUNK_BYTES, type ChunkStore } from '../../storage/chunk-store.ts';
import { crc32 } from '../../storage/crc32.ts';
import { streamCompression } from '../detect.ts';
import { ImageError } from '../image-error.ts';
import type { ImageDecoders } from '../import-disk.ts';
import type { ByteStream, OnProgress } from '../transfer.ts';
import { checkRecords, decodeManifest, MANIFEST_NAME, type Manifest } from './manifest.ts';
import { parseTarHeader, tarPadding, TAR_BLOCK_BYTES } from './tar.ts';

const BATCH_CHUNKS = 16;
const MANIFEST_BYTES_MAX = 256 * 1024 * 1024;
const HEAD_BYTES = 8;

/** Whether no machine, nor a part of one, is in it. */
export async function isEmptyStore(store: ChunkStore): Promise<boolean> {
  return (await store.records()).size === 0 && (await store.chunkNumbers()).length === 0;
}

/**
 * The manifest of the machine that the store now holds. ImageError, DecodeError or StorageError; the chunks that came are removed then,
 * as far as the store lets it.
 */
export async function importMachine(
  store: ChunkStore,
  input: ByteStream,
  decoders: ImageDecoders,
  onProgress: OnProgress,
): Promise<Manifest> {
  if (!(await isEmptyStore(store))) throw new ImageError('there is a machine of that name already: choose another name');
  const packed = new ByteFeed(input);
  const compression = streamCompression(await packed.peek(HEAD_BYTES));
  const entries = new Entries(compression === undefined ? packed : new ByteFeed(decoders.expand(compression, packed.rest())));
  const stored: number[] = [];
  try {
    const manifest = await readManifest(entries);
    const records = new Map<string, Uint8Array>();
    for (const [n, { bytes, key, sum }] of manifest.records.entries()) {
      const record = await entries.take(`records/${n + 1}`, bytes);
      if (crc32(record) !== sum) throw damaged(`record ${n + 1} does not match its checksum`);
      if (!key.startsWith(BASE_KEY)) records.set(key, record);
    }
    checkRecords(records, manifest.chunks);
    let batch: (readonly [number, Uint8Array])[] = [];
    const flush = async (): Promise<void> => {
      stored.push(...batch.map(([number]) => number));
      await store.commit({ chunks: batch });
      batch = [];
      await onProgress(stored.length * CHUNK_BYTES, manifest.chunks.size * CHUNK_BYTES);
    };
    for (const [number, sum] of manifest.chunks) {
      const chunk = await entries.take(`chunks/${number}`, CHUNK_BYTES);
      if (crc32(chunk) !== sum) throw damaged(`chunk ${number} does not match its checksum`);
      batch.push([number, chunk]);
      if (batch.length === BATCH_CHUNKS) await flush();
    }
    await flush();
    await entries.end();
    if (records.size === 0) throw damaged('it holds no machine');
    await store.commit({ records: [...records] });
    return manifest;
  } catch (error) {
    await store.commit({ removedChunks: stored }).catch(() => undefined);
    throw error;
  } finally {
    await entries.close();
    await packed.close();
  }
}

const damaged = (what: string): ImageError => new ImageError(`the archive is damaged: ${what}`);
const cutOff = (): ImageError => new ImageError('the archive is cut off');

async function readManifest(entries: Entries): Promise<Manifest> {
  const bytes = await entries.take(MANIFEST_NAME);
  const sum = new TextDecoder().decode(await entries.take(`${MANIFEST_NAME}.crc32`));
  if (String(crc32(bytes)) !== sum.trim()) throw damaged('its list of contents does not match its checksum');
  return decodeManifest(bytes);
}

/** The entries of a tar stream, which must be those that are asked for. */
class Entries {
  constructor(private readonly feed: ByteFeed) {}

  close(): Promise<void> {
    return this.feed.close();
  }

  async take(name: string, sizeBytes?: number): Promise<Uint8Array> {
    const header = parseTarHeader(await this.bytes(TAR_BLOCK_BYTES));
    if (header === undefined) throw cutOff();
    if (name === MANIFEST_NAME && header.name !== name) throw new ImageError('it is no archive of a machine');
    if (header.name !== name || header.sizeBytes !== (sizeBytes ?? header.sizeBytes) || header.sizeBytes > MANIFEST_BYTES_MAX)
      throw damaged(`${header.name} stands where ${name} should be`);
    const bytes = (await this.bytes(header.sizeBytes)).slice();
    await this.bytes(tarPadding(header.sizeBytes));
    return bytes;
  }

  /** Nothing may follow, and a compressed stream must come to its end: that is where its checksum is. */
  async end(): Promise<void> {
    if (parseTarHeader(await this.bytes(TAR_BLOCK_BYTES)) !== undefined) throw damaged('more follows than it lists');
    for (let rest = await this.feed.some(); rest !== undefined; rest = await this.feed.some())
      if (rest.some((byte) => byte !== 0)) throw damaged('more follows than it lists');
  }

  private async bytes(count: number): Promise<Uint8Array> {
    const bytes = await this.feed.take(count);
    if (bytes === undefined) throw cutOff();
    return bytes;
  }
}
