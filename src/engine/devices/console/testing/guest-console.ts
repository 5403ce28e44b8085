/** The guest's end of a console ring, for tests. */
import {
  XENCONS_IN,
  XENCONS_IN_CONS,
  XENCONS_IN_PROD,
  XENCONS_IN_SIZE,
  XENCONS_OUT,
  XENCONS_OUT_CONS,
  XENCONS_OUT_PROD,
  XENCONS_OUT_SIZE,
} from '../../../abi/console-io.ts';
import type { SharedRing } from '../../../hypervisor/control.ts';

export class GuestConsole {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly ring: SharedRing;
  notifications = 0;
  private daemonListener: () => void = () => undefined;

  constructor() {
    const memory = new SharedArrayBuffer(4096);
    this.bytes = new Uint8Array(memory);
    this.words = new Int32Array(memory);
    this.ring = {
      bytes: this.bytes,
      words: this.words,
      notify: () => {
        this.notifications++;
      },
      onNotify: (listener) => {
        this.daemonListener = listener;
      },
    };
  }

  word(offset: number): number {
    return this.words[offset >> 2]! >>> 0;
  }

  setWord(offset: number, value: number): void {
    this.words[offset >> 2] = value | 0;
  }

  kick(): void {
    this.daemonListener();
  }

  /** Puts as much as fits into the ring without a notification; returns how much that was. */
  fill(bytes: Uint8Array): number {
    let producer = this.word(XENCONS_OUT_PROD);
    let done = 0;
    while (done < bytes.length && (producer - this.word(XENCONS_OUT_CONS)) >>> 0 < XENCONS_OUT_SIZE) {
      this.bytes[XENCONS_OUT + (producer % XENCONS_OUT_SIZE)] = bytes[done++]!;
      producer = (producer + 1) >>> 0;
    }
    this.setWord(XENCONS_OUT_PROD, producer);
    return done;
  }

  /** Prints as a kernel does: fills the ring, notifies, goes on. */
  print(text: string | Uint8Array): void {
    let rest = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    while (rest.length > 0) {
      const done = this.fill(rest);
      this.kick();
      if (done === 0 && this.word(XENCONS_OUT_CONS) !== this.word(XENCONS_OUT_PROD)) throw new Error('nobody takes the output');
      rest = rest.subarray(done);
    }
  }

  /** Takes at most `limit` bytes of input and notifies. */
  take(limit = XENCONS_IN_SIZE): string {
    let consumer = this.word(XENCONS_IN_CONS);
    let text = '';
    while (text.length < limit && consumer !== this.word(XENCONS_IN_PROD)) {
      text += String.fromCharCode(this.bytes[XENCONS_IN + (consumer % XENCONS_IN_SIZE)]!);
      consumer = (consumer + 1) >>> 0;
    }
    this.setWord(XENCONS_IN_CONS, consumer);
    this.kick();
    return text;
  }
}
