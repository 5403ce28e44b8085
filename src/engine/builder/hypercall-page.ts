/**
 * The page of stubs through which kernels with a HYPERCALL_PAGE note (or the MSR of CPUID leaf 0x40000002) make hypercalls:
 * stub N, at 32 * N, makes hypercall N and preserves RCX and R11, which SYSCALL overwrites.
 */

const STUB_BYTES = 32;
const STUBS = 4096 / STUB_BYTES;
const HYPERVISOR_IRET = 23;

const PUSH_RAX = [0x50];
const PUSH_RCX = [0x51];
const POP_RCX = [0x59];
const PUSH_R11 = [0x41, 0x53];
const POP_R11 = [0x41, 0x5b];
const SYSCALL = [0x0f, 0x05];
const RET = [0xc3];
const INT3 = 0xcc;
const movEax = (value: number) => [0xb8, value & 0xff, (value >> 8) & 0xff, 0, 0];

/** The iret frame of hypercall 23 begins with RAX, R11, RCX: its stub pushes them and does not come back. */
function stub(number: number): readonly number[] {
  if (number === HYPERVISOR_IRET) return [...PUSH_RCX, ...PUSH_R11, ...PUSH_RAX, ...movEax(number), ...SYSCALL];
  return [...PUSH_RCX, ...PUSH_R11, ...movEax(number), ...SYSCALL, ...POP_R11, ...POP_RCX, ...RET];
}

/** Fills a page of 4096 bytes; what lies between the stubs traps. */
export function writeHypercallPage(page: Uint8Array): void {
  page.fill(INT3);
  for (let number = 0; number < STUBS; number += 1) page.set(stub(number), number * STUB_BYTES);
}
