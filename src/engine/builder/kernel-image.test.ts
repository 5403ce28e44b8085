import { beforeAll, describe, expect, it } from 'vitest';
import { codecModule } from '../codec/testing/codec-module.ts';
import { gzip, platformWithoutXz } from '../codec/testing/platform.ts';
import { BuildError } from './build-error.ts';
import { parseKernel } from './kernel-image.ts';
import { bzImage, elfFile, joined, note, u32, type ElfDescription } from './testing/elf-file.ts';

const code = Uint8Array.from({ length: 0x2345 }, (_, index) => (index * 13) & 0xff);

const linuxNotes = [
  note(6, 'linux'),
  note(7, '2.6'),
  note(5, 'xen-3.0'),
  note(3, 0xffffffff80000000n),
  note(15, 0x8000000000n),
  note(1, 0xffffffff81000100n),
  note(10, '!writable_page_tables|pae_pgdir_above_4gb'),
  note(17, 0x8801),
  note(8, 'generic'),
  note(16, 1),
  note(4, 0n),
];

/** The shape of Linux: physical addresses of its own, a per-CPU segment at virtual 0, notes in a PT_NOTE segment. */
function linux(notes: readonly Uint8Array[] = linuxNotes, more: Partial<ElfDescription> = {}): Uint8Array<ArrayBuffer> {
  return elfFile({
    entry: 0x1000000n,
    segments: [
      { paddr: 0x1000000n, vaddr: 0xffffffff81000000n, bytes: code },
      { paddr: 0x1004000n, vaddr: 0n, bytes: new Uint8Array(16).fill(7), memoryBytes: 0x3000 },
      { type: 4, paddr: 0x1000000n, bytes: joined(...notes) },
    ],
    ...more,
  });
}

/** The shape of a test kernel: no base, everything at 1 MiB. */
const lowNotes = [note(6, 'XTF'), note(8, 'generic'), note(5, 'xen-3.0'), note(2, 0x101000n), note(10, '!writable_page_tables')];

const without = (type: number) => linuxNotes.filter((bytes) => bytes[8] !== type);
const replaced = (type: number, by: Uint8Array) => [...without(type), by];
const parse = (file: Uint8Array) => parseKernel(file, platformWithoutXz);

/** An LZ4 legacy stream that holds the bytes as they are. */
function lz4Stored(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const lengths = [255 * Math.floor((bytes.length - 15) / 255), (bytes.length - 15) % 255];
  const block = joined(new Uint8Array([0xf0, ...Array<number>(lengths[0]! / 255).fill(255), lengths[1]!]), bytes);
  return joined(new Uint8Array([0x02, 0x21, 0x4c, 0x18]), u32(block.length), block);
}

