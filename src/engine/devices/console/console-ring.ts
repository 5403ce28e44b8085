/**
 * The hypervisor's message ring, what `xm dmesg` shows: the last bytes written since it was last cleared.
 */
import { decodeUtf8, encodeUtf8 } from '../../xenstore/text.ts';
import { Scrollback } from './scrollback.ts';

/** Xen's default, conring_size=16k. */
export const CONSOLE_RING_BYTES = 16 * 1024;

export class ConsoleRing {
  private readonly kept: Scrollback;
  private readonly listeners = new Set<(text: string) => void>();
  /** Bytes before this position have been cleared. */
  private clearedTo = 0;

  constructor(sizeBytes = CONSOLE_RING_BYTES) {
    this.kept = new Scrollback(sizeBytes);
  }

  /** Appends text as it is; lines bring their own newlines. */
  write(text: string): void {
    this.kept.append(encodeUtf8(text));
    for (const listener of this.listeners) listener(text);
  }

  /** What is in the ring; with `clear`, the next read shows only what came after. */
  read(clear = false): string {
    const bytes = this.kept.since(this.clearedTo);
    if (clear) this.clearedTo = this.kept.end;
    return decodeUtf8(dropPartialCharacter(bytes));
  }

  /** Calls back with everything written from now on; the function returned ends that. */
  subscribe(listener: (text: string) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }
}

/** A ring that went round may begin in the middle of a character. */
function dropPartialCharacter(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
  return bytes.subarray(start);
}
