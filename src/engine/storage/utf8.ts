/**
 * UTF-8 by hand: the engine is compiled without the web's library, and the platform's TextDecoder refuses views of shared
 * memory. Decoding never fails: what is no UTF-8 becomes U+FFFD, one for each byte that cannot begin or continue a character.
 */

export function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(utf8Length(text));
  let at = 0;
  for (const character of text) {
    let code = character.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    if (code < 0x80) {
      bytes[at++] = code;
      continue;
    }
    const following = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    bytes[at++] = ((0xff00 >> (following + 1)) & 0xff) | (code >> (6 * following));
    for (let shift = 6 * (following - 1); shift >= 0; shift -= 6) bytes[at++] = 0x80 | ((code >> shift) & 0x3f);
  }
  return bytes;
}

/** Smallest code point that needs so many following bytes: shorter spellings are refused. */
const SMALLEST = [0, 0x80, 0x800, 0x10000] as const;

export function decodeUtf8(bytes: Uint8Array): string {
  let text = '';
  let pieces: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at++] ?? 0;
    let code = first;
    if (first >= 0x80) {
      const following = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
      code = first & (0x3f >> following);
      let taken = 0;
      while (taken < following && ((bytes[at + taken] ?? 0) & 0xc0) === 0x80)
        code = (code << 6) | ((bytes[at + taken++] ?? 0) & 0x3f);
      const valid =
        first >= 0xc2 &&
        first < 0xf5 &&
        taken === following &&
        code >= (SMALLEST[following] ?? 0) &&
        code < 0x110000 &&
        (code < 0xd800 || code >= 0xe000);
      if (valid) at += following;
      else code = 0xfffd;
    }
    pieces.push(code);
    if (pieces.length === 4096) {
      text += String.fromCodePoint(...pieces);
      pieces = [];
    }
  }
  return text + String.fromCodePoint(...pieces);
}
