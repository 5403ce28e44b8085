import { describe, expect, it } from 'vitest';
import { apicIdOf, cpuidPolicy, nanosecondScale, type CpuidLeaf } from './cpuid-policy.ts';

const policy = cpuidPolicy({ vcpus: 4, tscKhz: 1_000_000 });

/** As an answering vCPU looks it up. */
function cpuid(leaf: number, subleaf = 0, table: readonly CpuidLeaf[] = policy) {
  const row = table.find(
    (candidate) => candidate.leaf === leaf && (candidate.subleaf === undefined || candidate.subleaf === subleaf),
  );
  return { eax: row?.eax ?? 0, ebx: row?.ebx ?? 0, ecx: row?.ecx ?? 0, edx: row?.edx ?? 0 };
}

function text(...words: readonly number[]): string {
  return words.flatMap((word) => [0, 8, 16, 24].map((shift) => String.fromCharCode((word >>> shift) & 0xff))).join('');
}

const has = (word: number, bit: number) => ((word >>> bit) & 1) === 1;

describe('cpuidPolicy', () => {
  it('fits the table of the domain and has no row twice', () => {
    expect(policy.length).toBeLessThanOrEqual(64);
    for (const { leaf, subleaf } of policy)
      expect(policy.filter((row) => row.leaf === leaf && (row.subleaf === undefined || row.subleaf === subleaf))).toHaveLength(1);
    for (const { leaf, eax, ebx, ecx, edx } of policy)
      for (const value of [leaf, eax, ebx, ecx, edx]) expect(value >>> 0).toBe(value);
  });

  it('is an Intel processor of family 6, model 26, stepping 3', () => {
    const { eax, ebx, ecx, edx } = cpuid(0);
    expect(eax).toBe(0x16);
    expect(text(ebx, edx, ecx)).toBe('GenuineIntel');
    const signature = cpuid(1).eax;
    expect([(signature >> 8) & 15, ((signature >> 4) & 15) | ((signature >> 12) & 0xf0), signature & 15]).toEqual([6, 26, 3]);
  });

  // Linux stops at once, or PV kernels misbehave, when these are otherwise.
  it.each([
    ['fpu', 1, 'edx', 0, true],
    ['vme', 1, 'edx', 1, false],
    ['pse', 1, 'edx', 3, false],
    ['tsc', 1, 'edx', 4, true],
    ['msr', 1, 'edx', 5, true],
    ['pae', 1, 'edx', 6, true],
    ['cx8', 1, 'edx', 8, true],
    ['apic', 1, 'edx', 9, false],
    ['sep', 1, 'edx', 11, false],
    ['mtrr', 1, 'edx', 12, false],
    ['pge', 1, 'edx', 13, false],
    ['cmov', 1, 'edx', 15, true],
    ['pat', 1, 'edx', 16, true],
    ['pse36', 1, 'edx', 17, false],
    ['clflush', 1, 'edx', 19, true],
    ['mmx', 1, 'edx', 23, true],
    ['fxsr', 1, 'edx', 24, true],
    ['sse', 1, 'edx', 25, true],
    ['sse2', 1, 'edx', 26, true],
    ['ht', 1, 'edx', 28, false],
    ['pni', 1, 'ecx', 0, true],
    ['pclmulqdq', 1, 'ecx', 1, false],
    ['monitor', 1, 'ecx', 3, false],
    ['ssse3', 1, 'ecx', 9, true],
    ['fma', 1, 'ecx', 12, false],
    ['cx16', 1, 'ecx', 13, true],
    ['pcid', 1, 'ecx', 17, false],
    ['sse4_1', 1, 'ecx', 19, true],
    ['sse4_2', 1, 'ecx', 20, true],
    ['x2apic', 1, 'ecx', 21, false],
    ['movbe', 1, 'ecx', 22, false],
    ['popcnt', 1, 'ecx', 23, true],
    ['aes', 1, 'ecx', 25, false],
    ['xsave', 1, 'ecx', 26, false],
    ['osxsave', 1, 'ecx', 27, false],
    ['avx', 1, 'ecx', 28, false],
    ['rdrand', 1, 'ecx', 30, true],
    ['hypervisor', 1, 'ecx', 31, true],
    ['fsgsbase', 7, 'ebx', 0, false],
    ['bmi1', 7, 'ebx', 3, false],
    ['smep', 7, 'ebx', 7, false],
    ['erms', 7, 'ebx', 9, true],
    ['rdseed', 7, 'ebx', 18, true],
    ['smap', 7, 'ebx', 20, false],
    ['umip', 7, 'ecx', 2, false],
    ['la57', 7, 'ecx', 16, false],
    ['syscall', 0x80000001, 'edx', 11, true],
    ['nx', 0x80000001, 'edx', 20, true],
    ['pdpe1gb', 0x80000001, 'edx', 26, false],
    ['rdtscp', 0x80000001, 'edx', 27, true],
    ['lm', 0x80000001, 'edx', 29, true],
    ['lahf_lm', 0x80000001, 'ecx', 0, true],
    ['abm', 0x80000001, 'ecx', 5, false],
    ['nonstop_tsc', 0x80000007, 'edx', 8, true],
  ] as const)('%s', (_, leaf, register, bit, shown) => {
    expect(has(cpuid(leaf)[register], bit)).toBe(shown);
  });

  it('shows Xen 4.17 with the leaves a PV guest looks for', () => {
    const base = cpuid(0x40000000);
    expect(base.eax).toBeGreaterThanOrEqual(0x40000002);
    expect(text(base.ebx, base.ecx, base.edx)).toBe('XenVMMXenVMM');
    expect(cpuid(0x40000001).eax).toBe(0x00040011);
    expect(cpuid(0x40000002)).toEqual({ eax: 1, ebx: 0x40000000, ecx: 1, edx: 0 });
    // Grant table version 1 is chosen up to a width of 44 bits.
    expect(cpuid(0x40000005).ebx).toBeLessThanOrEqual(44);
    expect(cpuid(0x40000100)).toEqual({ eax: 0, ebx: 0, ecx: 0, edx: 0 });
  });

  it.each([1_000_000, 2_793_434, 1000])('states a TSC of %i kHz in all its places', (tscKhz) => {
    const table = cpuidPolicy({ vcpus: 1, tscKhz });
    const { eax, ebx, ecx } = cpuid(0x15, 0, table);
    expect((ecx * ebx) / eax).toBe(tscKhz * 1000);
    expect(cpuid(0x16, 0, table).eax).toBe(Math.round(tscKhz / 1000));
    expect(cpuid(0x40000003, 0, table).ecx).toBe(tscKhz);
  });

  it('refuses a TSC that the leaves cannot hold', () => {
    for (const tscKhz of [0, 999, 5_000_000, 1000.5]) expect(() => cpuidPolicy({ vcpus: 1, tscKhz })).toThrow(RangeError);
  });

  it('names the processor in 48 characters', () => {
    const name = [0x80000002, 0x80000003, 0x80000004]
      .map((leaf) => cpuid(leaf))
      .map(({ eax, ebx, ecx, edx }) => text(eax, ebx, ecx, edx));
    expect(name.join('').replace(/\0+$/, '')).toBe('webxen virtual CPU (x86-64-v2)');
  });

  it('describes four caches, the last shared by all vCPUs', () => {
    const sizes = [0, 1, 2, 3, 4].map((subleaf) => {
      const { eax, ebx, ecx } = cpuid(4, subleaf);
      return (eax & 31) === 0 ? 0 : (((ebx >>> 22) + 1) * ((ebx & 0xfff) + 1) * (ecx + 1)) / 1024;
    });
    expect(sizes).toEqual([32, 32, 256, 8192, 0]);
    for (const vcpus of [1, 3, 32]) {
      const sharing = ((cpuid(4, 3, cpuidPolicy({ vcpus, tscKhz: 1_000_000 })).eax >>> 14) & 0xfff) + 1;
      expect(sharing).toBeGreaterThan(apicIdOf(vcpus - 1));
    }
  });
});

describe('nanosecondScale', () => {
  it.each([1e9, 2_793_434_000, 1e6, 4_294_967_000, 123_456_789, 2e9])('turns ticks of %d Hz into nanoseconds', (rate) => {
    const [multiplier, shift] = nanosecondScale(rate);
    expect(multiplier).toBeGreaterThanOrEqual(2 ** 31);
    expect(multiplier).toBeLessThan(2 ** 32);
    const ticks = BigInt(rate) * 100n;
    const shifted = shift < 0 ? ticks >> BigInt(-shift) : ticks << BigInt(shift);
    expect(Math.abs(Number((shifted * BigInt(multiplier)) >> 32n) - 1e11)).toBeLessThan(100);
  });
});
