/**
 * The memory of a domain: where its parts lie for a given size, and what stands in the control area when it is new.
 * @see cpu/layout.ts, pv/layout.ts for the fields
 */
import {
  CONTROL,
  CONTROL_ARENA_BYTES,
  CONTROL_CPUID,
  CONTROL_CPUID_COUNT,
  CONTROL_FIRST_MFN,
  CONTROL_FRAMES_BASE,
  CONTROL_FRAME_COUNT,
  CONTROL_FRAME_RECORDS,
  CONTROL_M2P,
  CONTROL_M2P_FIRST_MFN,
  CONTROL_M2P_PAGES,
  CONTROL_VCPU_COUNT,
  CONTROL_XEN_FRAMES,
  CPUID_LEAF_BYTES,
  CPUID_LEAVES_MAX,
  FRAME_BYTES,
  FRAME_REFERENCES,
  MAX_VCPUS,
  PAGE_BYTES,
  VCPU_BLOCKS,
  VCPU_BLOCK_BYTES,
} from '../cpu/layout.ts';
import {
  DOMAIN_CAPABILITIES,
  DOMAIN_CHANGESET,
  DOMAIN_COMPILE_INFO,
  DOMAIN_EXTRAVERSION,
  DOMAIN_GRANT_FIRST_FRAME,
  DOMAIN_GRANT_FRAMES,
  DOMAIN_GRANT_FRAMES_MAX,
  DOMAIN_HANDLE,
  DOMAIN_ID,
  DOMAIN_MAX_PAGES,
  DOMAIN_MEMORY_MAP_PAGES,
  DOMAIN_SHARED_INFO,
  DOMAIN_TOTAL_PAGES,
  DOMAIN_VERBOSE,
  DOMAIN_VERSION,
  DOMAIN_CHANNELS,
  CHANNEL_STATE,
  CHANNEL_RESERVED,
  PV_VCPU_INFO,
  REFERENCES_ALLOCATED,
} from '../pv/layout.ts';
import { EINVAL, ENOMEM } from '../abi/errno.ts';
import {
  SHARED_INFO_wc_nsec,
  SHARED_INFO_wc_sec,
  SHARED_INFO_wc_sec_hi,
  SHARED_INFO_wc_version,
  VCPU_INFO_BYTES,
  VCPU_INFO_evtchn_upcall_mask,
  XEN_LEGACY_MAX_VCPUS,
} from '../abi/shared-info.ts';
import { HypervisorError } from './control.ts';
import type { XenVersion } from './version.ts';

/** Frames of the domain that are the hypervisor's: shared_info, then the grant table's. */
export const GRANT_FRAMES_MAX = 64;
export const XEN_FRAMES = 1 + GRANT_FRAMES_MAX;
/** Grant frames in use from the start: the toolstack's entries are in the first. */
const GRANT_FRAMES_INITIAL = 1;
const WASM_PAGE_BYTES = 65536;
const MEBIBYTE = 1024 * 1024;
/** Of the bytes that grow with a domain's memory, the part that is the memory: beside each page stand its record and M2P entry. */
const RAM_SHARE = PAGE_BYTES / (PAGE_BYTES + FRAME_BYTES + 8);
const MEMORY_BYTES_MAX = 65536 * WASM_PAGE_BYTES;
const M2P_ENTRIES_PER_PAGE = 512;
/** Room for decoded code, each vCPU. */
const ARENA_BYTES_FEW_VCPUS = 16 * 1024 * 1024;
const ARENA_BYTES_MANY_VCPUS = 8 * 1024 * 1024;
const FEW_VCPUS = 4;

/** Places (byte offsets) and sizes of a domain's memory. */
export interface DomainMemoryPlan {
  readonly maxPages: number;
  readonly maxVcpus: number;
  readonly firstMfn: number;
  /** Machine frame of shared_info and of pfn 0. */
  readonly sharedInfoMfn: number;
  readonly firstRamMfn: number;
  readonly arenas: number;
  readonly arenaBytes: number;
  readonly frameRecords: number;
  readonly m2p: number;
  readonly m2pPages: number;
  readonly m2pFirstMfn: number;
  readonly framesBase: number;
  readonly frameCount: number;
  /** Offset of pfn 0's initial frame. */
  readonly ram: number;
  readonly totalBytes: number;
}

const pageAligned = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

/** Machine frames that a domain of so many pages takes. */
export const framesOf = (maxPages: number): number => maxPages + XEN_FRAMES;

