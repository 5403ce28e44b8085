import { beforeAll, describe, expect, it } from 'vitest';
import { platformWithoutXz } from '../codec/testing/platform.ts';
import { BuildError } from './build-error.ts';
import { parseKernel, type KernelImage } from './kernel-image.ts';
import { buildPvDomain, type BuiltPvDomain } from './pv-domain.ts';
import type { DomainBuildTarget } from './target.ts';
import { elfFile, joined, note } from './testing/elf-file.ts';

const FIRST_MFN = 0x123456;
const PAGES = 0x2000;
const PAGE = 4096;
const code = Uint8Array.from({ length: 0x1800 }, (_, index) => (index * 13 + 1) & 0xff);
const ramdisk = Uint8Array.from({ length: 0x2801 }, (_, index) => (index * 5 + 3) & 0xff);

function kernelFile(notes: readonly Uint8Array[], paddr: bigint): Uint8Array {
  return elfFile({
    entry: paddr,
    segments: [
      { paddr, bytes: code, memoryBytes: 0x5000 },
      {
        type: 4,
        paddr,
        bytes: joined(note(6, 'linux'), note(5, 'xen-3.0'), note(8, 'generic'), note(10, '!writable_page_tables'), ...notes),
      },
    ],
  });
}

const modern = () =>
  kernelFile([note(3, 0xffffffff80000000n), note(1, 0xffffffff80200040n), note(15, 0x8000000000n), note(16, 1)], 0x200000n);
const low = () => kernelFile([note(2, 0x103000n)], 0x100000n);

/** RAM full of garbage where the builder has to write all by itself. */
function target(pages = PAGES): DomainBuildTarget {
  const ram = new Uint8Array(new SharedArrayBuffer(PAGES * PAGE));
  return { pages, firstMfn: FIRST_MFN, ram, sharedInfoMfn: 0x1234, storePort: 1, consolePort: 2 };
}

const u64 = (ram: Uint8Array, at: number) => new DataView(ram.buffer).getBigUint64(at, true);
const entryAt = (ram: Uint8Array, tablePfn: number, index: number) => u64(ram, tablePfn * PAGE + index * 8);

/** What the MMU would find: the pfn, and the flags of each level from L4 down; undefined where an entry is not present. */
function walk(ram: Uint8Array, root: number, vaddr: bigint): { pfn: number; flags: number[] } | undefined {
  let table = root;
  const flags: number[] = [];
  for (const shift of [39n, 30n, 21n, 12n]) {
    const entry = entryAt(ram, table, Number((vaddr >> shift) & 511n));
    if ((entry & 1n) === 0n) return undefined;
    flags.push(Number(entry & 0xfffn));
    table = Number(entry >> 12n) - FIRST_MFN;
  }
  return { pfn: table, flags };
}

function build(kernel: KernelImage, into = target(), commandLine = 'console=hvc0'): { built: BuiltPvDomain; ram: Uint8Array } {
  return { built: buildPvDomain(into, { kernel, ramdisk, commandLine, features: '' }), ram: into.ram };
}

