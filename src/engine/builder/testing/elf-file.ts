/** Writes small ELF64 kernels and bzImages for tests, from a description. */

export interface SegmentDescription {
  readonly type?: number;
  readonly vaddr?: bigint;
  readonly paddr: bigint;
  readonly bytes: Uint8Array;
  /** The segment's length when longer than its bytes. */
  readonly memoryBytes?: number;
}

export interface ElfDescription {
  readonly entry?: bigint;
  readonly segments: readonly SegmentDescription[];
  readonly sections?: readonly { readonly name: string; readonly type: number; readonly bytes: Uint8Array }[];
  /** ELF class byte (2 = 64 bit) and machine (62 = x86-64). */
  readonly elfClass?: number;
  readonly machine?: number;
}

const encode = (text: string) => new TextEncoder().encode(text);

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

export function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

export function u32(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => view.setUint32(4 * index, value, true));
  return bytes;
}

const padded = (bytes: Uint8Array) => joined(bytes, new Uint8Array(-bytes.length & 3));

/** One note; a text descriptor gets a NUL. */
export function note(type: number, descriptor: string | bigint | number, name = 'Xen\0'): Uint8Array {
  const body =
    typeof descriptor === 'string' ? encode(`${descriptor}\0`) : typeof descriptor === 'bigint' ? u64(descriptor) : u32(descriptor);
  return joined(u32(name.length, body.length, type), padded(encode(name)), padded(body));
}

export function elfFile(description: ElfDescription): Uint8Array<ArrayBuffer> {
  const { segments, sections = [] } = description;
  const names = joined(new Uint8Array(1), ...sections.map(({ name }) => encode(`${name}\0`)), encode('.shstrtab\0'));
  const headersEnd = 64 + 56 * segments.length;
  let at = headersEnd;
  const place = (bytes: Uint8Array) => {
    const offset = at;
    at += bytes.length;
    return offset;
  };
  const segmentOffsets = segments.map(({ bytes }) => place(bytes));
  const sectionOffsets = sections.map(({ bytes }) => place(bytes));
  const namesOffset = place(names);
  const sectionTable = at;
  const file = new Uint8Array(sectionTable + (sections.length === 0 ? 0 : 64 * (sections.length + 2)));
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, description.elfClass ?? 2, 1, 1]);
  view.setUint16(0x10, 2, true);
  view.setUint16(0x12, description.machine ?? 62, true);
  view.setBigUint64(0x18, description.entry ?? 0n, true);
  view.setBigUint64(0x20, 64n, true);
  view.setUint16(0x36, 56, true);
  view.setUint16(0x38, segments.length, true);
  view.setUint16(0x3a, 64, true);
  segments.forEach((segment, index) => {
    const header = 64 + 56 * index;
    view.setUint32(header, segment.type ?? 1, true);
    view.setUint32(header + 4, 7, true);
    view.setBigUint64(header + 8, BigInt(segmentOffsets[index]!), true);
    view.setBigUint64(header + 16, segment.vaddr ?? segment.paddr, true);
    view.setBigUint64(header + 24, segment.paddr, true);
    view.setBigUint64(header + 32, BigInt(segment.bytes.length), true);
    view.setBigUint64(header + 40, BigInt(segment.memoryBytes ?? segment.bytes.length), true);
    file.set(segment.bytes, segmentOffsets[index]);
  });
  if (sections.length > 0) {
    view.setBigUint64(0x28, BigInt(sectionTable), true);
    view.setUint16(0x3c, sections.length + 2, true);
    view.setUint16(0x3e, sections.length + 1, true);
    const all = [
      ...sections.map((section, index) => ({ ...section, offset: sectionOffsets[index]! })),
      { name: '.shstrtab', type: 3, bytes: names, offset: namesOffset },
    ];
    let nameOffset = 1;
    all.forEach(({ name, type, bytes, offset }, index) => {
      const header = sectionTable + 64 * (index + 1);
      view.setUint32(header, nameOffset, true);
      view.setUint32(header + 4, type, true);
      view.setBigUint64(header + 24, BigInt(offset), true);
      view.setBigUint64(header + 32, BigInt(bytes.length), true);
      file.set(bytes, offset);
      nameOffset += name.length + 1;
    });
  }
  return file;
}

/** A bzImage around a payload; a compressed one but gzip gets the size it makes after it. */
export function bzImage(
  payload: Uint8Array,
  options: { readonly protocol?: number; readonly sizeTrailer?: number } = {},
): Uint8Array<ArrayBuffer> {
  const body = options.sizeTrailer === undefined ? payload : joined(payload, u32(options.sizeTrailer));
  const setupSectors = 2;
  const payloadOffset = 0x40;
  const start = (setupSectors + 1) * 512 + payloadOffset;
  const file = new Uint8Array(start + body.length + 32);
  const view = new DataView(file.buffer);
  view.setUint8(0x1f1, setupSectors);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, options.protocol ?? 0x20f, true);
  view.setUint32(0x248, payloadOffset, true);
  view.setUint32(0x24c, body.length, true);
  file.set(body, start);
  return file;
}
