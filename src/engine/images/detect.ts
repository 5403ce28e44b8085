/** What a file is, by its first bytes. */
import { compressionOf, type Compression } from '../codec/compression.ts';
import { ImageError } from './image-error.ts';
import { isQcow2 } from './qcow2/header.ts';

export type ImageFormat = 'raw' | 'qcow2';
export type StreamCompression = Extract<Compression, 'gzip' | 'xz' | 'zstd'>;

/** As many bytes as the functions below look at. */
export const HEAD_BYTES = 512;

/** The compression of a file that is to be expanded; ImageError for one that cannot be. */
export function streamCompression(head: Uint8Array): StreamCompression | undefined {
  const compression = compressionOf(head);
  switch (compression) {
    case undefined:
    case 'gzip':
    case 'xz':
    case 'zstd':
      return compression;
    // Three bytes that a boot sector may begin with, too: only the alone format's header says more.
    case 'lzma':
      return undefined;
    case 'bzip2':
    case 'lzop':
    case 'lz4':
      throw new ImageError(`${compression} compression is not supported: repack the image with gzip, xz or zstd`);
  }
}

/** Formats that would make a broken disk if they were taken as raw. */
const OTHERS: readonly (readonly [name: string, at: number, magic: readonly number[]])[] = [
  ['VMDK', 0, [0x4b, 0x44, 0x4d, 0x56]],
  ['VMDK (a descriptor)', 0, [...'# Disk DescriptorFile'].map((letter) => letter.charCodeAt(0))],
  ['VHDX', 0, [...'vhdxfile'].map((letter) => letter.charCodeAt(0))],
  ['VHD', 0, [...'conectix'].map((letter) => letter.charCodeAt(0))],
  ['VDI', 64, [0x7f, 0x10, 0xda, 0xbe]],
  ['QED', 0, [0x51, 0x45, 0x44, 0x00]],
  ['7z', 0, [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ['zip', 0, [0x50, 0x4b, 0x03, 0x04]],
];

/** ImageError for an image of another kind. */
export function imageFormat(head: Uint8Array): ImageFormat {
  if (head.length === 0) throw new ImageError('it is empty');
  if (isQcow2(head)) return 'qcow2';
  const other = OTHERS.find(([, at, magic]) => magic.every((byte, n) => head[at + n] === byte));
  if (other !== undefined)
    throw new ImageError(`it is a ${other[0]} file, which is not supported: convert it to raw or qcow2 first`);
  return 'raw';
}
