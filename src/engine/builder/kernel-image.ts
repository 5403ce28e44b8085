/**
 * From a file to a kernel that can be placed: takes it out of its container, expands it, reads its notes and settles its
 * addresses. All addresses are linear: virtual = virtBase - paddrOffset + physical, whatever p_vaddr says (the per-CPU
 * segment of Linux has p_vaddr 0).
 */
import { compressionOf, decompress, type Compression, type PlatformDecoders } from '../codec/compression.ts';
import { DecodeError } from '../codec/decode-error.ts';
import { BuildError } from './build-error.ts';
import { isBzImage, parseBzImage } from './bzimage.ts';
import { parseElf, PT_LOAD, type ElfImage } from './elf.ts';
import { parseFeatures, type FeatureSet } from './features.ts';
import { readXenNotes, type XenNotes } from './notes.ts';

export type { PlatformDecoders };

/** A kernel larger than this when unpacked is refused before it takes the memory. */
export const KERNEL_BYTES_MAX = 512 * 1024 * 1024;
const GUEST_ADDRESS_SPACE = 1n << 64n;
const PAGE_BYTES = 4096n;
const XEN_VERSION = 'xen-3.0';
const LOADER = 'generic';

/** A piece of the file and where it goes, in bytes above virtBase. */
export interface LoadPiece {
  readonly offset: number;
  readonly source: Uint8Array;
  /** At least as long as the source; the rest is zero. */
  readonly memoryBytes: number;
}

export interface KernelImage {
  readonly container: 'bzImage' | 'ELF';
  readonly compression: Compression | undefined;
  readonly notes: XenNotes;
  readonly features: FeatureSet;
  readonly guestOs: string;
  readonly virtBase: bigint;
  /** Virtual range of the pieces. */
  readonly virtStart: bigint;
  readonly virtEnd: bigint;
  readonly entry: bigint;
  /** Page-aligned, inside the range; undefined: the kernel makes its hypercalls itself. */
  readonly hypercallPage: bigint | undefined;
  /** Where the kernel wants its P2M; undefined: in the mapping of the kernel. */
  readonly p2mBase: bigint | undefined;
  /** The kernel takes its ramdisk by pfn, unmapped. */
  readonly ramdiskUnmapped: boolean;
  readonly pieces: readonly LoadPiece[];
}

const hex = (value: bigint) => `0x${value.toString(16)}`;

async function unpack(format: Compression, stream: Uint8Array, bytes: number, platform: PlatformDecoders): Promise<Uint8Array> {
  if (bytes > KERNEL_BYTES_MAX)
    throw new BuildError(`The kernel says it is ${bytes} bytes when unpacked: more than ${KERNEL_BYTES_MAX} is not accepted.`);
  return unpacked(decompress(format, stream, bytes, platform));
}

async function unpacked(work: Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DecodeError) throw new BuildError(`The kernel cannot be unpacked: ${error.message}.`);
    throw error;
  }
}

function checkNotes(notes: XenNotes): void {
  if (notes.xenVersion === '' && notes.phys32Entry !== undefined)
    throw new BuildError('This kernel can only be started as PVH: it has no PV entry. A kernel with PV support is needed.');
  if (!notes.xenVersion.startsWith(XEN_VERSION))
    throw new BuildError(`The kernel is built for Xen interface "${notes.xenVersion}": "${XEN_VERSION}" is needed.`);
  if (!notes.loader.startsWith(LOADER) && !notes.guestOs.startsWith('linux'))
    throw new BuildError(`The kernel asks for the loader "${notes.loader}": only "${LOADER}" is there.`);
}