export function planDomainMemory(maxPages: number, maxVcpus: number, firstMfn: number): DomainMemoryPlan {
  if (!Number.isInteger(maxVcpus) || maxVcpus < 1 || maxVcpus > MAX_VCPUS) {
    throw new HypervisorError(EINVAL, `a domain has 1 to ${MAX_VCPUS} vCPUs, not ${maxVcpus}`);
  }
  if (!Number.isInteger(maxPages) || maxPages < 1) throw new HypervisorError(EINVAL, `a domain cannot have ${maxPages} pages`);
  const frameCount = framesOf(maxPages);
  const arenas = VCPU_BLOCKS + maxVcpus * VCPU_BLOCK_BYTES;
  const arenaBytes = maxVcpus <= FEW_VCPUS ? ARENA_BYTES_FEW_VCPUS : ARENA_BYTES_MANY_VCPUS;
  const frameRecords = arenas + maxVcpus * arenaBytes;
  const m2p = pageAligned(frameRecords + frameCount * FRAME_BYTES);
  const m2pFirstMfn = firstMfn - (firstMfn % M2P_ENTRIES_PER_PAGE);
  const m2pPages = Math.ceil((firstMfn + frameCount - m2pFirstMfn) / M2P_ENTRIES_PER_PAGE);
  const framesBase = m2p + m2pPages * PAGE_BYTES;
  const totalBytes = Math.ceil((framesBase + frameCount * PAGE_BYTES) / WASM_PAGE_BYTES) * WASM_PAGE_BYTES;
  if (totalBytes > MEMORY_BYTES_MAX) {
    const most = Math.floor((maxPages * PAGE_BYTES - (totalBytes - MEMORY_BYTES_MAX) * RAM_SHARE) / MEBIBYTE);
    throw new HypervisorError(
      ENOMEM,
      `A domain can have about ${most} MiB of memory here; ${Math.ceil((maxPages * PAGE_BYTES) / MEBIBYTE)} MiB are asked for.`,
    );
  }
  return {
    maxPages,
    maxVcpus,
    firstMfn,
    sharedInfoMfn: firstMfn,
    firstRamMfn: firstMfn + XEN_FRAMES,
    arenas,
    arenaBytes,
    frameRecords,
    m2p,
    m2pPages,
    m2pFirstMfn,
    framesBase,
    frameCount,
    ram: framesBase + XEN_FRAMES * PAGE_BYTES,
    totalBytes,
  };
}

/** Host offset of a vCPU's block. */
export const vcpuBlockOf = (vcpu: number): number => VCPU_BLOCKS + vcpu * VCPU_BLOCK_BYTES;

/** Rejects with ENOMEM when the platform has no such memory to give. */
export function createMemory(plan: DomainMemoryPlan): WebAssembly.Memory {
  const pages = plan.totalBytes / WASM_PAGE_BYTES;
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    throw new HypervisorError(ENOMEM, `the platform has no ${Math.ceil(plan.totalBytes / 1048576)} MiB of memory to give`);
  }
}

