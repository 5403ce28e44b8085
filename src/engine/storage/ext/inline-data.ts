/**
 * Contents kept in the inode itself (feature inline_data): 60 bytes in place of the map, the rest as the value of the extended
 * attribute "system.data" behind the inode's fields. Read only.
 * @see Linux Documentation/filesystems/ext4/inlinedata.rst, attributes.rst
 */
import { damaged } from './ext-volume.ts';
import type { Inode } from './inode.ts';

const ATTRIBUTE_MAGIC = 0xea020000;
const INDEX_SYSTEM = 7;
const ENTRY = 16;

/** The value of "system.data", empty when there is none. */
function attributeData(inode: Inode): Uint8Array {
  const start = 128 + inode.extraBytes;
  const { bytes, view } = inode;
  if (start + 4 > bytes.length || start < 132 || view.getUint32(start, true) !== ATTRIBUTE_MAGIC) return new Uint8Array(0);
  const first = start + 4;
  for (let at = first; at + ENTRY <= bytes.length && view.getUint32(at, true) !== 0;) {
    const nameBytes = bytes[at] ?? 0;
    const name = String.fromCharCode(...bytes.subarray(at + ENTRY, at + ENTRY + nameBytes));
    if (bytes[at + 1] === INDEX_SYSTEM && name === 'data') {
      const value = first + view.getUint16(at + 2, true);
      const size = view.getUint32(at + 8, true);
      if (value + size > bytes.length) throw damaged(`the inline contents of inode ${inode.number} reach beyond the inode`);
      return bytes.subarray(value, value + size);
    }
    at += (ENTRY + nameBytes + 3) & ~3;
  }
  return new Uint8Array(0);
}

/** The contents of a file, as long as its size. */
export function inlineContents(inode: Inode): Uint8Array {
  const contents = new Uint8Array(Math.min(inode.size, 60 + inode.bytes.length));
  contents.set(inode.map.subarray(0, contents.length));
  if (contents.length > 60) {
    const rest = attributeData(inode);
    contents.set(rest.subarray(0, contents.length - 60), 60);
  }
  return contents;
}

export interface InlinePiece {
  /** Records of a directory. */
  readonly bytes: Uint8Array;
  /** Entries that have no record. */
  readonly named: readonly { readonly name: Uint8Array; readonly inode: number }[];
}

export function inlineDirectoryPieces(directory: Inode): InlinePiece[] {
  const parent = new DataView(directory.map.buffer, directory.map.byteOffset, 4).getUint32(0, true);
  const named = [
    { name: Uint8Array.of(46), inode: directory.number },
    { name: Uint8Array.of(46, 46), inode: parent },
  ];
  return [
    { bytes: directory.map.slice(4), named },
    { bytes: attributeData(directory).slice(), named: [] },
  ];
}
