/**
 * The guest's end of a store ring, for tests: puts requests into the page as a front end does and takes replies and events out.
 * Also a scheduler whose tasks run when the test says so.
 */
import {
  XENSTORE_REQ,
  XENSTORE_REQ_CONS,
  XENSTORE_REQ_PROD,
  XENSTORE_RING_SIZE,
  XENSTORE_RSP,
  XENSTORE_RSP_CONS,
  XENSTORE_RSP_PROD,
  XS_TYPE_NAMES,
} from '../../abi/xs-wire.ts';
import type { SharedRing } from '../../hypervisor/control.ts';
import { byteStringFrom, bytesFromByteString } from '../text.ts';
import type { Message } from '../wire.ts';
import { MessageParser, serializeMessage } from '../wire.ts';

export class ManualScheduler {
  private tasks: (() => void)[] = [];

  readonly schedule = (task: () => void): void => {
    this.tasks.push(task);
  };

  get pending(): number {
    return this.tasks.length;
  }

  /** Runs what is scheduled now, and what that schedules, up to a bound that only an endless loop reaches. */
  run(): void {
    for (let turns = 0; this.tasks.length > 0; turns++) {
      if (turns > 10_000) throw new Error('tasks keep scheduling themselves');
      this.tasks.shift()!();
    }
  }
}

/** "WATCH_EVENT device/vbd tok" and the like: the type's name, then the payload with its NULs as blanks. */
export function describe(message: Message): string {
  const name = XS_TYPE_NAMES[message.type] ?? `type ${message.type}`;
  return `${name} (${byteStringFrom(message.payload).replaceAll('\0', ' ')})`;
}

export class GuestStore {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly ring: SharedRing;
  /** Notifications the guest got. */
  notifications = 0;
  /** Whether the guest passes its writes on at once. */
  private serverListener: () => void = () => undefined;
  private readonly parser = new MessageParser();
  private nextRequestId = 1;

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
        this.serverListener = listener;
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
    this.serverListener();
  }

  /** Puts raw bytes into the request ring, kicking the server whenever it is full. */
  sendBytes(bytes: Uint8Array): void {
    let idleKicks = 0;
    for (let done = 0; done < bytes.length;) {
      const producer = this.word(XENSTORE_REQ_PROD);
      if ((producer - this.word(XENSTORE_REQ_CONS)) >>> 0 >= XENSTORE_RING_SIZE) {
        if (++idleKicks > 1) throw new Error('the server does not take requests');
        this.kick();
        continue;
      }
      idleKicks = 0;
      this.bytes[XENSTORE_REQ + (producer % XENSTORE_RING_SIZE)] = bytes[done++]!;
      this.setWord(XENSTORE_REQ_PROD, producer + 1);
    }
    this.kick();
  }

  /** Sends a request; returns its id. */
  send(type: number, payload: string, transactionId = 0): number {
    const requestId = this.nextRequestId++;
    this.sendBytes(serializeMessage({ type, requestId, transactionId, payload: bytesFromByteString(payload) }));
    return requestId;
  }

  /** Everything the server has sent, taken out of the ring until it has no more. */
  receive(): Message[] {
    const messages: Message[] = [];
    for (;;) {
      const consumer = this.word(XENSTORE_RSP_CONS);
      if (consumer === this.word(XENSTORE_RSP_PROD)) {
        this.kick();
        if (this.word(XENSTORE_RSP_CONS) === this.word(XENSTORE_RSP_PROD)) return messages;
        continue;
      }
      const step = this.parser.push(Uint8Array.of(this.bytes[XENSTORE_RSP + (consumer % XENSTORE_RING_SIZE)]!));
      this.setWord(XENSTORE_RSP_CONS, consumer + 1);
      if (step.kind === 'message') messages.push(step.message);
    }
  }

  /** Sends a request and describes everything that comes back. */
  ask(type: number, payload: string, transactionId = 0): string[] {
    this.send(type, payload, transactionId);
    return this.receive().map(describe);
  }
}
