/** Headers of tar entries, as far as archives of machines need them: plain files with short names. @see POSIX.1-2017, pax, "ustar" */
import { ImageError } from '../image-error.ts';

export const TAR_BLOCK_BYTES = 512;

// Fields of a header: where, and how long.
const NAME = [0, 100] as const;
const MODE = [100, 8] as const;
const OWNER = [108, 8] as const;
const GROUP = [116, 8] as const;
const SIZE = [124, 12] as const;
const TIME = [136, 12] as const;
const SUM = [148, 8] as const;
const TYPE = 156;
const MAGIC = [257, 8] as const;
const USTAR = 'ustar\0' + '00';
const REGULAR = 0x30;

type Field = readonly [at: number, bytes: number];

const put = (block: Uint8Array, [at]: Field, text: string): void => {
  block.set(new TextEncoder().encode(text), at);
};
const octal = (value: number, [, bytes]: Field): string => `${value.toString(8).padStart(bytes - 1, '0')}\0`;
const textAt = (block: Uint8Array, [at, bytes]: Field): string =>
  String.fromCharCode(...block.subarray(at, at + bytes)).replace(/\0.*$/s, '');

/** The sum of the header's bytes, those of the sum itself taken as blanks. */
function sumOf(block: Uint8Array): number {
  let sum = SUM[1] * 0x20;
  block.forEach((byte, at) => {
    if (at < SUM[0] || at >= SUM[0] + SUM[1]) sum += byte;
  });
  return sum;
}

export function tarHeader(name: string, sizeBytes: number): Uint8Array {
  const block = new Uint8Array(TAR_BLOCK_BYTES);
  put(block, NAME, name);
  put(block, MODE, octal(0o644, MODE));
  for (const field of [OWNER, GROUP]) put(block, field, octal(0, field));
  put(block, SIZE, octal(sizeBytes, SIZE));
  put(block, TIME, octal(0, TIME));
  block[TYPE] = REGULAR;
  put(block, MAGIC, USTAR);
  put(block, SUM, `${sumOf(block).toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** Zeros between an entry's bytes and the next block. */
export const tarPadding = (sizeBytes: number): number => (TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;

/** undefined for a block of zeros, the end. ImageError for what is no header of a plain file. */
export function parseTarHeader(block: Uint8Array): { readonly name: string; readonly sizeBytes: number } | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const size = textAt(block, SIZE).trim();
  const sum = textAt(block, SUM).trim();
  const right =
    textAt(block, [MAGIC[0], 5]) === 'ustar' &&
    /^[0-7]+$/.test(size) &&
    parseInt(sum, 8) === sumOf(block) &&
    (block[TYPE] === REGULAR || block[TYPE] === 0);
  if (!right) throw new ImageError('it is no archive of a machine, or damaged: an entry has no proper header');
  return { name: textAt(block, NAME), sizeBytes: parseInt(size, 8) };
}
