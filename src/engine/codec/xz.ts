/** .xz files by the decoder in assembly/. */
import { decodeFile } from './codec-instance.ts';
import { DecodeError } from './decode-error.ts';
import {
  XZ_BAD_CHECK,
  XZ_BAD_DATA,
  XZ_BAD_HEADER,
  XZ_BAD_INDEX,
  XZ_CUT_OFF,
  XZ_NOT_XZ,
  XZ_OK,
  XZ_TOO_LONG,
  XZ_TOO_SHORT,
  XZ_UNSUPPORTED_CHECK,
  XZ_UNSUPPORTED_FILTER,
} from './assembly/status.ts';

const FORMAT = 'xz';

export const XZ_REASONS: Readonly<Record<number, string>> = {
  [XZ_CUT_OFF]: 'the xz file is cut off',
  [XZ_NOT_XZ]: 'this is not an xz file, or something follows it that is not',
  [XZ_BAD_HEADER]: 'the xz file is damaged: a header contradicts itself',
  [XZ_UNSUPPORTED_FILTER]: 'the xz file uses a filter other than LZMA2 and x86: repack it with these',
  [XZ_UNSUPPORTED_CHECK]: 'the xz file uses an unknown check: repack it with CRC32 or CRC64',
  [XZ_BAD_DATA]: 'the xz file is damaged: its data makes no sense',
  [XZ_BAD_CHECK]: 'the xz file is damaged: what it makes has another checksum',
  [XZ_TOO_LONG]: 'the xz file makes more bytes than it should',
  [XZ_TOO_SHORT]: 'the xz file makes fewer bytes than it should',
  [XZ_BAD_INDEX]: 'the xz file is damaged: its index does not fit its blocks',
};

/** Expands an .xz file that makes exactly `sizeBytes`. */
export type Unxz = (input: Uint8Array, sizeBytes: number) => Promise<Uint8Array>;

/**
 * @param module codec.wasm, compiled
 * @returns a decoder; what it makes lies in a memory that lives as long as the result
 */
export function createUnxz(module: WebAssembly.Module): Unxz {
  return (input, sizeBytes) =>
    decodeFile(module, FORMAT, input, sizeBytes, (codec, ...places) => {
      const status = codec.decodeXz(...places);
      if (status !== XZ_OK) throw new DecodeError(FORMAT, XZ_REASONS[status] ?? `the xz decoder has failed with status ${status}`);
    });
}
