import { beforeEach, describe, expect, test } from 'vitest';
import { CONSOLEIO_read, CONSOLEIO_write, PHYSDEVOP_set_iobitmap, PHYSDEVOP_set_iopl } from '../abi/callback.ts';
import { EFAULT, EINVAL, ENODEV, ENOSYS, EPERM } from '../abi/errno.ts';
import {
  __HYPERVISOR_callback_op,
  __HYPERVISOR_console_io,
  __HYPERVISOR_domctl,
  __HYPERVISOR_fpu_taskswitch,
  __HYPERVISOR_get_debugreg,
  __HYPERVISOR_physdev_op,
  __HYPERVISOR_set_debugreg,
  __HYPERVISOR_set_gdt,
  __HYPERVISOR_set_segment_base,
  __HYPERVISOR_vm_assist,
  __HYPERVISOR_xen_version,
  __HYPERVISOR_xenpmu_op,
} from '../abi/hypercall.ts';
import {
  XENVER_build_id,
  XENVER_capabilities,
  XENVER_commandline,
  XENVER_compile_info,
  XENVER_extraversion,
  XENVER_get_features,
  XENVER_guest_handle,
  XENVER_pagesize,
  XENVER_platform_parameters,
  XENVER_version,
} from '../abi/version.ts';
import {
  VCPU_CR0,
  VCPU_CR3_KERNEL,
  VCPU_FS_BASE,
  VCPU_GS_BASE,
  VCPU_INACTIVE_GS_BASE,
  VCPU_RAX,
  VCPU_RCX,
  VCPU_RDI,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_RSI,
  VCPU_RSP,
} from '../cpu/layout.ts';
import { CODE, DATA, FREE_PFN, L4_PFN, PvGuest, STACK_TOP, maddrOf, mfnOf } from './testing/pv-guest.ts';

let guest: PvGuest;
const HANDLER = CODE + 0x800n;
beforeEach(() => {
  guest = new PvGuest();
  guest.setTraps([6, 0, HANDLER], [7, 0, HANDLER], [13, 0, HANDLER], [14, 0, HANDLER]);
  guest.set(VCPU_RSP, STACK_TOP);
});
const faulted = (): boolean => guest.get(VCPU_RIP) === HANDLER;
const setIopl = (level: number): number => guest.hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, guest.words(0, level));

describe('model-specific registers', () => {
  const read = (msr: number): bigint | undefined => {
    guest.set(VCPU_RCX, msr);
    guest.execute([0x0f, 0x32]);
    return faulted() ? undefined : (guest.get(VCPU_RDX) << 32n) | guest.get(VCPU_RAX);
  };
  const write = (msr: number, value: bigint): boolean => {
    guest.set(VCPU_RCX, msr);
    guest.set(VCPU_RAX, value & 0xffffffffn);
    guest.set(VCPU_RDX, value >> 32n);
    guest.execute([0x0f, 0x30]);
    return !faulted();
  };

  test.each([
    ['FS_BASE', 0xc0000100, VCPU_FS_BASE],
    ['GS_BASE', 0xc0000101, VCPU_GS_BASE],
    ['KERNEL_GS_BASE', 0xc0000102, VCPU_INACTIVE_GS_BASE],
  ])('%s is read and written, canonical addresses only', (_, msr, field) => {
    expect(write(msr, 0xffff888012345678n)).toBe(true);
    expect(guest.get(field)).toBe(0xffff888012345678n);
    expect(read(msr)).toBe(0xffff888012345678n);
    expect(write(msr, 0x1234888012345678n)).toBe(false);
    expect(guest.get(field)).toBe(0xffff888012345678n);
  });

  test.each([
    [0xc0000080, 0xd01n],
    [0x1b, 0xfee00900n],
    [0x277, 0x050100070406n],
    [0x8b, 0n],
    [0x17, 0n],
    [0xce, 0n],
    [0x140, 0n],
    [0x179, 0n],
    [0x400, 0n],
    [0xc0000081, undefined],
    [0x48, 0n],
    [0x49, undefined],
    [0xdeadbeef, undefined],
  ])('reading %i', (msr, expected) => {
    expect(read(msr)).toBe(expected);
  });

  test.each([
    [0xc0000080, 0xd01n, true],
    [0xc0000080, 0x501n, false],
    [0x8b, 1n, true],
    [0x401, 5n, true],
    [0x277, 0n, false],
    [0x1b, 0n, false],
    [0x140, 1n, false],
    [0x48, 0x400n, true],
    [0x48, 0x8000n, false],
  ])('writing %i of %s', (msr, value, expected) => {
    expect(write(msr, value)).toBe(expected);
  });

  test('the counter is the machine clock', () => {
    guest.nowNs = 0x1_2345_6789;
    expect(read(0x10)).toBe(0x1_2345_6789n);
  });
});

