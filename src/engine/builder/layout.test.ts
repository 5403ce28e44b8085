import { describe, expect, it } from 'vitest';
import { BuildError } from './build-error.ts';
import { planLayout, type LayoutInput, type Part } from './layout.ts';

const MIB_PAGES = 256;
const part = (pfn: number, pages: number, vaddr: bigint) => ({ pfn, pages, vaddr });
const only = ({ pfn, pages, vaddr }: Part) => ({ pfn, pages, vaddr });

/** Debian's 6.1.0-56-cloud-amd64. */
const cloud: LayoutInput = {
  virtBase: 0xffffffff80000000n,
  virtStart: 0xffffffff81000000n,
  virtEnd: 0xffffffff83e00000n,
  p2mBase: 0x8000000000n,
  ramdiskUnmapped: true,
};

describe('planLayout', () => {
  it('gives the addresses that Xen 4.17 gives the same kernel in 256 MiB', () => {
    const layout = planLayout(cloud, 0x239410, 0x10000);
    expect(only(layout.kernel)).toEqual(part(0x1000, 0x2e00, 0xffffffff81000000n));
    expect(only(layout.startInfo)).toEqual(part(0x3e00, 1, 0xffffffff83e00000n));
    expect(only(layout.store)).toEqual(part(0x3e01, 1, 0xffffffff83e01000n));
    expect(only(layout.console)).toEqual(part(0x3e02, 1, 0xffffffff83e02000n));
    expect(only(layout.pageTables)).toEqual(part(0x3e03, 0x23, 0xffffffff83e03000n));
    expect(only(layout.bootStack)).toEqual(part(0x3e26, 1, 0xffffffff83e26000n));
    // virt_pgtab_end 0xffffffff84000000
    expect(layout.mappedPages).toBe(0x4000);
    expect(layout.ramdisk).toEqual({ ...part(0x4000, 0x23a, 0xffffffff84000000n), bytes: 0x239410 });
    // phys2mach: pfn 0x423a + 0x83 pages: the list, then one table of each of three levels.
    expect(layout.p2m.pfn).toBe(0x423a);
    expect(layout.p2m.pages + layout.p2mTables.pages).toBe(0x83);
    expect(layout.p2m.vaddr).toBe(0x8000000000n);
    expect(layout.tables.slice(0, 0x23).map(({ level }) => level)).toEqual([4, 3, 2, ...Array<number>(32).fill(1)]);
    expect(layout.tables.slice(0x23)).toEqual([
      { level: 3, base: 0x8000000000n, pfn: 0x42ba },
      { level: 2, base: 0x8000000000n, pfn: 0x42bb },
      { level: 1, base: 0x8000000000n, pfn: 0x42bc },
    ]);
  });

  it('puts ramdisk and P2M into the mapping when the kernel knows no other place', () => {
    const layout = planLayout({ ...cloud, p2mBase: undefined, ramdiskUnmapped: false }, 0x239410, 0x10000);
    expect(layout.ramdisk).toEqual({ ...part(0x3e00, 0x23a, 0xffffffff83e00000n), bytes: 0x239410 });
    expect(only(layout.p2m)).toEqual(part(0x403a, 0x80, 0xffffffff8403a000n));
    expect(layout.startInfo.pfn).toBe(0x40ba);
    expect(layout.p2mTables.pages).toBe(0);
    expect(layout.mappedPages).toBe(0x4400);
  });

  it('lays out a kernel low in memory whose virtual addresses are physical ones', () => {
    const layout = planLayout(
      { virtBase: 0n, virtStart: 0x100000n, virtEnd: 0x10a000n, p2mBase: undefined, ramdiskUnmapped: false },
      0,
      0x8000,
    );
    expect(only(layout.kernel)).toEqual(part(0x100, 10, 0x100000n));
    expect(only(layout.p2m)).toEqual(part(0x10a, 0x40, 0x10a000n));
    expect(only(layout.startInfo)).toEqual(part(0x14a, 1, 0x14a000n));
    // 4 MiB mapped: L4, L3, L2 and two L1.
    expect(only(layout.pageTables)).toEqual(part(0x14d, 5, 0x14d000n));
    expect(layout.mappedPages).toBe(0x400);
    expect(layout.ramdisk).toBeUndefined();
  });

  it.each([
    // The last part ends 1 page short of leaving 512 KiB in the first 4 MiB, then exactly enough, then just too much.
    ['with room to spare', 0x370000n, 0x400],
    // kernel end + 3 pages + 5 tables + stack + 512 KiB = 4 MiB exactly
    ['that fits to the page', 0x377000n, 0x400],
    ['one page too much', 0x378000n, 0x800],
  ])('ends the mapping at the first 4 MiB with 512 KiB left: %s', (_, virtEnd, mapped) => {
    const kernel = { virtBase: 0n, virtStart: 0x100000n, virtEnd, p2mBase: 0x10000000000n, ramdiskUnmapped: true };
    expect(planLayout(kernel, 0, 0x8000).mappedPages).toBe(mapped);
  });

  it('grows the mapping when the tables themselves pass the boundary', () => {
    // Below 1 GiB by little: the second L2 that a longer mapping needs has to be counted too.
    const kernel = { virtBase: 0n, virtStart: 0x100000n, virtEnd: 0x3fe00000n, p2mBase: 0x10000000000n, ramdiskUnmapped: true };
    const layout = planLayout(kernel, 0, 0x80000);
    expect(layout.mappedPages).toBe(0x40400);
    expect(layout.tables.filter(({ level }) => level === 2).length).toBe(2 + 1);
    expect(layout.bootStack.pfn + 1 + 128).toBeLessThanOrEqual(layout.mappedPages);
  });

  it.each([
    [
      'memory that ends before the mapping',
      cloud,
      0,
      63 * MIB_PAGES,
      /^63 MiB of memory are too little for this kernel: at least 65 MiB/,
    ],
    [
      'hardly any memory',
      cloud,
      4096,
      4 * MIB_PAGES,
      /^4 MiB of memory are too little for this kernel and its ramdisk: at least 65 MiB/,
    ],
    [
      'a ramdisk beyond the memory',
      cloud,
      200 * 1024 * 1024,
      256 * MIB_PAGES,
      /^The ramdisk of 200 MiB does not fit into 256 MiB .* at least 265 MiB/,
    ],
    ['a mapped ramdisk beyond the window', { ...cloud, ramdiskUnmapped: false }, 2 ** 31, 2 ** 20, /smaller ramdisk/],
    [
      "a kernel in the hypervisor's addresses",
      { ...cloud, virtBase: 0xffff800000000000n, virtStart: 0xffff800000100000n, virtEnd: 0xffff800000200000n },
      0,
      2 ** 16,
      /no room/,
    ],
  ])('refuses %s', (_, kernel, ramdiskBytes, pages, message) => {
    expect(() => planLayout(kernel, ramdiskBytes, pages)).toThrow(BuildError);
    expect(() => planLayout(kernel, ramdiskBytes, pages)).toThrow(message);
  });

  it('says how much would do, exactly', () => {
    for (const ramdiskBytes of [0, 1, 300 * 1024 * 1024]) {
      let least = 0;
      try {
        planLayout(cloud, ramdiskBytes, 1024);
      } catch (error) {
        least = Number(/at least (\d+) MiB/.exec(String(error))?.[1]);
      }
      expect(least).toBeGreaterThan(60);
      expect(() => planLayout(cloud, ramdiskBytes, least * MIB_PAGES)).not.toThrow();
      expect(() => planLayout(cloud, ramdiskBytes, (least - 1) * MIB_PAGES)).toThrow(BuildError);
    }
  });
});
