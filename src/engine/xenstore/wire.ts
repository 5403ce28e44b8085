/**
 * Messages of the XenStore protocol: an incremental parser that asks for no byte beyond the message under way, the serializer, and
 * the ways a payload is taken apart. All payloads are client-controlled.
 * @see docs/misc/xenstore.txt of the Xen tree
 */
import {
  XENSTORE_PAYLOAD_MAX,
  XSD_SOCKMSG_BYTES,
  XSD_SOCKMSG_LEN,
  XSD_SOCKMSG_REQ_ID,
  XSD_SOCKMSG_TX_ID,
  XSD_SOCKMSG_TYPE,
} from '../abi/xs-wire.ts';
import { StoreError } from './error.ts';
import { byteStringFrom } from './text.ts';

export interface Message {
  /** One of the XS_ constants, or whatever the client sent. */
  readonly type: number;
  readonly requestId: number;
  readonly transactionId: number;
  readonly payload: Uint8Array;
}

export type ParserProgress =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'message'; readonly message: Message }
  /** The client announced more than XENSTORE_PAYLOAD_MAX bytes; the stream cannot be followed any further. */
  | { readonly kind: 'oversize'; readonly announcedBytes: number };

const INCOMPLETE: ParserProgress = { kind: 'incomplete' };

export class MessageParser {
  private readonly header = new Uint8Array(XSD_SOCKMSG_BYTES);
  private headerFilled = 0;
  private payload: Uint8Array | undefined;
  private payloadFilled = 0;

  /** Bytes still missing from the header or from the payload under way; never 0. */
  get wantedBytes(): number {
    if (this.payload === undefined) return XSD_SOCKMSG_BYTES - this.headerFilled;
    return this.payload.length - this.payloadFilled;
  }

  /** Takes at most `wantedBytes` bytes (RangeError beyond). Copies them. */
  push(bytes: Uint8Array): ParserProgress {
    if (bytes.length > this.wantedBytes) throw new RangeError(`${bytes.length} bytes pushed, ${this.wantedBytes} wanted`);
    if (this.payload === undefined) {
      this.header.set(bytes, this.headerFilled);
      this.headerFilled += bytes.length;
      if (this.headerFilled < XSD_SOCKMSG_BYTES) return INCOMPLETE;
      const length = this.headerWord(XSD_SOCKMSG_LEN);
      if (length > XENSTORE_PAYLOAD_MAX) return { kind: 'oversize', announcedBytes: length };
      this.payload = new Uint8Array(length);
      this.payloadFilled = 0;
    } else {
      this.payload.set(bytes, this.payloadFilled);
      this.payloadFilled += bytes.length;
    }
    if (this.payloadFilled < this.payload.length) return INCOMPLETE;
    const message = {
      type: this.headerWord(XSD_SOCKMSG_TYPE),
      requestId: this.headerWord(XSD_SOCKMSG_REQ_ID),
      transactionId: this.headerWord(XSD_SOCKMSG_TX_ID),
      payload: this.payload,
    };
    this.reset();
    return { kind: 'message', message };
  }

  /** Forgets a partly received message. */
  reset(): void {
    this.headerFilled = 0;
    this.payload = undefined;
    this.payloadFilled = 0;
  }

  private headerWord(offset: number): number {
    return new DataView(this.header.buffer).getUint32(offset, true);
  }
}

/** Header and payload in one array. */
export function serializeMessage(message: Message): Uint8Array {
  const bytes = new Uint8Array(XSD_SOCKMSG_BYTES + message.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(XSD_SOCKMSG_TYPE, message.type, true);
  view.setUint32(XSD_SOCKMSG_REQ_ID, message.requestId, true);
  view.setUint32(XSD_SOCKMSG_TX_ID, message.transactionId, true);
  view.setUint32(XSD_SOCKMSG_LEN, message.payload.length, true);
  bytes.set(message.payload, XSD_SOCKMSG_BYTES);
  return bytes;
}

/** All NUL-terminated strings of a payload; bytes after the last NUL are left out. */
export function terminatedStrings(payload: Uint8Array): string[] {
  const strings: string[] = [];
  let start = 0;
  for (let nul = payload.indexOf(0); nul >= 0; nul = payload.indexOf(0, start)) {
    strings.push(byteStringFrom(payload, start, nul));
    start = nul + 1;
  }
  return strings;
}

/** A payload that must be one string with its NUL and nothing else; EINVAL otherwise. */
export function onlyString(payload: Uint8Array): string {
  const nul = payload.indexOf(0);
  if (nul < 0 || nul !== payload.length - 1) throw new StoreError('EINVAL', 'the request takes one NUL-terminated string');
  return byteStringFrom(payload, 0, nul);
}

/** A payload of a string and, after its NUL, arbitrary bytes (WRITE); EINVAL without the NUL. */
export function stringAndBytes(payload: Uint8Array): { readonly text: string; readonly bytes: Uint8Array } {
  const nul = payload.indexOf(0);
  if (nul < 0) throw new StoreError('EINVAL', 'the path is not NUL-terminated');
  return { text: byteStringFrom(payload, 0, nul), bytes: payload.slice(nul + 1) };
}