describe('control registers', () => {
  const MOV_RAX_CR0 = [0x0f, 0x20, 0xc0];
  const MOV_CR0_RAX = [0x0f, 0x22, 0xc0];
  const MOV_CR3_RAX = [0x0f, 0x22, 0xd8];

  test('CR0: only TS may change', () => {
    guest.execute(MOV_RAX_CR0);
    expect(guest.get(VCPU_RAX)).toBe(0x80050033n);
    guest.set(VCPU_RAX, 0x8005003bn);
    guest.execute(MOV_CR0_RAX);
    expect(guest.get(VCPU_CR0) & 8n).toBe(8n);
    guest.set(VCPU_RAX, 0x80050031n);
    guest.execute(MOV_CR0_RAX);
    expect(faulted()).toBe(true);
  });

  test('CLTS, fpu_taskswitch, and #NM that ends the switch', () => {
    guest.hypercall(__HYPERVISOR_fpu_taskswitch, 1);
    expect(guest.get(VCPU_CR0) & 8n).toBe(8n);
    guest.execute([0x0f, 0x06]);
    expect(guest.get(VCPU_CR0) & 8n).toBe(0n);
    guest.hypercall(__HYPERVISOR_fpu_taskswitch, 1);
    guest.execute([0xd9, 0xe8]); // fld1
    expect(faulted()).toBe(true);
    expect(guest.get(VCPU_CR0) & 8n).toBe(0n);
    guest.hypercall(__HYPERVISOR_fpu_taskswitch, 0);
    expect(guest.get(VCPU_CR0) & 8n).toBe(0n);
  });

  test('CR3 is the kernel’s root table and changes as NEW_BASEPTR does', () => {
    guest.execute([0x0f, 0x20, 0xd8]);
    expect(guest.get(VCPU_RAX)).toBe(maddrOf(L4_PFN));
    guest.set(VCPU_RAX, maddrOf(1));
    guest.execute(MOV_CR3_RAX);
    expect(faulted()).toBe(true);
    expect(guest.get(VCPU_CR3_KERNEL)).toBe(maddrOf(L4_PFN));
    guest.set(VCPU_RAX, BigInt(guest.userRoot) << 12n);
    guest.execute(MOV_CR3_RAX);
    expect(guest.get(VCPU_CR3_KERNEL)).toBe(BigInt(guest.userRoot) << 12n);
  });

  test('CR4: unsupported bits are ignored', () => {
    guest.set(VCPU_RAX, 0x3ffffffn);
    guest.execute([0x0f, 0x22, 0xe0]);
    expect(faulted()).toBe(false);
    guest.execute([0x0f, 0x20, 0xe0]);
    expect(guest.get(VCPU_RAX)).toBe(0x66cn);
  });

  test('CR1 is an undefined opcode', () => {
    guest.execute([0x0f, 0x20, 0xc8]);
    expect(faulted()).toBe(true);
  });
});

