/** A raw disk image as the site delivers it: an index, and the chunks that are not all zeros, deflated, in one file. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { type BaseChunk, encodeBaseIndex } from '../../src/engine/storage/base-image.ts';
import { CHUNK_BYTES } from '../../src/engine/storage/chunk-store.ts';
import { crc32 } from '../../src/engine/storage/crc32.ts';

export interface BaseFiles {
  readonly index: string;
  /** SHA-256 of the index in hex: the identity of the image. */
  readonly indexSha256: string;
  readonly data: string;
  readonly dataBytes: number;
  readonly sizeBytes: number;
}

/** Writes the two files, with a part of the identity in their names: caches never mix two versions. */
export function writeBaseImage(image: string, directory: string, name: string): BaseFiles {
  const input = openSync(image, 'r');
  const unfinished = join(directory, `${name}.unfinished`);
  const output = openSync(unfinished, 'w');
  const { size: sizeBytes } = fstatSync(input);
  const chunks: BaseChunk[] = [];
  let offset = 0;
  for (let index = 0; index * CHUNK_BYTES < sizeBytes; index += 1) {
    const bytes = new Uint8Array(CHUNK_BYTES);
    readSync(input, bytes, 0, CHUNK_BYTES, index * CHUNK_BYTES);
    if (bytes.every((byte) => byte === 0)) continue;
    const deflated = deflateRawSync(bytes, { level: 9 });
    const sha256 = createHash('sha256').update(bytes).digest();
    chunks.push({ index, sum: crc32(bytes), offset, length: deflated.length, sha256 });
    writeSync(output, deflated);
    offset += deflated.length;
  }
  closeSync(input);
  closeSync(output);
  const encoded = encodeBaseIndex({ sizeBytes, chunks });
  const indexSha256 = createHash('sha256').update(encoded).digest('hex');
  const stem = `${name}-${indexSha256.slice(0, 12)}`;
  writeFileSync(join(directory, `${stem}.index`), encoded);
  renameSync(unfinished, join(directory, `${stem}.data`));
  return { index: `${stem}.index`, indexSha256, data: `${stem}.data`, dataBytes: offset, sizeBytes };
}
