import { describe, expect, it } from 'vitest';
import { SeededRandom } from './testing/random.ts';
import { Utf8Stream, byteStringFrom, bytesFromByteString, decodeUtf8, encodeUtf8 } from './text.ts';

describe('byte strings', () => {
  it('keep every byte', () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i & 0xff);
    expect(bytesFromByteString(byteStringFrom(bytes)).every((byte, i) => byte === (i & 0xff))).toBe(true);
    expect(byteStringFrom(bytes)).toHaveLength(20_000);
    expect(byteStringFrom(bytes, 0x41, 0x44)).toBe('ABC');
  });

  it('refuse what is no byte', () => {
    expect(() => bytesFromByteString('\u0100')).toThrow(RangeError);
  });
});

describe('UTF-8', () => {
  const platformDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

  it.each(['', 'plain', 'é', 'ß€', '日本語', '🐼 panda', '\u07ff\u0800\uffff\u{10000}\u{10ffff}'])(
    '%j as the platform has it',
    (text) => {
      expect(encodeUtf8(text)).toEqual(new TextEncoder().encode(text));
      expect(decodeUtf8(encodeUtf8(text))).toBe(text);
    },
  );

  it('replaces lone surrogates as the platform does', () => {
    expect(encodeUtf8('a\ud800b')).toEqual(new TextEncoder().encode('a\ud800b'));
  });

  it('decodes long texts', () => {
    const text = 'aé€🐼'.repeat(10_000);
    expect(decodeUtf8(encodeUtf8(text))).toBe(text);
  });

  it('never throws on noise and agrees with the platform on what is valid', () => {
    const random = new SeededRandom(2);
    for (let round = 0; round < 300; round++) {
      const bytes = random.bytes(random.below(24));
      const ours = decodeUtf8(bytes);
      expect(ours.replaceAll('\ufffd', '')).toBe(platformDecoder.decode(bytes).replaceAll('\ufffd', ''));
    }
    for (const broken of [[0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff], [0xe2, 0x82]]) {
      expect(decodeUtf8(Uint8Array.from(broken))).toMatch(/^\ufffd+$/);
    }
  });
});

describe('Utf8Stream', () => {
  it('gives the same text however the bytes are cut', () => {
    const text = 'größe € 🐼 ende';
    const bytes = encodeUtf8(text);
    const random = new SeededRandom(5);
    for (let round = 0; round < 100; round++) {
      const stream = new Utf8Stream();
      let out = '';
      for (let at = 0; at < bytes.length;) {
        const length = Math.min(1 + random.below(5), bytes.length - at);
        out += stream.push(bytes.subarray(at, at + length));
        at += length;
      }
      expect(out).toBe(text);
    }
  });

  it('does not hold back what can never become a character', () => {
    const stream = new Utf8Stream();
    expect(stream.push(Uint8Array.of(0x41, 0xff))).toBe('A\ufffd');
    expect(stream.push(Uint8Array.of(0x80))).toBe('\ufffd');
    expect(stream.push(Uint8Array.of(0xc3))).toBe('');
    expect(stream.push(Uint8Array.of(0x41))).toBe('\ufffdA');
  });
});