describe('ports, CLI and STI', () => {
  test.each([
    ['cli', [0xfa]],
    ['sti', [0xfb]],
    ['in al, 0x60', [0xe4, 0x60]],
    ['out dx, al', [0xee]],
    ['rep outsb', [0xf3, 0x6e]],
  ])('%s needs the virtual I/O privilege level', (_, code) => {
    guest.set(VCPU_RCX, 2n);
    guest.set(VCPU_RSI, DATA);
    guest.execute(code);
    expect(faulted()).toBe(true);
    guest.set(VCPU_RSP, STACK_TOP);
    expect(setIopl(1)).toBe(0);
    guest.set(VCPU_RCX, 2n);
    guest.set(VCPU_RSI, DATA);
    guest.setUpcallMask(0);
    guest.execute(code);
    expect(faulted()).toBe(false);
    expect(guest.upcallMask()).toBe(0);
  });

  test('absent ports read as ones, in the width asked for', () => {
    setIopl(1);
    guest.set(VCPU_RAX, 0x1111111111111111n);
    guest.set(VCPU_RDX, 0x60n);
    guest.execute([0xec]);
    expect(guest.get(VCPU_RAX)).toBe(0x11111111111111ffn);
    guest.execute([0x66, 0xed]);
    expect(guest.get(VCPU_RAX)).toBe(0x111111111111ffffn);
    guest.execute([0xed]);
    expect(guest.get(VCPU_RAX)).toBe(0xffffffffn);
    guest.execute([0xe4, 0x42]);
    expect(guest.get(VCPU_RAX) & 0xffn).toBe(0n);
  });

  test('0xcf8 is a latch', () => {
    setIopl(1);
    guest.set(VCPU_RDX, 0xcf8n);
    guest.set(VCPU_RAX, 0x80001234n);
    guest.execute([0xef]);
    guest.set(VCPU_RAX, 0n);
    guest.execute([0xed]);
    expect(guest.get(VCPU_RAX)).toBe(0x80001234n);
  });

  test('string input fills memory and counts', () => {
    setIopl(1);
    guest.bytes.fill(0, guest.data(), guest.data(16));
    guest.set(VCPU_RCX, 3n);
    guest.set(VCPU_RDX, 0x60n);
    guest.set(VCPU_RDI, DATA);
    guest.execute([0xf3, 0x66, 0x6d], 10);
    expect([...guest.bytes.slice(guest.data(), guest.data(8))]).toEqual([255, 255, 255, 255, 255, 255, 0, 0]);
    expect([guest.get(VCPU_RCX), guest.get(VCPU_RDI)]).toEqual([0n, DATA + 6n]);
  });

  test('set_iopl takes 0 to 3, set_iobitmap is accepted, the rest does not exist', () => {
    expect(setIopl(4)).toBe(-EINVAL);
    expect(guest.hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, DATA)).toBe(0);
    expect(guest.hypercall(__HYPERVISOR_physdev_op, 28, DATA)).toBe(-ENOSYS);
  });
});

describe('instructions that are not emulated', () => {
  test.each([
    ['hlt', [0xf4]],
    ['lgdt', [0x0f, 0x01, 0x14, 0x25, 0x00, 0x10, 0x40, 0x00]],
    ['invlpg', [0x0f, 0x01, 0x3c, 0x25, 0x00, 0x10, 0x40, 0x00]],
    ['swapgs', [0x0f, 0x01, 0xf8]],
    ['sysret', [0x48, 0x0f, 0x07]],
    ['ltr', [0x0f, 0x00, 0xd8]],
    ['sysenter', [0x0f, 0x34]],
  ])('%s is #GP', (_, code) => {
    guest.execute(code);
    expect(faulted()).toBe(true);
  });

  test('wbinvd does nothing', () => {
    guest.execute([0x0f, 0x09]);
    expect(faulted()).toBe(false);
  });
});

