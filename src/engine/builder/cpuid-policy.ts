/**
 * What CPUID shows to a PV guest: an Intel processor of the Nehalem kind (x86-64-v2) with what the core executes and nothing
 * else. Guest kernels see the same through forced emulation and through plain CPUID in user mode.
 *
 * Left out on purpose: PSE, PGE, VME, MTRR (no part of PV), APIC and HTT (a PV domain has no local APIC), SMEP, SMAP and
 * UMIP (the guest kernel is no supervisor), FSGSBASE, SYSENTER, XSAVE and everything that needs it.
 * @sdm Vol.2A "CPUID"; xen/include/public/arch-x86/cpuid.h for the leaves from 0x40000000 on
 */

/** One row; the vCPU finds the row with its EAX and (where the row names one) ECX; what no row matches reads as zero. */
export interface CpuidLeaf {
  readonly leaf: number;
  /** undefined: the same for every ECX. */
  readonly subleaf: number | undefined;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export interface CpuidOptions {
  /** The domain's maximum. */
  readonly vcpus: number;
  /** Rate of the guest's TSC; at most 4294967 kHz. */
  readonly tscKhz: number;
}

/** Family 6, model 26 (extended model 1), stepping 3. */
const SIGNATURE = 0x000106a3;
const BASIC_MAX = 0x16;
const EXTENDED_MAX = 0x80000008;
const HYPERVISOR_BASE = 0x40000000;
const HYPERVISOR_MAX = 0x40000005;
const XEN_MAJOR = 4;
const XEN_MINOR = 17;
const HYPERCALL_PAGE_MSR = 0x40000000;
/** Leaf 0x40000002 ECX. */
const MMU_PT_UPDATE_PRESERVE_AD = 1;
/** Leaf 0x40000003 EAX: RDTSCP is there. */
const TSC_HAS_RDTSCP = 1 << 2;
const PHYSICAL_BITS = 40;
const VIRTUAL_BITS = 48;
const CACHE_LINE_BYTES = 64;
const BRAND = 'webxen virtual CPU (x86-64-v2)';
const BRAND_BYTES = 48;

const bits = (...numbers: readonly number[]) => numbers.reduce((word, bit) => (word | (1 << bit)) >>> 0, 0);

/** Leaf 1 EDX: FPU DE TSC MSR PAE MCE CX8 MCA CMOV PAT CLFSH MMX FXSR SSE SSE2. */
const FEATURES_EDX = bits(0, 2, 4, 5, 6, 7, 8, 14, 15, 16, 19, 23, 24, 25, 26);
/** Leaf 1 ECX: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT RDRAND HYPERVISOR. */
const FEATURES_ECX = bits(0, 9, 13, 19, 20, 23, 30, 31);
/** Leaf 7 EBX: ERMS RDSEED. */
const STRUCTURED_EBX = bits(9, 18);
/**
 * Leaf 7 EDX: IBRS and IBPB, ARCH_CAPABILITIES. The core does not speculate; saying so (MSR 0x10A, pv/privileged.ts) spares guest
 * kernels their detours: retpolines, return thunks, buffer clearing.
 */
const STRUCTURED_EDX = bits(26, 29);
/** Leaf 7.2 EDX: BHI_CTRL. */
const SPECULATION_EDX = bits(4);
/** Leaf 0x80000001 EDX: SYSCALL NX RDTSCP LM; ECX: LAHF_LM. */
const EXTENDED_EDX = bits(11, 20, 27, 29);
const EXTENDED_ECX = bits(0);
/** Leaf 0x80000007 EDX: the TSC runs at one rate in every state. */
const INVARIANT_TSC = bits(8);

const DATA_CACHE = 1;
const INSTRUCTION_CACHE = 2;
const UNIFIED_CACHE = 3;

function row(leaf: number, subleaf: number | undefined, eax: number, ebx: number, ecx: number, edx: number): CpuidLeaf {
  return { leaf: leaf >>> 0, subleaf, eax: eax >>> 0, ebx: ebx >>> 0, ecx: ecx >>> 0, edx: edx >>> 0 };
}

/** Four characters, first lowest. */
function word(text: string, at: number): number {
  let value = 0;
  for (let index = 3; index >= 0; index -= 1)
    value = (value << 8) | (at + index < text.length ? text.charCodeAt(at + index) & 0xff : 0);
  return value >>> 0;
}

interface Cache {
  readonly type: number;
  readonly level: number;
  readonly ways: number;
  readonly sets: number;
  /** vCPU ids (two apart, as Xen numbers APIC ids) that share it; rounded up to a power of two. */
  readonly sharedBy: number;
}

/** Leaf 4: sizes count from zero; bit 8 of EAX: initialises itself. */
function cacheLeaf(subleaf: number, cache: Cache): CpuidLeaf {
  const eax = cache.type | (cache.level << 5) | (1 << 8) | ((cache.sharedBy - 1) << 14);
  return row(4, subleaf, eax, ((cache.ways - 1) << 22) | (CACHE_LINE_BYTES - 1), cache.sets - 1, 0);
}

/** APIC id of a vCPU: bits 31-24 of leaf 1 EBX, which differ between vCPUs and so are put in by whoever answers CPUID. */
export function apicIdOf(vcpu: number): number {
  return vcpu * 2;
}

function nextPowerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}

