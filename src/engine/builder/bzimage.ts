/**
 * The container of a Linux kernel: real-mode setup, its header at 0x1f1, then a payload, mostly compressed.
 * @see Documentation/arch/x86/boot.rst (boot protocol 2.08 added payload_offset and payload_length)
 */
import { BuildError } from './build-error.ts';
import { compressionOf, type Compression } from '../codec/compression.ts';

const SECTOR_BYTES = 512;
const SETUP_SECTS = 0x1f1;
const HEADER_MAGIC = 0x202;
const HDRS = 0x53726448;
const PROTOCOL_VERSION = 0x206;
const PROTOCOL_PAYLOAD = 0x0208;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const HEADER_END = 0x250;
/** setup_sects of 0 stands for this many. */
const SETUP_SECTS_DEFAULT = 4;
/** Every compressor but gzip is followed by the size it makes, which gzip has at its own end. */
const SIZE_TRAILER_BYTES = 4;

export interface BzImage {
  readonly protocol: number;
  /** undefined: the payload is the ELF image itself. */
  readonly compression: Compression | undefined;
  /** The stream alone, without what follows it. */
  readonly payload: Uint8Array;
  /** Bytes of the ELF image, as declared; unchecked. */
  readonly unpackedBytes: number;
}

export function isBzImage(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_END && view(bytes).getUint32(HEADER_MAGIC, true) === HDRS;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @throws BuildError when the header cannot be right or the protocol is too old to name its payload */
export function parseBzImage(bytes: Uint8Array): BzImage {
  const header = view(bytes);
  const protocol = header.getUint16(PROTOCOL_VERSION, true);
  if (protocol < PROTOCOL_PAYLOAD)
    throw new BuildError(
      `The kernel's boot protocol is ${protocol >> 8}.${String(protocol & 0xff).padStart(2, '0')}: 2.08 (Linux 2.6.26) or later is needed.`,
    );
  const setupSectors = header.getUint8(SETUP_SECTS) || SETUP_SECTS_DEFAULT;
  const offset = (setupSectors + 1) * SECTOR_BYTES + header.getUint32(PAYLOAD_OFFSET, true);
  const length = header.getUint32(PAYLOAD_LENGTH, true);
  if (length < SIZE_TRAILER_BYTES || offset + length > bytes.length)
    throw new BuildError(
      `The kernel image is damaged: its payload ends at byte ${offset + length}, the file at ${bytes.length}. Is the file complete?`,
    );
  const payload = bytes.subarray(offset, offset + length);
  const compression = compressionOf(payload);
  if (compression === undefined) return { protocol, compression, payload, unpackedBytes: length };
  const stream = compression === 'gzip' ? payload : payload.subarray(0, length - SIZE_TRAILER_BYTES);
  return { protocol, compression, payload: stream, unpackedBytes: view(payload).getUint32(length - SIZE_TRAILER_BYTES, true) };
}
