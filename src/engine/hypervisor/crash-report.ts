/** What the hypervisor's log says of a domain that crashed: the reason and the registers of the vCPU, as Xen prints them. */
import {
  CONTROL,
  CONTROL_FIRST_MFN,
  CONTROL_FRAMES_BASE,
  CONTROL_FRAME_COUNT,
  VCPU_CR2,
  VCPU_CR3_KERNEL,
  VCPU_FAULT_ADDRESS,
  VCPU_FAULT_ERROR,
  VCPU_FAULT_VECTOR,
  VCPU_FS_BASE,
  VCPU_GS_BASE,
  VCPU_INACTIVE_GS_BASE,
  VCPU_R10,
  VCPU_R11,
  VCPU_R12,
  VCPU_R13,
  VCPU_R14,
  VCPU_R15,
  VCPU_R8,
  VCPU_R9,
  VCPU_RAX,
  VCPU_RBP,
  VCPU_RBX,
  VCPU_RCX,
  VCPU_RDI,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_RSI,
  VCPU_RSP,
  VCPU_SELECTORS,
  VCPU_USER_MODE,
  VECTOR_PF,
} from '../cpu/layout.ts';
import {
  CRASH_BAD_IRET_FRAME,
  CRASH_BAD_STACK,
  CRASH_BY_GUEST,
  CRASH_CORE_FAILURE,
  CRASH_NO_FAILSAFE,
  CRASH_NO_HANDLER,
  CRASH_NO_USER_TABLES,
  DOMAIN_CRASH_CODE,
  DOMAIN_CRASH_DETAIL,
  DOMAIN_CRASH_VCPU,
} from '../pv/layout.ts';
import { vcpuBlockOf } from './domain-memory.ts';

const STACK_WORDS = 16;
const PTE_PRESENT = 1n;
const PTE_FRAME = 0x000ffffffffff000n;

const hex = (value: bigint | number, digits = 16): string => value.toString(16).padStart(digits, '0');

function reasonText(code: number, detail: bigint): string {
  switch (code) {
    case CRASH_NO_HANDLER:
      return `Unhandled exception vector ${detail}`;
    case CRASH_BAD_STACK:
      return `Cannot write an exception frame at stack ${hex(detail)}`;
    case CRASH_BAD_IRET_FRAME:
      return `Cannot read the iret frame at ${hex(detail)}`;
    case CRASH_NO_USER_TABLES:
      return 'Guest switching to user mode with no user page tables';
    case CRASH_NO_FAILSAFE:
      return `Cannot return to ${hex(detail)} and there is no failsafe callback`;
    case CRASH_BY_GUEST:
      return 'The guest reports that it has crashed';
    case CRASH_CORE_FAILURE:
      return 'The hypervisor failed while it ran the guest';
    default:
      return `Crash code ${code}`;
  }
}

/** Lines without newlines. The memory is the guest's: numbers read from it are only printed. */
export function crashReport(memory: WebAssembly.Memory, domid: number): string[] {
  const view = new DataView(memory.buffer);
  const vcpu = view.getUint32(DOMAIN_CRASH_VCPU, true) % 32;
  const reason = reasonText(view.getUint32(DOMAIN_CRASH_CODE, true), view.getBigUint64(DOMAIN_CRASH_DETAIL, true));
  return [`d${domid}v${vcpu} ${reason}`, `Domain ${domid} (vcpu#${vcpu}) crashed:`, ...registerLines(memory, domid, vcpu)];
}