/** The table of a domain, at most 64 rows. */
export function cpuidPolicy(options: CpuidOptions): CpuidLeaf[] {
  const { vcpus, tscKhz } = options;
  const tscHz = tscKhz * 1000;
  if (!Number.isInteger(tscKhz) || tscKhz < 1000 || tscHz > 0xffffffff)
    throw new RangeError(`a TSC of ${tscKhz} kHz cannot be shown`);
  const mhz = Math.round(tscKhz / 1000);
  const all = Math.min(nextPowerOfTwo(apicIdOf(vcpus)), 4096);
  const vendor = 'GenuineIntel';
  const xen = 'XenVMMXenVMM';
  const brand = BRAND.padEnd(BRAND_BYTES, '\0');
  return [
    row(0, undefined, BASIC_MAX, word(vendor, 0), word(vendor, 8), word(vendor, 4)),
    // EBX: a line of CLFLUSH in units of 8 bytes.
    row(1, undefined, SIGNATURE, (CACHE_LINE_BYTES / 8) << 8, FEATURES_ECX, FEATURES_EDX),
    // Descriptor 0xff: caches are described by leaf 4.
    row(2, undefined, 0x0000ff01, 0, 0, 0),
    cacheLeaf(0, { type: DATA_CACHE, level: 1, ways: 8, sets: 64, sharedBy: 1 }),
    cacheLeaf(1, { type: INSTRUCTION_CACHE, level: 1, ways: 4, sets: 128, sharedBy: 1 }),
    cacheLeaf(2, { type: UNIFIED_CACHE, level: 2, ways: 8, sets: 512, sharedBy: 1 }),
    cacheLeaf(3, { type: UNIFIED_CACHE, level: 3, ways: 16, sets: 8192, sharedBy: all }),
    row(7, 0, 2, STRUCTURED_EBX, 0, STRUCTURED_EDX),
    row(7, 2, 0, 0, 0, SPECULATION_EDX),
    // EBX 0: no topology is told here, each vCPU is a package of one core.
    row(0xb, undefined, 0, 0, 0, 0),
    // TSC = crystal * EBX / EAX, crystal ECX Hz: Linux then measures nothing against a timer chip that is not there.
    row(0x15, undefined, 1, 1, tscHz, 0),
    row(0x16, undefined, mhz, mhz, 100, 0),

    row(HYPERVISOR_BASE, undefined, HYPERVISOR_MAX, word(xen, 0), word(xen, 4), word(xen, 8)),
    row(HYPERVISOR_BASE + 1, undefined, (XEN_MAJOR << 16) | XEN_MINOR, 0, 0, 0),
    row(HYPERVISOR_BASE + 2, undefined, 1, HYPERCALL_PAGE_MSR, MMU_PT_UPDATE_PRESERVE_AD, 0),
    // Subleaf 0: mode 0 (default), kHz, incarnation 0. Subleaf 1: ns = TSC * multiplier / 2^32, shifted.
    row(HYPERVISOR_BASE + 3, 0, TSC_HAS_RDTSCP, 0, tscKhz, 0),
    row(HYPERVISOR_BASE + 3, 1, 0, 0, ...nanosecondScale(tscHz)),
    row(HYPERVISOR_BASE + 4, undefined, 0, 0, 0, 0),
    row(HYPERVISOR_BASE + 5, undefined, 0, PHYSICAL_BITS, 0, 0),

    row(0x80000000, undefined, EXTENDED_MAX, 0, 0, 0),
    row(0x80000001, undefined, 0, 0, EXTENDED_ECX, EXTENDED_EDX),
    ...[0, 1, 2].map((part) =>
      row(
        0x80000002 + part,
        undefined,
        word(brand, part * 16),
        word(brand, part * 16 + 4),
        word(brand, part * 16 + 8),
        word(brand, part * 16 + 12),
      ),
    ),
    // ECX: second-level cache of 256 KiB, 8 ways.
    row(0x80000006, undefined, 0, 0, (256 << 16) | (6 << 12) | CACHE_LINE_BYTES, 0),
    row(0x80000007, undefined, 0, 0, 0, INVARIANT_TSC),
    row(0x80000008, undefined, (VIRTUAL_BITS << 8) | PHYSICAL_BITS, 0, 0, 0),
  ];
}

/**
 * Multiplier (fraction of 2^32) and shift by which TSC ticks become nanoseconds, as in vcpu_time_info:
 * ns = ((tsc shifted left by shift) * multiplier) >> 32.
 */
export function nanosecondScale(tscHz: number): [multiplier: number, shift: number] {
  let shift = 0;
  let rate = tscHz;
  // The multiplier 10^9 / rate has to lie in [0.5, 1).
  while (rate > 2e9) {
    rate /= 2;
    shift -= 1;
  }
  while (rate <= 1e9) {
    rate *= 2;
    shift += 1;
  }
  return [Math.floor((1e9 * 2 ** 32) / rate), shift];
}
