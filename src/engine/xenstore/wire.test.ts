import { describe, expect, it } from 'vitest';
import { XS_READ, XS_WRITE } from '../abi/xs-wire.ts';
import { SeededRandom } from './testing/random.ts';
import { byteStringFrom, bytesFromByteString } from './text.ts';
import type { Message } from './wire.ts';
import { MessageParser, onlyString, serializeMessage, stringAndBytes, terminatedStrings } from './wire.ts';

const message = (payload: string): Message => ({
  type: XS_WRITE,
  requestId: 0x01020304,
  transactionId: 0xfffffffe,
  payload: bytesFromByteString(payload),
});

describe('serializeMessage', () => {
  it('writes four little-endian words and the payload', () => {
    expect([...serializeMessage(message('a\0b'))]).toEqual([
      11, 0, 0, 0, 4, 3, 2, 1, 0xfe, 0xff, 0xff, 0xff, 3, 0, 0, 0, 0x61, 0, 0x62,
    ]);
  });
});

describe('MessageParser', () => {
  it('finds the same messages however the stream is cut', () => {
    const sent = [message('path\0value'), message(''), message('x'.repeat(4096)), { ...message('tool\0'), type: XS_READ }];
    const stream = Uint8Array.from(sent.flatMap((each) => [...serializeMessage(each)]));
    const random = new SeededRandom(1);
    for (let round = 0; round < 20; round++) {
      const parser = new MessageParser();
      const found: Message[] = [];
      for (let at = 0; at < stream.length;) {
        if (parser.wantedBytes === 0) throw new Error('nothing is wanted');
        const length = Math.min(1 + random.below(round < 10 ? 5 : 3000), parser.wantedBytes, stream.length - at);
        const step = parser.push(stream.subarray(at, at + length));
        at += length;
        if (step.kind === 'message') found.push(step.message);
      }
      const again = Uint8Array.from(found.flatMap((each) => [...serializeMessage(each)]));
      expect(found).toHaveLength(sent.length);
      expect(byteStringFrom(again) === byteStringFrom(stream)).toBe(true);
      expect(parser.wantedBytes).toBe(16);
    }
  });

  it('never asks for bytes of the next message', () => {
    const parser = new MessageParser();
    const bytes = serializeMessage(message('abc'));
    expect(parser.wantedBytes).toBe(16);
    expect(parser.push(bytes.subarray(0, 16))).toEqual({ kind: 'incomplete' });
    expect(parser.wantedBytes).toBe(3);
    expect(() => parser.push(new Uint8Array(4))).toThrow(RangeError);
  });

  it('refuses a payload over 4096 bytes as soon as it is announced', () => {
    const header = serializeMessage(message('')).slice();
    new DataView(header.buffer).setUint32(12, 4097, true);
    expect(new MessageParser().push(header)).toEqual({ kind: 'oversize', announcedBytes: 4097 });
    new DataView(header.buffer).setUint32(12, 0xffffffff, true);
    expect(new MessageParser().push(header)).toEqual({ kind: 'oversize', announcedBytes: 0xffffffff });
  });

  it('forgets a partial message on reset', () => {
    const parser = new MessageParser();
    parser.push(serializeMessage(message('abc')).subarray(0, 16));
    parser.reset();
    expect(parser.wantedBytes).toBe(16);
  });
});

describe('payloads', () => {
  it.each([
    ['', []],
    ['a', []],
    ['a\0', ['a']],
    ['\0', ['']],
    ['a\0\0b\0tail', ['a', '', 'b']],
  ])('%j has the strings %j', (payload, strings) => {
    expect(terminatedStrings(bytesFromByteString(payload))).toEqual(strings);
  });

  it.each(['', 'a', 'a\0b', 'a\0b\0', '\0\0'])('%j is not one string', (payload) => {
    expect(() => onlyString(bytesFromByteString(payload))).toThrow('EINVAL');
  });

  it('takes one string with its NUL', () => {
    expect(onlyString(bytesFromByteString('caf\xe9\0'))).toBe('caf\xe9');
    expect(onlyString(bytesFromByteString('\0'))).toBe('');
  });

  it('splits a path from arbitrary bytes', () => {
    expect(stringAndBytes(bytesFromByteString('p\0a\0b'))).toEqual({ text: 'p', bytes: bytesFromByteString('a\0b') });
    expect(stringAndBytes(bytesFromByteString('p\0')).bytes).toHaveLength(0);
    expect(() => stringAndBytes(bytesFromByteString('p'))).toThrow('EINVAL');
  });
});
