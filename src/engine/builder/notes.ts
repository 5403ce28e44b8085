/**
 * How a kernel describes itself to Xen: ELF notes (in a PT_NOTE segment, or in note sections), or in old kernels one string
 * in the section `__xen_guest`.
 * @see xen/include/public/elfnote.h
 */
import {
  XEN_ELFNOTE_BSD_SYMTAB,
  XEN_ELFNOTE_ENTRY,
  XEN_ELFNOTE_FEATURES,
  XEN_ELFNOTE_GUEST_OS,
  XEN_ELFNOTE_GUEST_VERSION,
  XEN_ELFNOTE_HV_START_LOW,
  XEN_ELFNOTE_HYPERCALL_PAGE,
  XEN_ELFNOTE_INIT_P2M,
  XEN_ELFNOTE_LOADER,
  XEN_ELFNOTE_MOD_START_PFN,
  XEN_ELFNOTE_PADDR_OFFSET,
  XEN_ELFNOTE_PAE_MODE,
  XEN_ELFNOTE_PHYS32_ENTRY,
  XEN_ELFNOTE_SUPPORTED_FEATURES,
  XEN_ELFNOTE_SUSPEND_CANCEL,
  XEN_ELFNOTE_VIRT_BASE,
  XEN_ELFNOTE_XEN_VERSION,
} from '../abi/elf-note.ts';
import { BuildError } from './build-error.ts';
import { PT_NOTE, SHT_NOTE, type ElfImage } from './elf.ts';

const NOTE_HEADER_BYTES = 12;
const GUEST_SECTION = '__xen_guest';
const GUEST_STRING_MAX = 4096;
const PAGE_SHIFT = 12n;

/** What the kernel said; undefined or empty where it said nothing. Nothing is checked against the image yet. */
export interface XenNotes {
  /** From a `__xen_guest` string: addresses have other defaults then. */
  readonly legacy: boolean;
  readonly guestOs: string;
  readonly guestVersion: string;
  readonly xenVersion: string;
  readonly loader: string;
  readonly paeMode: string;
  readonly features: string;
  readonly supportedFeatures: number;
  readonly entry: bigint | undefined;
  readonly hypercallPage: bigint | undefined;
  readonly virtBase: bigint | undefined;
  readonly paddrOffset: bigint | undefined;
  readonly initP2m: bigint | undefined;
  readonly hvStartLow: bigint | undefined;
  readonly phys32Entry: bigint | undefined;
  readonly modStartPfn: boolean;
  readonly suspendCancel: boolean;
  readonly bsdSymtab: boolean;
}

type Descriptors = ReadonlyMap<number, Uint8Array>;

const align4 = (value: number) => (value + 3) & ~3;

/** Adds the notes named "Xen" in bytes[start..end); a note that runs over the end stops the walk. */
function collect(bytes: Uint8Array, start: number, end: number, into: Map<number, Uint8Array>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start; end - at >= NOTE_HEADER_BYTES;) {
    const nameBytes = view.getUint32(at, true);
    const descriptorBytes = view.getUint32(at + 4, true);
    const type = view.getUint32(at + 8, true);
    if (nameBytes > end - at || descriptorBytes > end - at) return;
    const name = at + NOTE_HEADER_BYTES;
    const descriptor = name + align4(nameBytes);
    if (descriptor + descriptorBytes > end) return;
    const isXen =
      nameBytes === 4 && bytes[name] === 0x58 && bytes[name + 1] === 0x65 && bytes[name + 2] === 0x6e && bytes[name + 3] === 0;
    if (isXen) into.set(type, bytes.subarray(descriptor, descriptor + descriptorBytes));
    at = descriptor + align4(descriptorBytes);
  }
}

function text(bytes: Uint8Array | undefined, limit = 256): string {
  let result = '';
  for (const code of bytes?.subarray(0, limit) ?? []) {
    if (code === 0) break;
    result += String.fromCharCode(code);
  }
  return result;
}

