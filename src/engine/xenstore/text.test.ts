import { describe, expect, it } from 'vitest';
import { SeededRandom } from './testing/random.ts';
import { byteStringFrom, bytesFromByteString, decodeUtf8, encodeUtf8 } from './text.ts';

describe('byte strings', () => {
  it('keep every byte', () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i & 0xff);
    expect(bytesFromByteString(byteStringFrom(bytes))).toEqual(bytes);
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