/** Registers and the top of the stack of a vCPU that does not run. */
export function registerLines(memory: WebAssembly.Memory, domid: number, vcpu: number): string[] {
  const view = new DataView(memory.buffer);
  const cpu = vcpuBlockOf(vcpu);
  const register = (offset: number): bigint => view.getBigUint64(cpu + offset, true);
  const selector = (index: number): string => hex(view.getUint16(cpu + VCPU_SELECTORS + index * 2, true), 4);
  const row = (...cells: readonly (readonly [string, number])[]): string =>
    cells.map(([name, offset]) => `${name.padStart(3)}: ${hex(register(offset))}`).join('   ');
  const vector = view.getUint32(cpu + VCPU_FAULT_VECTOR, true);
  const address = vector === VECTOR_PF ? ` at ${hex(register(VCPU_FAULT_ADDRESS))}` : '';
  const user = view.getUint32(cpu + VCPU_USER_MODE, true) !== 0;
  return [
    `RIP:    ${selector(1)}:[<${hex(register(VCPU_RIP))}>]`,
    `CONTEXT: pv guest (d${domid}v${vcpu}) ${user ? 'user' : 'kernel'} mode`,
    `last exception: vector ${vector} error ${hex(view.getUint32(cpu + VCPU_FAULT_ERROR, true), 4)}${address}`,
    row(['rax', VCPU_RAX], ['rbx', VCPU_RBX], ['rcx', VCPU_RCX]),
    row(['rdx', VCPU_RDX], ['rsi', VCPU_RSI], ['rdi', VCPU_RDI]),
    row(['rbp', VCPU_RBP], ['rsp', VCPU_RSP], ['r8', VCPU_R8]),
    row(['r9', VCPU_R9], ['r10', VCPU_R10], ['r11', VCPU_R11]),
    row(['r12', VCPU_R12], ['r13', VCPU_R13], ['r14', VCPU_R14]),
    row(['r15', VCPU_R15], ['cr3', VCPU_CR3_KERNEL], ['cr2', VCPU_CR2]),
    row(['fsb', VCPU_FS_BASE], ['gsb', VCPU_GS_BASE], ['gss', VCPU_INACTIVE_GS_BASE]),
    `ds: ${selector(3)}   es: ${selector(0)}   fs: ${selector(4)}   gs: ${selector(5)}   ss: ${selector(2)}   cs: ${selector(1)}`,
    ...stackLines(memory, register(VCPU_CR3_KERNEL), register(VCPU_RSP)),
  ];
}

function stackLines(memory: WebAssembly.Memory, root: bigint, stack: bigint): string[] {
  const lines = [`Guest stack trace from rsp=${hex(stack)}:`];
  let line = '';
  for (let word = 0; word < STACK_WORDS; word += 1) {
    const value = readGuestWord(memory, root, stack + BigInt(word * 8));
    if (value === undefined) {
      lines.push('  Fault while accessing guest memory.');
      return lines;
    }
    line += ` ${hex(value)}`;
    if (word % 4 === 3) {
      lines.push(`  ${line}`);
      line = '';
    }
  }
  return lines;
}

/** Reads an aligned word through page tables rooted at a machine address; undefined = not mapped. */
export function readGuestWord(memory: WebAssembly.Memory, root: bigint, vaddr: bigint): bigint | undefined {
  const view = new DataView(memory.buffer);
  const base = view.getUint32(CONTROL + CONTROL_FRAMES_BASE, true);
  const first = BigInt(view.getUint32(CONTROL + CONTROL_FIRST_MFN, true));
  const count = BigInt(view.getUint32(CONTROL + CONTROL_FRAME_COUNT, true));
  const word = (machineAddress: bigint): bigint | undefined => {
    const frame = (machineAddress >> 12n) - first;
    if (frame < 0n || frame >= count) return undefined;
    const offset = base + Number(frame) * 4096 + Number(machineAddress & 0xff8n);
    return offset + 8 <= view.byteLength ? view.getBigUint64(offset, true) : undefined;
  };
  let table = root;
  for (const shift of [39n, 30n, 21n, 12n]) {
    const entry = word((table & PTE_FRAME) | (((vaddr >> shift) & 511n) << 3n));
    if (entry === undefined || (entry & PTE_PRESENT) === 0n) return undefined;
    table = entry;
  }
  return word((table & PTE_FRAME) | (vaddr & 0xff8n));
}
