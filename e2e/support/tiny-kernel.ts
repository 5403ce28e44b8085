/**
 * PV kernels of a few instructions, for what takes no operating system to see: how a domain ends, and what is said about it. An
 * ELF file with one page of code at VIRT_BASE and the notes Xen asks for; hypercalls are bare SYSCALL instructions.
 * @see xen/include/public/elfnote.h, xen/include/public/arch-x86/xen-x86_64.h
 */

export const VIRT_BASE = 0xffffffff80000000n;
const CODE_OFFSET = 0x1000;
const CODE_BYTES = 0x1000;
const NOTES_OFFSET = 0x200;
/** In the page of code, behind the instructions. */
const DATA = 0x800;

const XEN_ELFNOTE_ENTRY = 1;
const XEN_ELFNOTE_VIRT_BASE = 3;
const XEN_ELFNOTE_PADDR_OFFSET = 4;
const XEN_ELFNOTE_XEN_VERSION = 5;
const XEN_ELFNOTE_GUEST_OS = 6;
const XEN_ELFNOTE_LOADER = 8;

const HYPERVISOR_SCHED_OP = 29;
const SCHEDOP_SHUTDOWN = 2;

/** Registers in the order of their numbers. */
const REGISTERS = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];

/** MOV register, constant. */
function load(register: string, value: bigint): number[] {
  const number = REGISTERS.indexOf(register);
  const bytes = new Uint8Array(new BigUint64Array([value]).buffer);
  return [number >= 8 ? 0x49 : 0x48, 0xb8 + (number & 7), ...bytes];
}

const SYSCALL = [0x0f, 0x05];
export const UD2 = [0x0f, 0x0b];
/** A jump to itself. */
export const SPIN = [0xeb, 0xfe];

export const SHUTDOWN_POWEROFF = 0;
export const SHUTDOWN_REBOOT = 1;
export const SHUTDOWN_CRASH = 3;

/** Instructions that load registers with what is given. */
export function loadAll(values: Readonly<Record<string, bigint>>): number[] {
  return Object.entries(values).flatMap(([register, value]) => load(register, value));
}

/** A file for `kernel=` that runs these instructions, in kernel mode, with no trap handlers. */
export function tinyKernel(code: readonly number[], data: readonly number[] = []): Uint8Array {
  const file = new Uint8Array(CODE_OFFSET + CODE_BYTES);
  const view = new DataView(file.buffer);
  const notes = noteSection();
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(0x10, 2, true); // an executable
  view.setUint16(0x12, 62, true); // for x86-64
  view.setUint32(0x14, 1, true);
  view.setBigUint64(0x18, VIRT_BASE, true);
  view.setBigUint64(0x20, 64n, true); // program headers
  view.setUint16(0x34, 64, true);
  view.setUint16(0x36, 56, true);
  view.setUint16(0x38, 2, true);
  programHeader(view, 64, { type: 1, flags: 7, offset: CODE_OFFSET, address: VIRT_BASE, bytes: CODE_BYTES });
  programHeader(view, 64 + 56, { type: 4, flags: 4, offset: NOTES_OFFSET, address: 0n, bytes: notes.length });
  file.set(notes, NOTES_OFFSET);
  file.set(code, CODE_OFFSET);
  file.set(data, CODE_OFFSET + DATA);
  return file;
}

/** A kernel that asks for its end at once. */
export function endingKernel(reason: number): Uint8Array {
  const registers = { rdi: BigInt(SCHEDOP_SHUTDOWN), rsi: VIRT_BASE + BigInt(DATA), rax: BigInt(HYPERVISOR_SCHED_OP) };
  return tinyKernel([...loadAll(registers), ...SYSCALL, ...SPIN], [reason, 0, 0, 0]);
}

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly bytes: number;
}

function programHeader(view: DataView, at: number, { type, flags, offset, address, bytes }: Segment): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 4, flags, true);
  view.setBigUint64(at + 8, BigInt(offset), true);
  view.setBigUint64(at + 16, address, true);
  view.setBigUint64(at + 24, 0n, true); // physical address: the first page
  view.setBigUint64(at + 32, BigInt(bytes), true);
  view.setBigUint64(at + 40, BigInt(bytes), true);
  view.setBigUint64(at + 48, 4096n, true);
}

function noteSection(): Uint8Array {
  const text = (value: string): Uint8Array => Buffer.from(`${value}\0`);
  const number = (value: bigint): Uint8Array => new Uint8Array(new BigUint64Array([value]).buffer);
  const notes: readonly (readonly [number, Uint8Array])[] = [
    [XEN_ELFNOTE_GUEST_OS, text('tiny')],
    [XEN_ELFNOTE_XEN_VERSION, text('xen-3.0')],
    [XEN_ELFNOTE_LOADER, text('generic')],
    [XEN_ELFNOTE_VIRT_BASE, number(VIRT_BASE)],
    [XEN_ELFNOTE_PADDR_OFFSET, number(0n)],
    [XEN_ELFNOTE_ENTRY, number(VIRT_BASE)],
  ];
  return Buffer.concat(
    notes.flatMap(([type, content]) => [
      new Uint8Array(new Uint32Array([4, content.length, type]).buffer),
      text('Xen'),
      content,
      new Uint8Array(-content.length & 3),
    ]),
  );
}