describe('parseKernel', () => {
  beforeAll(async () => {
    await codecModule();
  }, 300_000);

  it('reads an ELF kernel of the shape of Linux', async () => {
    const kernel = await parse(linux());
    expect(kernel).toMatchObject({
      container: 'ELF',
      compression: undefined,
      guestOs: 'linux',
      virtBase: 0xffffffff80000000n,
      virtStart: 0xffffffff81000000n,
      virtEnd: 0xffffffff81007000n,
      entry: 0xffffffff81000100n,
      hypercallPage: undefined,
      p2mBase: 0x8000000000n,
      ramdiskUnmapped: true,
      features: { supported: 0x8811, required: 1 },
    });
    expect(kernel.pieces.map(({ offset, memoryBytes }) => [offset, memoryBytes])).toEqual([
      [0x1000000, 0x2345],
      [0x1004000, 0x3000],
    ]);
    expect(kernel.pieces[0]?.source).toEqual(code);
  });

  it('reads a kernel without a base: entry from the ELF header, hypercall page from the notes', async () => {
    const kernel = await parse(
      elfFile({
        entry: 0x100000n,
        segments: [
          { paddr: 0x100000n, bytes: code, memoryBytes: 0x9000 },
          { type: 4, paddr: 0x100000n, bytes: joined(...lowNotes) },
        ],
      }),
    );
    expect(kernel).toMatchObject({
      guestOs: 'XTF',
      virtBase: 0n,
      virtStart: 0x100000n,
      virtEnd: 0x109000n,
      entry: 0x100000n,
      hypercallPage: 0x101000n,
      p2mBase: undefined,
      ramdiskUnmapped: false,
    });
  });

  it('finds notes in note sections, among notes of others', async () => {
    const kernel = await parse(
      elfFile({
        segments: [{ paddr: 0x1000000n, bytes: code }],
        sections: [
          { name: '.text', type: 1, bytes: new Uint8Array(8) },
          { name: '.notes', type: 7, bytes: joined(note(3, 'build id', 'GNU\0'), ...linuxNotes) },
        ],
      }),
    );
    expect(kernel.entry).toBe(0xffffffff81000100n);
    expect(kernel.virtBase).toBe(0xffffffff80000000n);
  });

  it('reads the guest string of old kernels, with their addresses', async () => {
    const string =
      'GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,VIRT_ENTRY=0xffffffff80200000,' +
      'HYPERCALL_PAGE=0x201,FEATURES=writable_page_tables|writable_descriptor_tables,LOADER=generic';
    const kernel = await parse(
      elfFile({
        segments: [{ paddr: 0xffffffff80200000n, bytes: code }],
        sections: [{ name: '__xen_guest', type: 1, bytes: new TextEncoder().encode(`${string}\0junk`) }],
      }),
    );
    expect(kernel).toMatchObject({
      guestOs: 'linux',
      entry: 0xffffffff80200000n,
      virtStart: 0xffffffff80200000n,
      hypercallPage: 0xffffffff80201000n,
      features: { supported: 3, required: 0 },
      ramdiskUnmapped: false,
    });
    expect(kernel.pieces[0]?.offset).toBe(0x200000);
  });

  it.each([
    ['as it is', undefined, () => Promise.resolve(bzImage(linux()))],
    ['with gzip', 'gzip', async () => bzImage(await gzip(linux()))],
    ['with LZ4', 'lz4', () => Promise.resolve(bzImage(lz4Stored(linux()), { sizeTrailer: linux().length }))],
  ])('takes a kernel out of a bzImage, packed %s', async (_, compression, make) => {
    const kernel = await parse(await make());
    expect(kernel.container).toBe('bzImage');
    expect(kernel.compression).toBe(compression);
    expect(kernel.pieces[0]?.source).toEqual(code);
  });

  it('unpacks an ELF file in gzip', async () => {
    expect(await parse(await gzip(linux()))).toMatchObject({ container: 'ELF', compression: 'gzip' });
    const halves = [linux().slice(0, 700), linux().slice(700)];
    const members = Buffer.concat(await Promise.all(halves.map(gzip)));
    expect((await parse(members)).pieces[0]?.source).toEqual(code);
  });

  it('ignores a P2M address that is not below the kernel, or not a page', async () => {
    for (const address of [0xffffffff80000000n, 0x8000000010n])
      expect((await parse(linux(replaced(15, note(15, address))))).p2mBase).toBeUndefined();
  });

  const big = 600 * 1024 * 1024;
  it.each([
    ['text', () => new TextEncoder().encode('#!/bin/sh\necho this is not a kernel\n'), /neither a bzImage nor an ELF/],
    ['nothing', () => new Uint8Array(0), /neither a bzImage nor an ELF/],
    ['a 32-bit kernel', () => linux(linuxNotes, { elfClass: 1 }), /32-bit kernel/],
    ['a 32-bit kernel in a bzImage', () => bzImage(linux(linuxNotes, { elfClass: 1 })), /32-bit kernel/],
    ['a kernel of another processor', () => linux(linuxNotes, { machine: 183 }), /ELF machine 183/],
    ['a kernel without notes', () => linux([note(3, 'GNU', 'GNU\0')]), /not a Xen kernel/],
    ['a kernel for PVH only', () => linux([note(18, 0x1000850n)]), /only be started as PVH/],
    ['another interface', () => linux(replaced(5, note(5, 'xen-4.9'))), /"xen-4.9"/],
    [
      'another loader',
      () => linux([...replaced(8, note(8, 'special')).filter((bytes) => bytes[8] !== 6), note(6, 'other')]),
      /loader "special"/,
    ],
    ['an unknown required feature', () => linux(replaced(10, note(10, '!teleport'))), /"teleport"/],
    ['an entry outside', () => linux(replaced(1, note(1, 0x1000n))), /entry 0x1000 lies outside/],
    ['a hypercall page outside', () => linux([...linuxNotes, note(2, 0xffffffff90000000n)]), /hypercall page/],
    ['a base inside a page', () => linux(replaced(3, note(3, 0xffffffff80000010n))), /start of a page/],
    ['an address below the base', () => linux(replaced(4, note(4, 0x2000000n))), /make no sense/],
    ['an address beyond the end of all', () => linux(replaced(3, note(3, 0xffffffffff000000n))), /make no sense/],
    ['nothing to load', () => elfFile({ segments: [{ type: 4, paddr: 0n, bytes: joined(...linuxNotes) }] }), /nothing to load/],
    ['a file cut in its segments', () => linux().subarray(0, 0x1000), /ends at byte/],
    ['a file cut in its headers', () => linux().subarray(0, 0x50), /headers lie outside/],
    ['an old boot protocol', () => bzImage(linux(), { protocol: 0x207 }), /protocol is 2.07/],
    ['a bzImage cut off', () => bzImage(linux()).subarray(0, 0x1000), /payload ends at byte/],
    ['a payload that is no kernel', () => bzImage(new Uint8Array(64)), /neither/],
    [
      'a payload of a format without a decoder',
      () => bzImage(new Uint8Array([0x89, 0x4c, 0x5a, 0x4f, 0]), { sizeTrailer: 100 }),
      /lzop compression is not supported/,
    ],
    [
      'a damaged payload',
      () => bzImage(lz4Stored(linux()).subarray(0, 0x2000), { sizeTrailer: linux().length }),
      /cannot be unpacked/,
    ],
    ['a payload that claims too much', () => bzImage(lz4Stored(linux()), { sizeTrailer: big }), /more than 536870912/],
    ['a whole file in xz', () => new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), /is a xz file/],
  ])('refuses %s', async (_, make, message) => {
    await expect(parse(make())).rejects.toThrow(BuildError);
    await expect(parse(make())).rejects.toThrow(message);
  });

  it('fails only with a BuildError whatever byte of the headers is changed', async () => {
    const good = linux();
    const bytesOfNotes = joined(...linuxNotes).length;
    const places = [
      ...Array.from({ length: 64 + 3 * 56 }, (_, index) => index),
      ...Array.from({ length: bytesOfNotes }, (_, index) => good.length - bytesOfNotes + index),
    ];
    for (const at of places)
      for (const value of [0, 0x7f, 0xff]) {
        const bad = good.slice();
        bad[at] = value;
        await parse(bad).catch((error: unknown) => expect(error).toBeInstanceOf(BuildError));
      }
  });
});
