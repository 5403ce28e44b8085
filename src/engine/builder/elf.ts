/**
 * ELF64 files for x86-64, as far as a kernel needs them: program headers, and section headers where there are some.
 * The file is whatever a user has chosen: every offset is checked here, so what is returned lies inside the file.
 * @see System V ABI, "Object files"
 */
import { BuildError } from './build-error.ts';

const EI_CLASS = 4;
const EI_DATA = 5;
const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const EM_X86_64 = 62;
const EHDR_BYTES = 64;
const PHDR_BYTES = 56;
const SHDR_BYTES = 64;
const SHN_UNDEF = 0;
const SECTION_NAME_MAX = 64;

export const PT_LOAD = 1;
export const PT_NOTE = 4;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;

export interface ElfSegment {
  readonly type: number;
  /** Bytes from the start of the file; inside it. */
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly virtualAddress: bigint;
  readonly physicalAddress: bigint;
  /** At least fileBytes; what is beyond them is zero. */
  readonly memoryBytes: number;
}

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
}

export interface ElfImage {
  readonly bytes: Uint8Array;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

const damaged = (what: string) => new BuildError(`The kernel's ELF image is damaged: ${what}.`);

/** A u64 that counts bytes; a file's numbers beyond 2^53 cannot be right. */
function count(view: DataView, at: number, what: string): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(`${what} is ${value}`);
  return Number(value);
}

function tableOf(view: DataView, offset: number, entries: number, entryBytes: number, leastBytes: number, what: string): void {
  if (entries === 0) return;
  if (entryBytes < leastBytes) throw damaged(`entries of its ${what} headers have ${entryBytes} bytes instead of ${leastBytes}`);
  if (offset + entries * entryBytes > view.byteLength) throw damaged(`its ${what} headers lie outside the file`);
}

function segmentAt(view: DataView, at: number, index: number): ElfSegment {
  const type = view.getUint32(at, true);
  const fileOffset = count(view, at + 8, `the file offset of segment ${index}`);
  const fileBytes = count(view, at + 32, `the size of segment ${index}`);
  const memoryBytes = count(view, at + 40, `the memory size of segment ${index}`);
  if (type === PT_LOAD || type === PT_NOTE) {
    if (fileOffset + fileBytes > view.byteLength)
      throw damaged(`segment ${index} ends at byte ${fileOffset + fileBytes}, the file at ${view.byteLength}`);
    if (type === PT_LOAD && memoryBytes < fileBytes) throw damaged(`segment ${index} is larger in the file than in memory`);
  }
  return {
    type,
    fileOffset,
    fileBytes,
    virtualAddress: view.getBigUint64(at + 16, true),
    physicalAddress: view.getBigUint64(at + 24, true),
    memoryBytes,
  };
}

function nameAt(bytes: Uint8Array, start: number, end: number): string {
  let name = '';
  for (let at = start; at < end && name.length < SECTION_NAME_MAX; at += 1) {
    const code = bytes[at] ?? 0;
    if (code === 0) break;
    name += String.fromCharCode(code);
  }
  return name;
}

function sectionsOf(bytes: Uint8Array, view: DataView): ElfSection[] {
  const offset = count(view, 0x28, 'the place of its section headers');
  const entryBytes = view.getUint16(0x3a, true);
  const entries = offset === 0 ? 0 : view.getUint16(0x3c, true);
  const namesIndex = view.getUint16(0x3e, true);
  tableOf(view, offset, entries, entryBytes, SHDR_BYTES, 'section');
  const raw = Array.from({ length: entries }, (_, index) => {
    const at = offset + index * entryBytes;
    const type = view.getUint32(at + 4, true);
    const fileOffset = count(view, at + 24, `the file offset of section ${index}`);
    const fileBytes = count(view, at + 32, `the size of section ${index}`);
    if (type !== SHT_NOBITS && type !== 0 && fileOffset + fileBytes > bytes.length)
      throw damaged(`section ${index} lies outside the file`);
    return { nameOffset: view.getUint32(at, true), type, fileOffset, fileBytes };
  });
  const names = namesIndex === SHN_UNDEF ? undefined : raw[namesIndex];
  return raw.map(({ nameOffset, type, fileOffset, fileBytes }) => ({
    name:
      names === undefined || names.type !== SHT_STRTAB
        ? ''
        : nameAt(bytes, names.fileOffset + nameOffset, names.fileOffset + names.fileBytes),
    type,
    fileOffset,
    fileBytes,
  }));
}

/** @throws BuildError when it is no 64-bit x86 ELF file or its tables point outside it */
export function parseElf(bytes: Uint8Array): ElfImage {
  if (!isElf(bytes)) throw new BuildError('The kernel is neither a bzImage nor an ELF file.');
  const kind = bytes[EI_CLASS];
  if (kind === ELFCLASS32) throw new BuildError('This is a 32-bit kernel: only 64-bit (x86-64) PV kernels can run here.');
  if (kind !== ELFCLASS64 || bytes[EI_DATA] !== ELFDATA2LSB || bytes.length < EHDR_BYTES)
    throw damaged('its header makes no sense');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(0x12, true);
  if (machine !== EM_X86_64)
    throw new BuildError(`The kernel is for another processor (ELF machine ${machine}): x86-64 is needed.`);
  const offset = count(view, 0x20, 'the place of its program headers');
  const entryBytes = view.getUint16(0x36, true);
  const entries = view.getUint16(0x38, true);
  tableOf(view, offset, entries, entryBytes, PHDR_BYTES, 'program');
  return {
    bytes,
    entry: view.getBigUint64(0x18, true),
    segments: Array.from({ length: entries }, (_, index) => segmentAt(view, offset + index * entryBytes, index)),
    sections: sectionsOf(bytes, view),
  };
}