describe('buildPvDomain', () => {
  let modernKernel: KernelImage;
  let lowKernel: KernelImage;
  beforeAll(async () => {
    modernKernel = await parseKernel(modern(), platformWithoutXz);
    lowKernel = await parseKernel(low(), platformWithoutXz);
  });

  it('tells the caller how vCPU 0 begins', () => {
    const { built } = build(modernKernel);
    expect(built).toMatchObject({
      entry: 0xffffffff80200040n,
      startInfoVaddr: 0xffffffff80205000n,
      storePfn: 0x206,
      consolePfn: 0x207,
      pageTableRootPfn: 0x208,
      // Tables for 4 MiB: L4, L3, L2 and two L1; then the stack.
      stackPointer: 0xffffffff8020e000n,
      guestOs: 'linux',
    });
    expect(built.pageTables[0]).toEqual({ level: 4, base: 0n, pfn: 0x208 });
  });

  it('puts kernel and ramdisk in place, zero where the files say nothing', () => {
    const { built, ram } = build(modernKernel);
    expect(ram.slice(0x200000, 0x201800)).toEqual(code);
    expect(ram.slice(0x201800, 0x205000).every((byte) => byte === 0)).toBe(true);
    expect(built.layout.ramdisk?.pfn).toBe(0x400);
    expect(ram.slice(0x400000, 0x400000 + ramdisk.length)).toEqual(ramdisk);
  });

  it('overwrites what lay in the pages it uses', () => {
    const dirty = target();
    dirty.ram.fill(0xa5);
    const { built, ram } = build(modernKernel, dirty);
    const clean = build(modernKernel);
    for (const used of [
      built.layout.kernel,
      built.layout.startInfo,
      built.layout.store,
      built.layout.console,
      built.layout.pageTables,
      built.layout.bootStack,
      built.layout.ramdisk!,
      built.layout.p2m,
      built.layout.p2mTables,
    ])
      expect(
        Buffer.compare(
          ram.subarray(used.pfn * PAGE, (used.pfn + used.pages) * PAGE),
          clean.ram.subarray(used.pfn * PAGE, (used.pfn + used.pages) * PAGE),
        ),
      ).toBe(0);
  });

  it('maps every page from the base on, tables read-only', () => {
    const { built, ram } = build(modernKernel);
    const tables = new Set(built.pageTables.map(({ pfn }) => pfn));
    for (let pfn = 0; pfn < built.layout.mappedPages; pfn += 1)
      expect(walk(ram, built.pageTableRootPfn, 0xffffffff80000000n + BigInt(pfn * PAGE))).toEqual({
        pfn,
        flags: [0x67, 0x67, 0x67, tables.has(pfn) ? 0x21 : 0x23],
      });
    expect(walk(ram, built.pageTableRootPfn, 0xffffffff80000000n + BigInt(built.layout.mappedPages * PAGE))).toBeUndefined();
    expect(walk(ram, built.pageTableRootPfn, 0xffffffff80000000n - 4096n)).toBeUndefined();
    expect(built.pageTables.length).toBe(8);
  });

  it('maps the P2M where the kernel asked for it, and fills it', () => {
    const { built, ram } = build(modernKernel);
    const { p2m, p2mTables } = built.layout;
    expect(p2m.pages).toBe((PAGES * 8) / PAGE);
    for (let page = 0; page < p2m.pages; page += 1)
      expect(walk(ram, built.pageTableRootPfn, 0x8000000000n + BigInt(page * PAGE))).toEqual({
        pfn: p2m.pfn + page,
        flags: [0x67, 0x67, 0x67, 0x23],
      });
    expect(walk(ram, built.pageTableRootPfn, 0x8000000000n + BigInt(p2m.pages * PAGE))).toBeUndefined();
    expect(p2mTables.pfn).toBe(p2m.pfn + p2m.pages);
    for (const pfn of [0, 1, 0x777, PAGES - 1]) expect(u64(ram, p2m.pfn * PAGE + pfn * 8)).toBe(BigInt(FIRST_MFN + pfn));
  });

  it('fills the P2M beyond the last page with "no frame"', () => {
    const { built, ram } = build(modernKernel, target(PAGES - 3));
    expect(u64(ram, built.layout.p2m.pfn * PAGE + (PAGES - 4) * 8)).toBe(BigInt(FIRST_MFN + PAGES - 4));
    for (let pfn = PAGES - 3; pfn < PAGES; pfn += 1)
      expect(u64(ram, built.layout.p2m.pfn * PAGE + pfn * 8)).toBe(0xffffffffffffffffn);
  });

  it('writes the start info of a kernel that takes everything by pfn', () => {
    const { built, ram } = build(modernKernel);
    const at = built.layout.startInfo.pfn * PAGE;
    const field = (offset: number) => u64(ram, at + offset);
    expect(String.fromCharCode(...ram.subarray(at, at + 16))).toBe('xen-3.0-x86_64\0\0');
    expect(field(0x20)).toBe(BigInt(PAGES));
    expect(field(0x28)).toBe(0x1234000n);
    expect(field(0x30)).toBe(8n);
    expect(field(0x38)).toBe(BigInt(FIRST_MFN + 0x206));
    expect(field(0x40)).toBe(1n);
    expect(field(0x48)).toBe(BigInt(FIRST_MFN + 0x207));
    expect(field(0x50)).toBe(2n);
    expect(field(0x58)).toBe(0xffffffff80208000n);
    expect(field(0x60)).toBe(5n);
    expect(field(0x68)).toBe(0x8000000000n);
    expect(field(0x70)).toBe(0x400n);
    expect(field(0x78)).toBe(BigInt(ramdisk.length));
    expect(String.fromCharCode(...ram.subarray(at + 0x80, at + 0x8d))).toBe('console=hvc0\0');
    expect(field(0x480)).toBe(BigInt(built.layout.p2m.pfn));
    expect(field(0x488)).toBe(BigInt(built.layout.p2m.pages + 3));
  });

  it('writes the start info of a kernel that finds everything mapped', () => {
    const { built, ram } = build(lowKernel);
    const at = built.layout.startInfo.pfn * PAGE;
    expect(u64(ram, at + 0x30)).toBe(0n);
    expect(u64(ram, at + 0x68)).toBe(built.layout.p2m.vaddr);
    expect(u64(ram, at + 0x70)).toBe(0x105000n);
    expect(u64(ram, at + 0x480)).toBe(0n);
    expect(u64(ram, at + 0x488)).toBe(0n);
    expect(walk(ram, built.pageTableRootPfn, built.layout.p2m.vaddr)?.pfn).toBe(built.layout.p2m.pfn);
    expect(walk(ram, built.pageTableRootPfn, 0n)?.pfn).toBe(0);
  });

  it('gives a kernel without a ramdisk none', () => {
    const into = target();
    const built = buildPvDomain(into, { kernel: modernKernel, ramdisk: undefined, commandLine: '', features: '' });
    const at = built.layout.startInfo.pfn * PAGE;
    for (const offset of [0x30, 0x70, 0x78]) expect(u64(into.ram, at + offset)).toBe(0n);
  });

  it('fills the hypercall page', () => {
    const { ram } = build(lowKernel);
    const stub = (number: number, bytes: number) => [...ram.subarray(0x103000 + number * 32, 0x103000 + number * 32 + bytes)];
    // push rcx; push r11; mov eax, 17; syscall; pop r11; pop rcx; ret
    expect(stub(17, 14)).toEqual([0x51, 0x41, 0x53, 0xb8, 17, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3]);
    // iret: push rcx; push r11; push rax; mov eax, 23; syscall
    expect(stub(23, 11)).toEqual([0x51, 0x41, 0x53, 0x50, 0xb8, 23, 0, 0, 0, 0x0f, 0x05]);
    expect(stub(127, 5).slice(3)).toEqual([0xb8, 127]);
  });

  it.each([
    ['a command line of 1024 bytes', 'x'.repeat(1024), '', /1024 bytes: at most 1023/],
    ['a command line that is too long only in UTF-8', 'é'.repeat(512), '', /1024 bytes/],
    ['a NUL in the command line', 'a\0b', '', /NUL/],
    ['a feature the kernel does not have', '', 'supervisor_mode_kernel', /does not support .*supervisor_mode_kernel/],
  ])('refuses %s and writes nothing', (_, commandLine, features, message) => {
    const into = target();
    expect(() => buildPvDomain(into, { kernel: modernKernel, ramdisk, commandLine, features })).toThrow(BuildError);
    expect(() => buildPvDomain(into, { kernel: modernKernel, ramdisk, commandLine, features })).toThrow(message);
    expect(into.ram.every((byte) => byte === 0)).toBe(true);
  });

  it('takes a command line of 1023 bytes', () => {
    const { built, ram } = build(modernKernel, target(), 'y'.repeat(1023));
    const at = built.layout.startInfo.pfn * PAGE + 0x80;
    expect([ram[at + 1022], ram[at + 1023]]).toEqual([0x79, 0]);
  });

  it('refuses a kernel that must be domain 0 or have its memory translated', async () => {
    for (const feature of ['!dom0', '!auto_translated_physmap', '!supervisor_mode_kernel']) {
      const kernel = await parseKernel(kernelFile([note(10, feature), note(2, 0x103000n)], 0x100000n), platformWithoutXz);
      expect(() => build(kernel)).toThrow(/not given/);
    }
  });
});