describe('debug registers', () => {
  test.each([
    [0, 0x401000n, 0, 0x401000n],
    [3, 0xffff888000000000n, 0, 0xffff888000000000n],
    [0, 0xffff800000001000n, -EPERM, 0n],
    [1, 0x8000000000000000n, -EPERM, 0n],
    [6, 0n, 0, 0xffff0ff0n],
    [7, 0x2000n, -EPERM, 0x400n],
    [7, 0x20001n, -EPERM, 0x400n],
    [7, 0xd0101n, 0, 0xd0501n],
    [8, 0n, -ENODEV, undefined],
  ])('DR%i', (register, value, expected, stored) => {
    expect(guest.hypercall(__HYPERVISOR_set_debugreg, register, value)).toBe(expected);
    const readBack = guest.hypercall(__HYPERVISOR_get_debugreg, register);
    if (stored === undefined) expect(readBack).toBe(-ENODEV);
    else expect(BigInt.asUintN(64, BigInt.asIntN(64, guest.get(VCPU_RAX)))).toBe(stored);
  });

  test('mov reads and writes them', () => {
    guest.set(VCPU_RAX, 0x401000n);
    guest.execute([0x0f, 0x23, 0xc8]); // mov dr1, rax
    guest.set(VCPU_RAX, 0n);
    guest.execute([0x0f, 0x21, 0xc8]);
    expect(guest.get(VCPU_RAX)).toBe(0x401000n);
  });
});

describe('segment bases', () => {
  test.each([
    [0, VCPU_FS_BASE],
    [1, VCPU_INACTIVE_GS_BASE],
    [2, VCPU_GS_BASE],
  ])('which %i', (which, field) => {
    expect(guest.hypercall(__HYPERVISOR_set_segment_base, which, 0x7fff12345678n)).toBe(0);
    expect(guest.get(field)).toBe(0x7fff12345678n);
    expect(guest.hypercall(__HYPERVISOR_set_segment_base, which, 0x800000000000n)).toBe(-EINVAL);
  });

  test('a user GS selector changes the inactive base only; a bad one becomes null', () => {
    guest.view.setBigUint64(guest.ram(FREE_PFN, 16), 0x12cff3345678ffffn, true);
    guest.hypercall(__HYPERVISOR_set_gdt, guest.quads(0, mfnOf(FREE_PFN)), 16);
    guest.hypercall(__HYPERVISOR_set_segment_base, 2, 0xaaa000n);
    expect(guest.hypercall(__HYPERVISOR_set_segment_base, 3, 0x10)).toBe(0);
    expect(guest.get(VCPU_INACTIVE_GS_BASE)).toBe(0x12345678n);
    expect(guest.get(VCPU_GS_BASE)).toBe(0xaaa000n);
    expect(guest.selector(5)).toBe(0x13);
    expect(guest.hypercall(__HYPERVISOR_set_segment_base, 3, 0x48)).toBe(0);
    expect(guest.selector(5)).toBe(0);
    expect(guest.get(VCPU_GS_BASE)).toBe(0xaaa000n);
  });

  test('an unknown one', () => {
    expect(guest.hypercall(__HYPERVISOR_set_segment_base, 4, 0)).toBe(-EINVAL);
  });
});

