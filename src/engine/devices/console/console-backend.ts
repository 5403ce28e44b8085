/**
 * xenconsoled's end of one guest's console: takes what the guest prints, hands it to whoever listens and keeps the last of it,
 * and feeds keystrokes back as fast as the guest takes them. The guest's indices are read once and checked; ours are kept here.
 * @see xen/include/public/io/console.h
 */
import {
  XENCONS_IN,
  XENCONS_IN_CONS,
  XENCONS_IN_PROD,
  XENCONS_IN_SIZE,
  XENCONS_OUT,
  XENCONS_OUT_CONS,
  XENCONS_OUT_PROD,
  XENCONS_OUT_SIZE,
} from '../../abi/console-io.ts';
import type { SharedRing } from '../../hypervisor/control.ts';
import { Utf8Stream, decodeUtf8 } from '../../xenstore/text.ts';
import { Scrollback } from './scrollback.ts';
import { TextWatch } from './text-watch.ts';

/** Runs a task once after a delay; the function returned takes it back. */
export interface Timers {
  after(delayMs: number, task: () => void): () => void;
}

export interface ConsoleBackendOptions {
  readonly timers: Timers;
  /** Lines for the daemon's log. */
  readonly log: (line: string) => void;
  /** What the console is called in the log and in errors, as "domain 3". */
  readonly name: string;
  /** Where the output is kept; one of its own when left out. */
  readonly scrollback?: Scrollback;
  /** Most input bytes that wait for the guest. */
  readonly inputLimitBytes?: number;
}

/** The text waited for did not come in time, or can no longer come. The message ends with the last lines there were. */
export class ConsoleWaitError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConsoleWaitError';
  }
}

export interface WaitOptions {
  /** No limit when left out. */
  readonly timeoutMs?: number;
  /** Position in the output to search from; the oldest output kept when left out. */
  readonly from?: number;
}

interface Waiter {
  readonly watch: TextWatch;
  readonly pattern: string;
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
  cancelTimer: () => void;
}

type OutputListener = (bytes: Uint8Array) => void;

const INPUT_LIMIT_BYTES = 64 * 1024;
/** Rings full of output taken in one poll; a guest that prints without end must notify again. */
const PASSES_PER_POLL = 4;
const LAST_LINES = 20;
/** What a closed console has in place of its ring: nothing that would keep the memory of a domain that is gone. */
const NO_RING: SharedRing = {
  bytes: new Uint8Array(0),
  words: new Int32Array(0),
  notify: () => undefined,
  onNotify: () => undefined,
};

export class ConsoleBackend {
  readonly scrollback: Scrollback;
  private readonly listeners = new Set<OutputListener>();
  private readonly waiters = new Set<Waiter>();
  private readonly decoder = new Utf8Stream();
  private readonly inputLimitBytes: number;
  private input: Uint8Array[] = [];
  private inputBytes = 0;
  private outCons: number;
  private inProd: number;
  private state: 'open' | 'broken' | 'closed' = 'open';

  constructor(
    private ring: SharedRing,
    private readonly options: ConsoleBackendOptions,
  ) {
    this.scrollback = options.scrollback ?? new Scrollback();
    this.inputLimitBytes = options.inputLimitBytes ?? INPUT_LIMIT_BYTES;
    // A restored guest goes on where its page says.
    this.outCons = this.load(XENCONS_OUT_CONS);
    this.inProd = this.load(XENCONS_IN_PROD);
    ring.onNotify(() => {
      this.poll();
    });
  }

  /** Moves what can be moved, both ways, and tells the guest if anything was. */
  poll(): void {
    if (this.state !== 'open') return;
    const taken = this.drainOutput();
    const given = this.feedInput();
    if (taken || given) this.ring.notify();
  }

  /** Takes keystrokes for the guest; returns how many bytes of them, fewer than all when too many wait already. */
  push(bytes: Uint8Array): number {
    if (this.state !== 'open') return 0;
    const accepted = Math.min(bytes.length, this.inputLimitBytes - this.inputBytes);
    if (accepted > 0) {
      this.input.push(bytes.slice(0, accepted));
      this.inputBytes += accepted;
    }
    this.poll();
    return accepted;
  }

  /** Input bytes the guest has not taken yet. */
  get pendingInputBytes(): number {
    return this.inputBytes;
  }

  /** Calls back with a copy of every piece of output from now on; the function returned ends that. */
  subscribe(listener: OutputListener): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /** The output kept, as text. */
  text(): string {
    return decodeUtf8(this.scrollback.since(0));
  }

  /** Position behind the output so far, to wait from. */
  get position(): number {
    return this.scrollback.end;
  }

