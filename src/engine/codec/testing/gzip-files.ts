/** gzip files whole, damaged and put together, for comparisons with the gzip of the host. */
import { crc32, gzipSync } from 'node:zlib';

const hello = gzipSync('hello');
const world = gzipSync(' world');
const changed = (bytes: Uint8Array, at: number, value: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at] = value;
  return copy;
};
const zeros = (count: number): Buffer => Buffer.alloc(count);
const flipped = (bytes: Uint8Array, at: number): Buffer => changed(bytes, at, (bytes.at(at) ?? 0) ^ 1);

/** A header with every optional field, and its CRC changed by so much. */
function longHeader(change: number): Buffer {
  const fields = Buffer.concat([changed(hello.subarray(0, 10), 3, 0x1e), Buffer.from('\x05\0extraname\0comment\0', 'latin1')]);
  const sum = Buffer.alloc(2);
  sum.writeUInt16LE((crc32(fields) & 0xffff) ^ change);
  return Buffer.concat([fields, sum, hello.subarray(10)]);
}

export const GZIP_FILES: readonly (readonly [name: string, file: Buffer])[] = [
  ['one member', hello],
  ['two members', Buffer.concat([hello, world])],
  ['many members, some of them empty', Buffer.concat(Array.from({ length: 300 }, (_, n) => (n % 3 === 0 ? gzipSync('') : hello)))],
  ['a header with every field', longHeader(0)],
  ['a header with every field, in the second member', Buffer.concat([world, longHeader(0)])],
  ['one zero byte behind', Buffer.concat([hello, zeros(1)])],
  ['zeros behind two members', Buffer.concat([hello, world, zeros(100_000)])],
  ['garbage behind', Buffer.concat([hello, Buffer.from('garbage')])],
  ['garbage behind two members', Buffer.concat([hello, world, Buffer.from('zzz')])],
  ['a member behind zeros', Buffer.concat([hello, zeros(7), world])],
  ['one byte behind', Buffer.concat([hello, Buffer.from('x')])],
  ['the first byte of a member behind', Buffer.concat([hello, world.subarray(0, 1)])],
  ['the magic of a member behind', Buffer.concat([hello, world.subarray(0, 2)])],
  ['half a header behind', Buffer.concat([hello, world.subarray(0, 7)])],
  ['a second member without its last byte', Buffer.concat([hello, world.subarray(0, -1)])],
  ['a member cut off in its data', gzipSync('hello '.repeat(1000)).subarray(0, 20)],
  ['another method in the second member', Buffer.concat([hello, changed(world, 2, 7)])],
  ['an encrypted member', changed(hello, 3, 0x20)],
  ['flags that stand for nothing', changed(hello, 3, 0x40)],
  ['a wrong CRC of the header', longHeader(1)],
  ['a wrong CRC', flipped(hello, -6)],
  ['a wrong CRC in the first of two', Buffer.concat([flipped(hello, -6), world])],
  ['a wrong CRC in the second of two', Buffer.concat([world, flipped(hello, -6)])],
  ['a wrong length', flipped(hello, -1)],
  ['data that makes no sense', changed(hello, 10, 0xff)],
  ['nothing', Buffer.alloc(0)],
  ['one letter', Buffer.from('t')],
  ['text', Buffer.from('text')],
  ['zeros', zeros(4)],
];