describe('xen_version', () => {
  const text = (command: number, bytes: number): string => {
    guest.bytes.fill(0xee, guest.data(), guest.data(bytes + 1));
    expect(guest.hypercall(__HYPERVISOR_xen_version, command, DATA)).toBe(0);
    expect(guest.bytes[guest.data(bytes)]).toBe(0xee);
    const raw = guest.bytes.slice(guest.data(), guest.data(bytes));
    return new TextDecoder().decode(raw.subarray(0, raw.indexOf(0)));
  };

  test('texts have their sizes', () => {
    expect(text(XENVER_extraversion, 16)).toMatch(/^\.7/);
    expect(text(XENVER_capabilities, 1024)).toBe('xen-3.0-x86_64 ');
    expect(text(XENVER_compile_info, 144)).not.toBe('');
    expect(text(XENVER_commandline, 9)).toBe('<denied>');
  });

  test('numbers', () => {
    expect(guest.hypercall(__HYPERVISOR_xen_version, XENVER_version, 0)).toBe(0x40011);
    expect(guest.hypercall(__HYPERVISOR_xen_version, XENVER_pagesize, 0)).toBe(4096);
    expect(guest.hypercall(__HYPERVISOR_xen_version, XENVER_build_id, DATA)).toBe(-EPERM);
    expect(guest.hypercall(__HYPERVISOR_xen_version, 99, DATA)).toBe(-ENOSYS);
    expect(guest.hypercall(__HYPERVISOR_xen_version, XENVER_extraversion, 0x7000000000n)).toBe(-EFAULT);
    expect(guest.hypercall(__HYPERVISOR_xen_version, XENVER_platform_parameters, DATA)).toBe(0);
    expect(guest.quad(0)).toBe(0xffff800000000000n);
    expect(guest.hypercall(__HYPERVISOR_xen_version, XENVER_guest_handle, DATA)).toBe(0);
    expect(guest.quad(8)).toBe(0x100f0e0d0c0b0a09n);
  });

  test('features of a PV domain: no writable page tables, nothing translated', () => {
    expect(guest.hypercall(__HYPERVISOR_xen_version, XENVER_get_features, guest.words(0, 0, 0))).toBe(0);
    expect(guest.word(4)).toBe((1 << 5) | (1 << 6) | (1 << 7) | (1 << 13) | (1 << 17));
    guest.hypercall(__HYPERVISOR_vm_assist, 0, 3);
    guest.hypercall(__HYPERVISOR_xen_version, XENVER_get_features, guest.words(0, 0, 0));
    expect(guest.word(4) & (1 << 4)).toBe(1 << 4);
    expect(guest.hypercall(__HYPERVISOR_xen_version, XENVER_get_features, guest.words(0, 1, 0))).toBe(-EINVAL);
  });
});

describe('assists, callbacks, console and what is refused', () => {
  test.each([
    [0, 0, 0],
    [0, 2, 0],
    [0, 5, 0],
    [0, 32, 0],
    [0, 1, -EINVAL],
    [0, 6, -EINVAL],
    [0, 64, -EINVAL],
    [2, 2, -ENOSYS],
  ])('vm_assist(%i, %i)', (command, type, expected) => {
    expect(guest.hypercall(__HYPERVISOR_vm_assist, command, type)).toBe(expected);
  });

  test.each([
    ['an unknown type', 0, () => guest.quads(0, 9n, CODE), -ENOSYS],
    ['an address that is not canonical', 0, () => guest.quads(0, 0n, 0x800000000000n), -EINVAL],
    ['unregistering the event callback', 1, () => guest.quads(0, 0n), -EINVAL],
    ['unregistering sysenter', 1, () => guest.quads(0, 5n), 0],
    ['an unknown command', 2, () => DATA, -ENOSYS],
  ])('callback_op: %s', (_, command, argument, expected) => {
    expect(guest.hypercall(__HYPERVISOR_callback_op, command, argument())).toBe(expected);
  });

  test('console output reaches the log whole, in pieces', () => {
    const message = 'x'.repeat(600);
    guest.bytes.set(new TextEncoder().encode(message), guest.data());
    expect(guest.hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, 600, DATA)).toBe(0);
    expect(guest.console.join('')).toBe(message);
    expect(guest.hypercall(__HYPERVISOR_console_io, CONSOLEIO_read, 10, DATA)).toBe(0);
    expect(guest.hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, 10, 0x7000000000n)).toBe(-EFAULT);
    expect(guest.hypercall(__HYPERVISOR_console_io, 2, 10, DATA)).toBe(-ENOSYS);
  });

  test('privileged and absent hypercalls', () => {
    expect(guest.hypercall(__HYPERVISOR_domctl, DATA)).toBe(-EPERM);
    expect(guest.hypercall(__HYPERVISOR_xenpmu_op, 0, DATA)).toBe(-ENOSYS);
  });
});