/** Little-endian number of 1 to 8 bytes: kernels write addresses as u32 or u64. */
function numeric(bytes: Uint8Array | undefined): bigint | undefined {
  if (bytes === undefined || bytes.length === 0 || bytes.length > 8) return undefined;
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function fromDescriptors(notes: Descriptors): XenNotes {
  return {
    legacy: false,
    guestOs: text(notes.get(XEN_ELFNOTE_GUEST_OS)),
    guestVersion: text(notes.get(XEN_ELFNOTE_GUEST_VERSION)),
    xenVersion: text(notes.get(XEN_ELFNOTE_XEN_VERSION)),
    loader: text(notes.get(XEN_ELFNOTE_LOADER)),
    paeMode: text(notes.get(XEN_ELFNOTE_PAE_MODE)),
    features: text(notes.get(XEN_ELFNOTE_FEATURES), GUEST_STRING_MAX),
    supportedFeatures: Number((numeric(notes.get(XEN_ELFNOTE_SUPPORTED_FEATURES)) ?? 0n) & 0xffffffffn),
    entry: numeric(notes.get(XEN_ELFNOTE_ENTRY)),
    hypercallPage: numeric(notes.get(XEN_ELFNOTE_HYPERCALL_PAGE)),
    virtBase: numeric(notes.get(XEN_ELFNOTE_VIRT_BASE)),
    paddrOffset: numeric(notes.get(XEN_ELFNOTE_PADDR_OFFSET)),
    initP2m: numeric(notes.get(XEN_ELFNOTE_INIT_P2M)),
    hvStartLow: numeric(notes.get(XEN_ELFNOTE_HV_START_LOW)),
    phys32Entry: numeric(notes.get(XEN_ELFNOTE_PHYS32_ENTRY)),
    modStartPfn: (numeric(notes.get(XEN_ELFNOTE_MOD_START_PFN)) ?? 0n) !== 0n,
    suspendCancel: (numeric(notes.get(XEN_ELFNOTE_SUSPEND_CANCEL)) ?? 0n) !== 0n,
    bsdSymtab: text(notes.get(XEN_ELFNOTE_BSD_SYMTAB)).startsWith('yes'),
  };
}

function parseNumber(key: string, value: string | undefined): bigint | undefined {
  if (value === undefined) return undefined;
  if (!/^(0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(value))
    throw new BuildError(`The kernel's __xen_guest section is damaged: ${key}=${value}.`);
  return BigInt(value);
}

/** "GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0x...": the page of hypercalls is given as a page number above VIRT_BASE. */
function fromGuestString(string: string): XenNotes {
  const pairs = new Map(
    string.split(',').map((part): [string, string] => {
      const equals = part.indexOf('=');
      return equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
    }),
  );
  const word = (key: string) => pairs.get(key) ?? '';
  const value = (key: string) => parseNumber(key, pairs.get(key));
  const virtBase = value('VIRT_BASE');
  const hypercallPage = value('HYPERCALL_PAGE');
  return {
    legacy: true,
    guestOs: word('GUEST_OS'),
    guestVersion: word('GUEST_VER'),
    xenVersion: word('XEN_VER'),
    loader: word('LOADER'),
    paeMode: word('PAE'),
    features: word('FEATURES'),
    supportedFeatures: 0,
    entry: value('VIRT_ENTRY'),
    hypercallPage: hypercallPage === undefined ? undefined : (virtBase ?? 0n) + (hypercallPage << PAGE_SHIFT),
    virtBase,
    paddrOffset: value('ELF_PADDR_OFFSET'),
    initP2m: undefined,
    hvStartLow: undefined,
    phys32Entry: undefined,
    modStartPfn: false,
    suspendCancel: false,
    bsdSymtab: word('BSD_SYMTAB').startsWith('yes'),
  };
}

/** The notes of a kernel, undefined when it has none: then it knows nothing of Xen. */
export function readXenNotes(elf: ElfImage): XenNotes | undefined {
  const found = new Map<number, Uint8Array>();
  for (const segment of elf.segments)
    if (segment.type === PT_NOTE) collect(elf.bytes, segment.fileOffset, segment.fileOffset + segment.fileBytes, found);
  if (found.size === 0)
    for (const section of elf.sections)
      if (section.type === SHT_NOTE) collect(elf.bytes, section.fileOffset, section.fileOffset + section.fileBytes, found);
  if (found.size > 0) return fromDescriptors(found);
  const section = elf.sections.find(({ name }) => name === GUEST_SECTION);
  if (section === undefined) return undefined;
  return fromGuestString(text(elf.bytes.subarray(section.fileOffset, section.fileOffset + section.fileBytes), GUEST_STRING_MAX));
}