export interface CpuidRow {
  readonly leaf: number;
  readonly subleaf: number | undefined;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export interface DomainIdentity {
  readonly domid: number;
  readonly handle: Uint8Array;
  readonly version: XenVersion;
  readonly cpuid: readonly CpuidRow[];
  /** Wall-clock time, ns since 1970, at which the machine clock was 0. */
  readonly wallClockBaseNs: bigint;
  /** Takes the guest's console_io writes into the hypervisor's log. */
  readonly verbose: boolean;
}

/** Writes the control area, the shared_info page and the frame records of a new domain without pages. */
export function initialiseDomainMemory(memory: WebAssembly.Memory, plan: DomainMemoryPlan, identity: DomainIdentity): void {
  const view = new DataView(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  const word = (offset: number, value: number): void => {
    view.setUint32(offset, value, true);
  };
  word(CONTROL + CONTROL_FRAMES_BASE, plan.framesBase);
  word(CONTROL + CONTROL_FRAME_COUNT, plan.frameCount);
  word(CONTROL + CONTROL_FIRST_MFN, plan.firstMfn);
  word(CONTROL + CONTROL_FRAME_RECORDS, plan.frameRecords);
  word(CONTROL + CONTROL_M2P, plan.m2p);
  word(CONTROL + CONTROL_M2P_PAGES, plan.m2pPages);
  word(CONTROL + CONTROL_M2P_FIRST_MFN, plan.m2pFirstMfn);
  word(CONTROL + CONTROL_VCPU_COUNT, plan.maxVcpus);
  word(CONTROL + CONTROL_XEN_FRAMES, XEN_FRAMES);
  word(CONTROL + CONTROL_ARENA_BYTES, plan.arenaBytes);
  writeCpuid(view, identity.cpuid);

  word(DOMAIN_ID, identity.domid);
  word(DOMAIN_MAX_PAGES, plan.maxPages);
  word(DOMAIN_TOTAL_PAGES, 0);
  word(DOMAIN_MEMORY_MAP_PAGES, plan.maxPages);
  word(DOMAIN_SHARED_INFO, plan.framesBase);
  word(DOMAIN_GRANT_FIRST_FRAME, 1);
  word(DOMAIN_GRANT_FRAMES, GRANT_FRAMES_INITIAL);
  word(DOMAIN_GRANT_FRAMES_MAX, GRANT_FRAMES_MAX);
  bytes.set(identity.handle.subarray(0, 16), DOMAIN_HANDLE);
  writeVersion(view, bytes, identity.version);
  word(DOMAIN_CHANNELS + CHANNEL_STATE, CHANNEL_RESERVED);

  for (let frame = 0; frame < XEN_FRAMES; frame += 1) {
    word(plan.frameRecords + frame * FRAME_BYTES + FRAME_REFERENCES, REFERENCES_ALLOCATED | 1);
  }
  bytes.fill(0xff, plan.m2p, plan.m2p + plan.m2pPages * PAGE_BYTES);
  view.setUint32(DOMAIN_VERBOSE, identity.verbose ? 1 : 0, true);
  writeSharedInfo(view, plan, identity.wallClockBaseNs);
}

function writeCpuid(view: DataView, rows: readonly CpuidRow[]): void {
  if (rows.length > CPUID_LEAVES_MAX) throw new RangeError(`${rows.length} CPUID rows: at most ${CPUID_LEAVES_MAX} fit`);
  view.setUint32(CONTROL + CONTROL_CPUID_COUNT, rows.length, true);
  rows.forEach((row, index) => {
    const at = CONTROL + CONTROL_CPUID + index * CPUID_LEAF_BYTES;
    const words = [row.leaf, row.subleaf ?? 0xffffffff, row.eax, row.ebx, row.ecx, row.edx];
    words.forEach((value, place) => {
      view.setUint32(at + place * 4, value >>> 0, true);
    });
  });
}

function writeVersion(view: DataView, bytes: Uint8Array, version: XenVersion): void {
  view.setUint32(DOMAIN_VERSION, (version.major << 16) | version.minor, true);
  const text = (at: number, limit: number, value: string): void => {
    bytes.set(new TextEncoder().encode(value).subarray(0, limit - 1), at);
  };
  text(DOMAIN_EXTRAVERSION, 16, version.extraVersion);
  text(DOMAIN_CHANGESET, 64, version.changeset);
  text(DOMAIN_CAPABILITIES, 1024, version.capabilities);
  text(DOMAIN_COMPILE_INFO, 64, version.compiler);
  text(DOMAIN_COMPILE_INFO + 64, 16, version.compileBy);
  text(DOMAIN_COMPILE_INFO + 80, 32, version.compileDomain);
  text(DOMAIN_COMPILE_INFO + 112, 32, version.compileDate);
}

function writeSharedInfo(view: DataView, plan: DomainMemoryPlan, wallClockBaseNs: bigint): void {
  for (let vcpu = 0; vcpu < XEN_LEGACY_MAX_VCPUS; vcpu += 1) {
    const info = plan.framesBase + vcpu * VCPU_INFO_BYTES;
    view.setUint8(info + VCPU_INFO_evtchn_upcall_mask, 1);
    if (vcpu < plan.maxVcpus) view.setUint32(vcpuBlockOf(vcpu) + PV_VCPU_INFO, info, true);
  }
  writeWallClock(view, plan, wallClockBaseNs);
}

/** Wall-clock time at system time 0. The version is odd while the rest changes. */
export function writeWallClock(view: DataView, plan: DomainMemoryPlan, baseNs: bigint): void {
  const at = plan.framesBase;
  const version = view.getUint32(at + SHARED_INFO_wc_version, true) | 1;
  view.setUint32(at + SHARED_INFO_wc_version, version, true);
  const seconds = baseNs / 1_000_000_000n;
  view.setUint32(at + SHARED_INFO_wc_sec, Number(seconds & 0xffffffffn), true);
  view.setUint32(at + SHARED_INFO_wc_sec_hi, Number(seconds >> 32n), true);
  view.setUint32(at + SHARED_INFO_wc_nsec, Number(baseNs % 1_000_000_000n), true);
  view.setUint32(at + SHARED_INFO_wc_version, version + 1, true);
}

/** Gives the domain its first pages: pfn n is machine frame firstRamMfn + n. */
export function populateInitialPages(memory: WebAssembly.Memory, plan: DomainMemoryPlan, pages: number): void {
  if (pages > plan.maxPages) {
    throw new HypervisorError(EINVAL, `${pages} pages are more than the domain's maximum of ${plan.maxPages}`);
  }
  const view = new DataView(memory.buffer);
  for (let pfn = 0; pfn < pages; pfn += 1) {
    const frame = XEN_FRAMES + pfn;
    view.setUint32(plan.frameRecords + frame * FRAME_BYTES + FRAME_REFERENCES, REFERENCES_ALLOCATED | 1, true);
    view.setBigUint64(plan.m2p + (plan.firstRamMfn + pfn - plan.m2pFirstMfn) * 8, BigInt(pfn), true);
  }
  view.setUint32(DOMAIN_TOTAL_PAGES, pages, true);
}