  /** Resolves with the text that matches, at once when it is there. Rejects with ConsoleWaitError. */
  waitFor(pattern: string | RegExp, { timeoutMs, from = 0 }: WaitOptions = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const watch = new TextWatch(pattern, decodeUtf8(this.scrollback.since(from)));
      const waiter: Waiter = { watch, pattern: String(pattern), resolve, reject, cancelTimer: () => undefined };
      if (this.settle(waiter)) return;
      if (this.state !== 'open') {
        this.giveUp(waiter, `the console of ${this.options.name} is ${this.state}`);
        return;
      }
      this.waiters.add(waiter);
      if (timeoutMs === undefined) return;
      waiter.cancelTimer = this.options.timers.after(timeoutMs, () => {
        this.giveUp(waiter, `it did not come within ${timeoutMs} ms`);
      });
    });
  }

  /** Takes what is still in the ring, then lets go of the ring and the domain's memory with it. What was printed stays readable. */
  close(): void {
    if (this.state === 'open') this.poll();
    this.state = 'closed';
    this.ring = NO_RING;
    this.input = [];
    this.inputBytes = 0;
    for (const waiter of this.waiters) this.giveUp(waiter, `the console of ${this.options.name} was closed`);
    this.listeners.clear();
  }

  private drainOutput(): boolean {
    let taken = false;
    for (let pass = 0; pass < PASSES_PER_POLL; pass++) {
      const producer = this.load(XENCONS_OUT_PROD);
      const available = (producer - this.outCons) >>> 0;
      if (available > XENCONS_OUT_SIZE) {
        this.breakOff(`output indices are inconsistent: producer ${producer}, consumer ${this.outCons}`);
        return taken;
      }
      if (available === 0) break;
      const bytes = this.copyOut(available);
      this.outCons = producer;
      this.store(XENCONS_OUT_CONS, producer);
      taken = true;
      this.spread(bytes);
    }
    return taken;
  }

  private copyOut(length: number): Uint8Array {
    const start = this.outCons % XENCONS_OUT_SIZE;
    const first = Math.min(length, XENCONS_OUT_SIZE - start);
    const bytes = new Uint8Array(length);
    bytes.set(this.ring.bytes.subarray(XENCONS_OUT + start, XENCONS_OUT + start + first));
    bytes.set(this.ring.bytes.subarray(XENCONS_OUT, XENCONS_OUT + length - first), first);
    return bytes;
  }

  private feedInput(): boolean {
    if (this.inputBytes === 0 || this.state !== 'open') return false;
    const consumer = this.load(XENCONS_IN_CONS);
    const used = (this.inProd - consumer) >>> 0;
    if (used > XENCONS_IN_SIZE) {
      this.breakOff(`input indices are inconsistent: producer ${this.inProd}, consumer ${consumer}`);
      return false;
    }
    let room = XENCONS_IN_SIZE - used;
    const before = room;
    while (room > 0) {
      const piece = this.input[0];
      if (piece === undefined) break;
      const start = this.inProd % XENCONS_IN_SIZE;
      const length = Math.min(piece.length, room, XENCONS_IN_SIZE - start);
      this.ring.bytes.set(piece.subarray(0, length), XENCONS_IN + start);
      this.inProd = (this.inProd + length) >>> 0;
      room -= length;
      this.inputBytes -= length;
      if (length === piece.length) this.input.shift();
      else this.input[0] = piece.subarray(length);
    }
    if (room === before) return false;
    this.store(XENCONS_IN_PROD, this.inProd);
    return true;
  }

  private spread(bytes: Uint8Array): void {
    this.scrollback.append(bytes);
    const text = this.decoder.push(bytes);
    for (const waiter of this.waiters) {
      waiter.watch.add(text);
      this.settle(waiter);
    }
    for (const listener of this.listeners) {
      try {
        listener(bytes.slice());
      } catch (error) {
        this.options.log(`xenconsoled: a listener to the console of ${this.options.name} failed: ${String(error)}`);
      }
    }
  }

  private settle(waiter: Waiter): boolean {
    const found = waiter.watch.search();
    if (found === undefined) return false;
    this.waiters.delete(waiter);
    waiter.cancelTimer();
    waiter.resolve(found);
    return true;
  }

  private giveUp(waiter: Waiter, why: string): void {
    this.waiters.delete(waiter);
    waiter.cancelTimer();
    const lines = this.text().split('\n').slice(-LAST_LINES).join('\n');
    waiter.reject(new ConsoleWaitError(`waited for ${waiter.pattern}: ${why}. The last lines were:\n${lines}`));
  }

  private breakOff(why: string): void {
    this.options.log(`xenconsoled: console of ${this.options.name} closed: ${why}`);
    this.state = 'broken';
    this.input = [];
    this.inputBytes = 0;
    for (const waiter of this.waiters) this.giveUp(waiter, `the console of ${this.options.name} is broken`);
  }

  private load(byteOffset: number): number {
    return Atomics.load(this.ring.words, byteOffset >> 2) >>> 0;
  }

  private store(byteOffset: number, value: number): void {
    Atomics.store(this.ring.words, byteOffset >> 2, value | 0);
  }
}