function settle(elf: ElfImage, container: KernelImage['container'], compression: Compression | undefined): KernelImage {
  const notes = readXenNotes(elf);
  if (notes === undefined)
    throw new BuildError('This is not a Xen kernel: it has no Xen notes. Linux needs to be built with CONFIG_XEN_PV.');
  checkNotes(notes);
  const loads = elf.segments.filter(({ type, memoryBytes }) => type === PT_LOAD && memoryBytes > 0);
  if (loads.length === 0) throw new BuildError("The kernel's ELF image is damaged: it has nothing to load.");

  const virtBase = notes.virtBase ?? 0n;
  // Old kernels with a guest string have virtual addresses in p_paddr.
  const paddrOffset = notes.paddrOffset ?? (notes.legacy ? virtBase : 0n);
  const starts = loads.map(({ physicalAddress }) => physicalAddress - paddrOffset);
  const ends = loads.map(({ memoryBytes }, index) => (starts[index] ?? 0n) + BigInt(memoryBytes));
  const start = starts.reduce((least, value) => (value < least ? value : least));
  const end = ends.reduce((most, value) => (value > most ? value : most));
  const virtStart = virtBase + start;
  const virtEnd = virtBase + end;
  const entry = notes.entry ?? elf.entry;
  if (start < 0n || virtEnd > GUEST_ADDRESS_SPACE || end > BigInt(Number.MAX_SAFE_INTEGER))
    throw new BuildError(
      `The kernel's addresses make no sense: ${hex(virtStart)} to ${hex(virtEnd)} above a base of ${hex(virtBase)}.`,
    );
  if (virtBase % PAGE_BYTES !== 0n)
    throw new BuildError(`The kernel's virtual base ${hex(virtBase)} is not at the start of a page.`);
  if (entry < virtStart || entry >= virtEnd)
    throw new BuildError(`The kernel's entry ${hex(entry)} lies outside it (${hex(virtStart)} to ${hex(virtEnd)}).`);
  const hypercallPage = notes.hypercallPage;
  if (
    hypercallPage !== undefined &&
    (hypercallPage % PAGE_BYTES !== 0n || hypercallPage < virtStart || hypercallPage + PAGE_BYTES > virtEnd)
  )
    throw new BuildError(`The kernel's hypercall page ${hex(hypercallPage)} is not a page of the kernel.`);

  const named = parseFeatures(notes.features, 'The kernel');
  // A P2M address is honoured below the kernel's base and at the start of a page, else the P2M goes with the rest.
  const p2mApart = notes.initP2m !== undefined && notes.initP2m < virtBase && notes.initP2m % PAGE_BYTES === 0n;
  return {
    container,
    compression,
    notes,
    features: { supported: named.supported | notes.supportedFeatures, required: named.required },
    guestOs: notes.guestOs,
    virtBase,
    virtStart,
    virtEnd,
    entry,
    hypercallPage,
    p2mBase: p2mApart ? notes.initP2m : undefined,
    ramdiskUnmapped: notes.modStartPfn,
    pieces: loads.map(({ fileOffset, fileBytes, memoryBytes }, index) => ({
      offset: Number(starts[index] ?? 0n),
      source: elf.bytes.subarray(fileOffset, fileOffset + fileBytes),
      memoryBytes,
    })),
  };
}

/**
 * Reads a kernel: bzImage (boot protocol 2.08 or later), ELF64, or ELF64 in gzip.
 * @throws BuildError with a sentence for the user when it is damaged, no Xen kernel, a 32-bit one, or too large
 */
export async function parseKernel(file: Uint8Array, platform: PlatformDecoders): Promise<KernelImage> {
  if (isBzImage(file)) {
    const { compression, payload, unpackedBytes } = parseBzImage(file);
    const image = compression === undefined ? payload : await unpack(compression, payload, unpackedBytes, platform);
    return settle(parseElf(image), 'bzImage', compression);
  }
  const compression = compressionOf(file);
  if (compression === 'gzip') {
    // A file of several members states the size of the last one only.
    const image = await unpacked(platform.gunzip(file, KERNEL_BYTES_MAX));
    return settle(parseElf(image), 'ELF', compression);
  }
  if (compression !== undefined)
    throw new BuildError(`The kernel is a ${compression} file: a bzImage, an ELF file, or one packed with gzip is needed.`);
  return settle(parseElf(file), 'ELF', undefined);
}
