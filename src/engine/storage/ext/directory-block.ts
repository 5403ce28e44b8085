/**
 * A block of a directory: records one behind the other, each with an inode (0 = free), its length, and a name; with checksums a
 * record that looks free at the end. Lengths are checked before anything is believed.
 * @see Linux Documentation/filesystems/ext4/directory.rst
 */
import { crc32c } from './checksum.ts';

export const TAIL_BYTES = 12;
const TAIL_TYPE = 0xde;

/** A record, free ones too. Offsets are within the block. */
export interface DirectoryRecord {
  readonly offset: number;
  readonly length: number;
  readonly inode: number;
  readonly nameBytes: number;
  /** 1 file, 2 directory, ...; 0 unknown. */
  readonly type: number;
}

/** Bytes a name needs. */
export function recordBytes(nameBytes: number): number {
  return (8 + nameBytes + 3) & ~3;
}

/** `withType`: feature filetype. `withTail`: feature metadata_csum. */
export class DirectoryBlock {
  private readonly view: DataView;
  /** Records end here. */
  readonly limit: number;

  constructor(
    readonly bytes: Uint8Array,
    private readonly withType: boolean,
    private readonly withTail: boolean,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.limit = bytes.length - (withTail ? TAIL_BYTES : 0);
  }

  private lengthAt(offset: number): number {
    const length = this.view.getUint16(offset + 4, true);
    return this.bytes.length === 65536 && (length === 0xffff || length === 0) ? 65536 : length;
  }
  private setLength(offset: number, length: number): void {
    this.view.setUint16(offset + 4, length === 65536 ? 0xffff : length, true);
  }

  recordAt(offset: number): DirectoryRecord {
    return {
      offset,
      length: this.lengthAt(offset),
      inode: this.view.getUint32(offset, true),
      nameBytes: this.withType ? (this.bytes[offset + 6] ?? 0) : this.view.getUint16(offset + 6, true),
      type: this.withType ? (this.bytes[offset + 7] ?? 0) : 0,
    };
  }

  /** All records up to `limit`; undefined when their lengths do not work out. `end`: for blocks of an index, which have no tail. */
  records(end = this.limit): DirectoryRecord[] | undefined {
    const found: DirectoryRecord[] = [];
    for (let offset = 0; offset < end;) {
      if (offset + 8 > end) return undefined;
      const record = this.recordAt(offset);
      if (record.length < recordBytes(record.inode === 0 ? 0 : record.nameBytes) || record.length % 4 !== 0) return undefined;
      if (offset + record.length > end) return undefined;
      found.push(record);
      offset += record.length;
    }
    return found;
  }

  name(record: DirectoryRecord): Uint8Array {
    return this.bytes.subarray(record.offset + 8, record.offset + 8 + record.nameBytes);
  }

  write(offset: number, length: number, inode: number, name: Uint8Array, type: number): void {
    this.view.setUint32(offset, inode, true);
    this.setLength(offset, length);
    if (this.withType) {
      this.bytes[offset + 6] = name.length;
      this.bytes[offset + 7] = type;
    } else this.view.setUint16(offset + 6, name.length, true);
    this.bytes.set(name, offset + 8);
  }

  /** Names another inode by the record. */
  setInode(record: DirectoryRecord, inode: number, type: number): void {
    this.view.setUint32(record.offset, inode, true);
    if (this.withType) this.bytes[record.offset + 7] = type;
  }

  /** One free record, and the tail. */
  format(): void {
    this.bytes.fill(0);
    this.setLength(0, this.limit);
    this.addTail();
  }
  addTail(): void {
    if (!this.withTail) return;
    this.bytes.fill(0, this.limit);
    this.setLength(this.limit, TAIL_BYTES);
    this.bytes[this.limit + 7] = TAIL_TYPE;
  }

  /** Puts an entry where there is room. False = there is none. The records are valid. */
  insert(name: Uint8Array, inode: number, type: number): boolean {
    const needed = recordBytes(name.length);
    for (const record of this.records() ?? []) {
      const used = record.inode === 0 ? 0 : recordBytes(record.nameBytes);
      if (record.length - used < needed) continue;
      if (used > 0) this.setLength(record.offset, used);
      this.write(record.offset + used, record.length - used, inode, name, type);
      return true;
    }
    return false;
  }

  /** Takes out the record, one of `records()`. */
  remove(record: DirectoryRecord): void {
    let before: DirectoryRecord | undefined;
    for (const other of this.records() ?? []) {
      if (other.offset === record.offset) break;
      before = other;
    }
    this.view.setUint32(record.offset, 0, true);
    if (before !== undefined) this.setLength(before.offset, before.length + record.length);
  }

  get hasTail(): boolean {
    const tail = this.recordAt(this.limit);
    return (
      tail.inode === 0 && tail.length === TAIL_BYTES && this.bytes[this.limit + 6] === 0 && this.bytes[this.limit + 7] === TAIL_TYPE
    );
  }
  /** `seed` of the directory's inode. */
  checksumIsRight(seed: number): boolean {
    return (
      !this.withTail || (this.hasTail && this.view.getUint32(this.limit + 8, true) === crc32c(seed, this.bytes, 0, this.limit))
    );
  }
  seal(seed: number): void {
    if (this.withTail) this.view.setUint32(this.limit + 8, crc32c(seed, this.bytes, 0, this.limit), true);
  }
}
