/**
 * Bytes to strings and back. XenStore's own strings (paths, tokens, arguments) are byte strings: one UTF-16 unit a byte, so that
 * whatever a client sent comes back unchanged. Values and console text are UTF-8, with U+FFFD for what is not.
 * The input may be a view of shared memory: each byte is read once.
 */

const CHUNK = 8192;

export function byteStringFrom(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = '';
  for (let at = start; at < end; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + CHUNK, end)));
  }
  return text;
}

/** Throws RangeError when a unit does not fit a byte. */
export function bytesFromByteString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0xff) throw new RangeError(`character U+${unit.toString(16)} is not a byte`);
    bytes[i] = unit;
  }
  return bytes;
}

export function encodeUtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const scalar = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
    if (scalar < 0x80) bytes.push(scalar);
    else if (scalar < 0x800) bytes.push(0xc0 | (scalar >> 6), 0x80 | (scalar & 0x3f));
    else if (scalar < 0x10000) bytes.push(0xe0 | (scalar >> 12), 0x80 | ((scalar >> 6) & 0x3f), 0x80 | (scalar & 0x3f));
    else {
      bytes.push(0xf0 | (scalar >> 18), 0x80 | ((scalar >> 12) & 0x3f), 0x80 | ((scalar >> 6) & 0x3f), 0x80 | (scalar & 0x3f));
    }
  }
  return Uint8Array.from(bytes);
}

/** Never throws: every byte that is part of no valid sequence becomes one U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = '';
  let units: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at] ?? 0;
    let extra = 0;
    let point = lead;
    let least = 0;
    if (lead >= 0xc2 && lead <= 0xdf) [extra, point, least] = [1, lead & 0x1f, 0x80];
    else if (lead >= 0xe0 && lead <= 0xef) [extra, point, least] = [2, lead & 0x0f, 0x800];
    else if (lead >= 0xf0 && lead <= 0xf4) [extra, point, least] = [3, lead & 0x07, 0x10000];
    else if (lead >= 0x80) point = 0xfffd;
    let length = 1;
    for (let i = 1; i <= extra; i++) {
      const next = bytes[at + i] ?? 0;
      if ((next & 0xc0) !== 0x80) break;
      point = (point << 6) | (next & 0x3f);
      length++;
    }
    const whole = length === extra + 1;
    if (!whole || point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      point = 0xfffd;
      length = 1;
    }
    at += length;
    if (point >= 0x10000) units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
    else units.push(point);
    if (units.length >= CHUNK) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}

/** Decodes a stream that comes in pieces: a character cut in two appears with its second half. */
export class Utf8Stream {
  private held = new Uint8Array(0);

  push(bytes: Uint8Array): string {
    const all = new Uint8Array(this.held.length + bytes.length);
    all.set(this.held);
    all.set(bytes, this.held.length);
    const complete = all.length - unfinishedBytes(all);
    this.held = all.slice(complete);
    return decodeUtf8(all.subarray(0, complete));
  }
}

/** How many bytes at the end are the beginning of a sequence that is longer. */
function unfinishedBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 && byte <= 0xf4 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return byte < 0xf5 && length > back ? back : 0;
  }
  return 0;
}
