/**
 * The page shared between xenstored and a domain as a pair of byte streams. The domain can write anything anywhere in it at any
 * time: its indices are read once and checked, and the server's own indices are kept here and only ever written to the page.
 * @see docs/misc/xenstore-ring.txt of the Xen tree
 */
import {
  XENSTORE_CONNECTED,
  XENSTORE_CONNECTION,
  XENSTORE_ERROR,
  XENSTORE_ERROR_NONE,
  XENSTORE_RECONNECT,
  XENSTORE_REQ,
  XENSTORE_REQ_CONS,
  XENSTORE_REQ_PROD,
  XENSTORE_RING_SIZE,
  XENSTORE_RSP,
  XENSTORE_RSP_CONS,
  XENSTORE_RSP_PROD,
  XENSTORE_SERVER_FEATURES,
  XENSTORE_SERVER_FEATURE_ERROR,
  XENSTORE_SERVER_FEATURE_RECONNECTION,
} from '../abi/xs-wire.ts';
import type { SharedRing } from '../hypervisor/control.ts';

/** The two indices of a direction are further apart than the ring is long. */
export class RingIndexError extends Error {
  constructor(
    readonly direction: 'request' | 'response',
    readonly producer: number,
    readonly consumer: number,
  ) {
    super(`${direction} ring indices are inconsistent: producer ${producer}, consumer ${consumer}`);
    this.name = 'RingIndexError';
  }
}

const wordOf = (byteOffset: number): number => byteOffset >> 2;

export class RingTransport {
  private reqCons = 0;
  private rspProd = 0;

  constructor(private readonly ring: SharedRing) {}

  /** Empties both directions, says what the server can do, and declares the connection good. */
  reset(): void {
    this.reqCons = 0;
    this.rspProd = 0;
    for (const index of [XENSTORE_REQ_CONS, XENSTORE_REQ_PROD, XENSTORE_RSP_CONS, XENSTORE_RSP_PROD]) this.store(index, 0);
    this.store(XENSTORE_SERVER_FEATURES, XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
    this.store(XENSTORE_ERROR, XENSTORE_ERROR_NONE);
    this.store(XENSTORE_CONNECTION, XENSTORE_CONNECTED);
  }

  reconnectRequested(): boolean {
    return this.load(XENSTORE_CONNECTION) === XENSTORE_RECONNECT;
  }

  /** Tells the domain why it is no longer listened to: an XENSTORE_ERROR_ constant. */
  declareBroken(reason: number): void {
    this.store(XENSTORE_ERROR, reason);
  }

  /** A copy of the next bytes of the request stream, at most `limit` and as far as the ring's end; empty when there are none. */
  receive(limit: number): Uint8Array {
    const producer = this.load(XENSTORE_REQ_PROD);
    const available = (producer - this.reqCons) >>> 0;
    if (available > XENSTORE_RING_SIZE) throw new RingIndexError('request', producer, this.reqCons);
    const start = this.reqCons % XENSTORE_RING_SIZE;
    const length = Math.min(limit, available, XENSTORE_RING_SIZE - start);
    const bytes = this.ring.bytes.slice(XENSTORE_REQ + start, XENSTORE_REQ + start + length);
    if (length > 0) {
      this.reqCons = (this.reqCons + length) >>> 0;
      this.store(XENSTORE_REQ_CONS, this.reqCons);
    }
    return bytes;
  }

  /** Puts as much of `bytes` into the response stream as fits; returns how many bytes that were. */
  send(bytes: Uint8Array): number {
    const consumer = this.load(XENSTORE_RSP_CONS);
    const used = (this.rspProd - consumer) >>> 0;
    if (used > XENSTORE_RING_SIZE) throw new RingIndexError('response', this.rspProd, consumer);
    const length = Math.min(bytes.length, XENSTORE_RING_SIZE - used);
    for (let done = 0; done < length;) {
      const start = (this.rspProd + done) % XENSTORE_RING_SIZE;
      const part = Math.min(length - done, XENSTORE_RING_SIZE - start);
      this.ring.bytes.set(bytes.subarray(done, done + part), XENSTORE_RSP + start);
      done += part;
    }
    if (length > 0) {
      this.rspProd = (this.rspProd + length) >>> 0;
      this.store(XENSTORE_RSP_PROD, this.rspProd);
    }
    return length;
  }

  notify(): void {
    this.ring.notify();
  }

  private load(byteOffset: number): number {
    return Atomics.load(this.ring.words, wordOf(byteOffset)) >>> 0;
  }

  private store(byteOffset: number, value: number): void {
    Atomics.store(this.ring.words, wordOf(byteOffset), value | 0);
  }
}
