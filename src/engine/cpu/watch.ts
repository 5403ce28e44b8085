/**
 * Data breakpoints. While DR7 enables one, the vCPU runs one instruction at a time, and the pages that hold a watched address
 * never get a fast TLB entry, so that every access to them passes noteAccess; the trap comes behind the instruction.
 * @sdm Vol.3B 18.2.4 (DR7), 18.3.1.2 (data breakpoint)
 */
import { PAGE_BYTES, VCPU_DR, VCPU_WATCH_HITS } from './layout';

const DR6 = VCPU_DR + 6 * 8;
const DR7 = VCPU_DR + 7 * 8;
const ON_WRITE: u64 = 1;
const ON_ACCESS: u64 = 3;

/** Condition (R/W field) of breakpoint `n` if it is enabled and watches data, else 0. */
function conditionOf(dr7: u64, n: u64): u64 {
  if (((dr7 >> (n * 2)) & 3) == 0) return 0;
  const condition = (dr7 >> (16 + n * 4)) & 3;
  return condition == ON_WRITE || condition == ON_ACCESS ? condition : 0;
}

/** Bytes that breakpoint `n` watches: LEN 00 01 10 11 mean 1 2 8 4. */
function bytesOf(dr7: u64, n: u64): u64 {
  const length = (dr7 >> (18 + n * 4)) & 3;
  return length == 2 ? 8 : length + 1;
}

/** Whether a breakpoint watches data in the page of `va`. */
export function watchesPage(cpu: usize, va: u64): bool {
  const dr7 = load<u64>(cpu, DR7);
  const page = va & ~(<u64>(PAGE_BYTES - 1));
  for (let n: u64 = 0; n < 4; n++) {
    if (conditionOf(dr7, n) && (load<u64>(cpu + VCPU_DR + <usize>n * 8) & ~(<u64>(PAGE_BYTES - 1))) == page) return true;
  }
  return false;
}

/** Notes which breakpoints an access of `bytes` at `va` hits; takeWatchHits reports them. */
export function noteAccess(cpu: usize, va: u64, bytes: u32, write: bool): void {
  const dr7 = load<u64>(cpu, DR7);
  let hits: u32 = 0;
  for (let n: u64 = 0; n < 4; n++) {
    const condition = conditionOf(dr7, n);
    if (!condition || (condition == ON_WRITE && !write)) continue;
    const length = bytesOf(dr7, n);
    const start = load<u64>(cpu + VCPU_DR + <usize>n * 8) & ~(length - 1);
    if (va < start + length && start < va + <u64>bytes) hits |= (<u32>1) << (<u32>n);
  }
  if (hits) store<u32>(cpu, load<u32>(cpu, VCPU_WATCH_HITS) | hits, VCPU_WATCH_HITS);
}

/** Moves the hits of the instruction just done to DR6; false = none. */
export function takeWatchHits(cpu: usize): bool {
  const hits = load<u32>(cpu, VCPU_WATCH_HITS);
  if (!hits) return false;
  store<u32>(cpu, 0, VCPU_WATCH_HITS);
  store<u64>(cpu, (load<u64>(cpu, DR6) & ~(<u64>15)) | (<u64>hits), DR6);
  return true;
}
