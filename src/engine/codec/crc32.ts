/** CRC-32 of long inputs by the Wasm module in assembly/: several times as fast as tables in JavaScript are. */
import { WASM_PAGE_BYTES } from './codec-instance.ts';

/** As in assembly/index.ts. */
interface Crc32Exports {
  readonly memory: WebAssembly.Memory;
  readonly freeFrom: () => number;
  readonly moreCrc32: (before: number, from: number, bytes: number) => number;
}

/** Bytes that are copied into the module's memory at a time. */
const PIECE_BYTES = 256 * 1024;

/**
 * @param module codec.wasm, compiled
 * @returns the CRC-32 (IEEE 802.3) of bytes as an unsigned number; that of "123456789" is 0xcbf43926
 */
export async function createCrc32(module: WebAssembly.Module): Promise<(bytes: Uint8Array) => number> {
  const abort = (): never => {
    throw new Error('the CRC-32 has stopped');
  };
  const { exports } = await WebAssembly.instantiate(module, { env: { abort } });
  const { memory, freeFrom, moreCrc32 } = exports as unknown as Crc32Exports;
  const pieceAt = freeFrom();
  memory.grow(Math.max(0, Math.ceil((pieceAt + PIECE_BYTES - memory.buffer.byteLength) / WASM_PAGE_BYTES)));
  const piece = new Uint8Array(memory.buffer, pieceAt, PIECE_BYTES);
  return (bytes) => {
    let crc = 0;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const part = bytes.length <= PIECE_BYTES ? bytes : bytes.subarray(at, at + PIECE_BYTES);
      piece.set(part);
      crc = moreCrc32(crc, pieceAt, part.length);
    }
    return crc >>> 0;
  };
}
