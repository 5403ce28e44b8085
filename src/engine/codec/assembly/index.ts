/** What codec.wasm exports. */

// Whole files.
export { decodeLz4, lz4OutputEnd } from './lz4';
export { decodeXz } from './xz';

// Streams of deflate, for gzip and disk images.
export { inflateMore, inflateBit, inflateOutputEnd, startInflate } from './inflate';

// Parts of .xz, for files that are decoded as they come.
export { moreCrc32, moreCrc64 } from './crc';
export { decodeLzma2Chunk, lzma2InputEnd, lzma2OutputEnd, slideLzma2, startLzma2 } from './lzma2';

/** First byte that is free for input and output. */
export function freeFrom(): usize {
  return (__heap_base + 63) & ~63;
}
