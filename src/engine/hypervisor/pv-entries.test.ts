import { beforeEach, describe, expect, test } from 'vitest';
import {
  CALLBACKF_mask_events,
  CALLBACKOP_register,
  CALLBACKTYPE_event,
  CALLBACKTYPE_failsafe,
  CALLBACKTYPE_syscall,
} from '../abi/callback.ts';
import { EVTCHNOP_bind_ipi, EVTCHNOP_send } from '../abi/event-channel.ts';
import { FLAT_KERNEL_CS, FLAT_KERNEL_SS } from '../abi/guest-context.ts';
import {
  __HYPERVISOR_callback_op,
  __HYPERVISOR_event_channel_op,
  __HYPERVISOR_iret,
  __HYPERVISOR_mmuext_op,
  __HYPERVISOR_multicall,
  __HYPERVISOR_set_segment_base,
  __HYPERVISOR_stack_switch,
  __HYPERVISOR_vm_assist,
  __HYPERVISOR_xen_version,
} from '../abi/hypercall.ts';
import { MMUEXT_NEW_USER_BASEPTR, VMASST_CMD_enable, VMASST_TYPE_architectural_iopl } from '../abi/mmu.ts';
import { EINVAL, ENOSYS } from '../abi/errno.ts';
import { VCPU_INFO_arch_cr2, VCPU_INFO_evtchn_upcall_pending } from '../abi/shared-info.ts';
import {
  EXIT_CRASH,
  VCPU_GS_BASE,
  VCPU_INACTIVE_GS_BASE,
  VCPU_R11,
  VCPU_RAX,
  VCPU_RBX,
  VCPU_RCX,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_SELECTORS,
} from '../cpu/layout.ts';
import {
  CRASH_BAD_IRET_FRAME,
  CRASH_BAD_STACK,
  CRASH_NO_HANDLER,
  CRASH_NO_USER_TABLES,
  DOMAIN_CRASH_CODE,
  DOMAIN_SHUTDOWN,
} from '../pv/layout.ts';
import { crashReport } from './crash-report.ts';
import { CODE, DATA, PvGuest, STACK_TOP, USER_CODE, USER_STACK_TOP } from './testing/pv-guest.ts';

let guest: PvGuest;
const HANDLER = CODE + 0x800n;
const EVENT = CODE + 0x900n;
const SYSCALL = CODE + 0xa00n;
const FAILSAFE = CODE + 0xb00n;
const IF = 0x200n;
const SPIN = [0xeb, 0xfe];
const UD2 = [0x0f, 0x0b];

beforeEach(() => {
  guest = new PvGuest();
  for (const offset of [0x800, 0x900, 0xa00, 0xb00]) guest.code(SPIN, offset);
  guest.setTraps(
    [0, 0, HANDLER],
    [1, 0, HANDLER],
    [3, 3, HANDLER],
    [6, 4, HANDLER],
    [13, 0, HANDLER],
    [14, 4, HANDLER],
    [0x80, 3, HANDLER],
  );
  register(CALLBACKTYPE_event, EVENT);
  register(CALLBACKTYPE_syscall, SYSCALL, CALLBACKF_mask_events);
  register(CALLBACKTYPE_failsafe, FAILSAFE);
  guest.hypercall(__HYPERVISOR_mmuext_op, guest.quads(0, MMUEXT_NEW_USER_BASEPTR, guest.userRoot, 0), 1, 0, 0x7ff0);
  guest.set(VCPU_RSP, STACK_TOP - 0x108n);
  guest.setUpcallMask(1);
});

function register(type: number, address: bigint, flags = 0): void {
  const argument = guest.quads(0x200, BigInt(type | (flags << 16)), address);
  expect(guest.hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, argument)).toBe(0);
}

/** Frame in the order it is stacked, RCX first. */
interface Frame {
  rcx: bigint;
  r11: bigint;
  error?: bigint;
  rip: bigint;
  cs: bigint;
  rflags: bigint;
  rsp: bigint;
  ss: bigint;
}
function frame(hasError: boolean): Frame {
  const words = guest.stackWords(guest.get(VCPU_RSP), hasError ? 8 : 7);
  const [rcx = 0n, r11 = 0n] = words;
  const [rip = 0n, cs = 0n, rflags = 0n, rsp = 0n, ss = 0n] = words.slice(hasError ? 3 : 2);
  return hasError ? { rcx, r11, error: words[2] ?? 0n, rip, cs, rflags, rsp, ss } : { rcx, r11, rip, cs, rflags, rsp, ss };
}

/** iret hypercall with the given frame; `flags` is its word of VGCF bits. */
function iret(
  values: {
    rax?: bigint;
    r11?: bigint;
    rcx?: bigint;
    flags?: bigint;
    rip: bigint;
    cs: number;
    rflags: bigint;
    rsp: bigint;
    ss: number;
  },
  count = 1,
): number {
  const { rax = 0xaan, r11 = 0x11n, rcx = 0xccn, flags = 0n, rip, cs, rflags, rsp, ss } = values;
  guest.quads(0x400, rax, r11, rcx, flags, rip, cs, rflags, rsp, ss);
  guest.set(VCPU_RSP, DATA + 0x400n);
  guest.set(VCPU_RAX, __HYPERVISOR_iret);
  return guest.execute([0x0f, 0x05], count);
}
const toUser = (rflags = IF): number => iret({ rip: USER_CODE, cs: 0xe033, rflags, rsp: USER_STACK_TOP, ss: 0xe02b });

describe('exceptions in the kernel', () => {
  test('a #UD: frame on the aligned stack, events masked by the gate, selectors of the hypervisor', () => {
    guest.set(VCPU_RCX, 0x1234n);
    guest.set(VCPU_R11, 0x5678n);
    guest.execute(UD2);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(guest.get(VCPU_RSP)).toBe(((STACK_TOP - 0x108n) & ~15n) - 56n);
    expect(frame(false)).toMatchObject({
      rcx: 0x1234n,
      r11: 0x5678n,
      rip: CODE,
      // RPL 0 as the kernel was interrupted; the saved mask in bits 32-39.
      cs: BigInt(FLAT_KERNEL_CS & ~3) | (1n << 32n),
      rsp: STACK_TOP - 0x108n,
      ss: BigInt(FLAT_KERNEL_SS),
    });
    expect(frame(false).rflags & IF).toBe(0n);
    expect(guest.upcallMask()).toBe(1);
    expect([guest.selector(1), guest.selector(2)]).toEqual([FLAT_KERNEL_CS, FLAT_KERNEL_SS]);
  });

  test('with events unmasked IF shows, and the gate masks them', () => {
    guest.setUpcallMask(0);
    guest.execute(UD2);
    expect(frame(false).cs >> 32n).toBe(0n);
    expect(frame(false).rflags & IF).toBe(IF);
    expect(guest.upcallMask()).toBe(1);
  });

  test('a page fault has its error code on the stack and its address in vcpu_info', () => {
    guest.set(VCPU_RBX, 0x7000001000n);
    guest.execute([0x48, 0x89, 0x03]); // mov [rbx], rax
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(frame(true)).toMatchObject({ error: 2n, rip: CODE });
    expect(guest.view.getBigUint64(guest.vcpuInfo() + VCPU_INFO_arch_cr2, true)).toBe(0x7000001000n);
  });

  test('int3 is reported behind the instruction', () => {
    guest.execute([0xcc]);
    expect(frame(false).rip).toBe(CODE + 1n);
  });

  test('TF: the trap comes after one instruction, and the handler runs without TF', () => {
    iret({ rip: CODE + 0x40n, cs: FLAT_KERNEL_CS & ~3, rflags: 0x100n, rsp: STACK_TOP, ss: FLAT_KERNEL_SS });
    guest.code([0x90, 0x90, ...SPIN], 0x40);
    guest.core.run(guest.cpu, 2);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(frame(false).rip).toBe(CODE + 0x41n);
    expect(frame(false).rflags & 0x100n).toBe(0x100n);
    expect(guest.core.getRflags(guest.cpu) & 0x100n).toBe(0n);
  });

  test('virtual IOPL shows in the frame only with the assist', () => {
    guest.hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_architectural_iopl);
    iret({ rip: CODE + 0x40n, cs: FLAT_KERNEL_CS & ~3, rflags: 0x1000n, rsp: STACK_TOP, ss: FLAT_KERNEL_SS });
    guest.execute(UD2);
    expect(frame(false).rflags & 0x3000n).toBe(0x1000n);
  });
});

describe('crashes', () => {
  const crashed = (reason: number, code: number): void => {
    expect(reason).toBe(EXIT_CRASH);
    expect(guest.view.getUint32(DOMAIN_CRASH_CODE, true)).toBe(code);
    expect(guest.view.getUint32(DOMAIN_SHUTDOWN, true)).toBe(1 + 3);
  };

  test('an exception without a handler', () => {
    const bare = new PvGuest();
    expect(bare.execute(UD2)).toBe(EXIT_CRASH);
    expect(bare.view.getUint32(DOMAIN_CRASH_CODE, true)).toBe(CRASH_NO_HANDLER);
    const report = crashReport(bare.memory, 7);
    expect(report[0]).toBe('d7v0 Unhandled exception vector 6');
    expect(report).toContain(`RIP:    e033:[<${CODE.toString(16).padStart(16, '0')}>]`);
  });

  test.each([
    ['is not mapped', 0x7000000000n],
    ['is read-only', CODE + 0x100n],
    ['lies in the hypervisor’s range', 0xffff800000001000n],
  ])('a stack that %s', (_, stack) => {
    guest.set(VCPU_RSP, stack);
    crashed(guest.execute(UD2), CRASH_BAD_STACK);
  });

  test('an iret frame that cannot be read', () => {
    guest.set(VCPU_RSP, 0x7000000000n);
    guest.set(VCPU_RAX, __HYPERVISOR_iret);
    crashed(guest.execute([0x0f, 0x05]), CRASH_BAD_IRET_FRAME);
  });

  test('user mode without user tables', () => {
    guest.hypercall(__HYPERVISOR_mmuext_op, guest.quads(0, MMUEXT_NEW_USER_BASEPTR, 0, 0), 1, 0, 0x7ff0);
    crashed(toUser(), CRASH_NO_USER_TABLES);
  });
});

describe('iret', () => {
  test('to the kernel: registers, flags and the mask as the frame says', () => {
    iret({ rax: 1n, r11: 2n, rcx: 3n, rip: CODE + 0x40n, cs: 0xe030, rflags: 0x3ad5n | IF, rsp: STACK_TOP, ss: 0xe028 });
    expect(guest.state()).toMatchObject({ rax: 1n, r11: 2n, rcx: 3n, rip: CODE + 0x40n, rsp: STACK_TOP, user: false });
    // IOPL is virtual, IF always set.
    expect(guest.core.getRflags(guest.cpu) & 0x3fffffn).toBe(0xad7n | IF);
    expect(guest.upcallMask()).toBe(0);
    expect([guest.selector(1), guest.selector(2)]).toEqual([0xe033, 0xe02b]);
    iret({ rip: CODE + 0x40n, cs: 0xe030, rflags: 0n, rsp: STACK_TOP, ss: 0xe028 });
    expect(guest.upcallMask()).toBe(1);
  });

  test('to the user: tables and GS bases switch', () => {
    guest.hypercall(__HYPERVISOR_set_segment_base, 1, 0x111000n);
    guest.hypercall(__HYPERVISOR_set_segment_base, 2, 0x222000n);
    toUser();
    expect(guest.userMode).toBe(true);
    expect(guest.get(VCPU_GS_BASE)).toBe(0x111000n);
    expect(guest.get(VCPU_INACTIVE_GS_BASE)).toBe(0x222000n);
    expect(guest.state()).toMatchObject({ rip: USER_CODE, rsp: USER_STACK_TOP, rcx: 0xccn, r11: 0x11n });
  });

  test('VGCF_in_syscall returns as SYSRET does', () => {
    iret({ flags: 0x100n, rip: USER_CODE, cs: 0xe033, rflags: IF, rsp: USER_STACK_TOP, ss: 0xe02b });
    expect(guest.state()).toMatchObject({ rcx: USER_CODE, r11: IF });
  });

  test.each([
    ['a code selector that is none', { rip: USER_CODE, cs: 0x1b, ss: 0xe02b }],
    ['32-bit code', { rip: USER_CODE, cs: 0xe023, ss: 0xe02b }],
    ['a data segment as code', { rip: USER_CODE, cs: 0xe02b, ss: 0xe02b }],
    ['a stack selector that is none', { rip: USER_CODE, cs: 0xe033, ss: 0x1b }],
    ['an address that is not canonical', { rip: 0x800000000000n, cs: 0xe033, ss: 0xe02b }],
  ])('%s goes to the failsafe callback', (_, bad) => {
    guest.hypercall(__HYPERVISOR_stack_switch, 0xe02b, STACK_TOP);
    iret({ ...bad, rflags: IF, rsp: 0x1000n });
    expect(guest.get(VCPU_RIP)).toBe(FAILSAFE);
    expect(guest.userMode).toBe(false);
    const words = guest.stackWords(guest.get(VCPU_RSP), 11);
    expect(words[6]).toBe(bad.rip);
    expect((words[7] ?? 0n) & 0xffffn).toBe(BigInt(bad.cs | 3));
    expect(words[9]).toBe(0x1000n);
    expect(words[10]).toBe(BigInt(bad.ss | 3));
  });

  test('the failsafe frame has DS, ES, FS and GS behind RCX and R11', () => {
    guest.hypercall(__HYPERVISOR_stack_switch, 0xe02b, STACK_TOP);
    const selectors = { es: 0x10, ds: 0x20, fs: 0x30, gs: 0x40 };
    const numbers = { es: 0, ds: 3, fs: 4, gs: 5 };
    for (const name of ['es', 'ds', 'fs', 'gs'] as const)
      guest.view.setUint16(guest.cpu + VCPU_SELECTORS + 2 * numbers[name], selectors[name], true);
    iret({ rip: USER_CODE, cs: 0xe02b, ss: 0xe02b, rflags: IF, rsp: 0x1000n, rcx: 1n, r11: 2n });
    expect(guest.get(VCPU_RIP)).toBe(FAILSAFE);
    expect(guest.stackWords(guest.get(VCPU_RSP), 6)).toEqual([1n, 2n, 0x20n, 0x10n, 0x30n, 0x40n]);
  });

  test('unmasks non-maskable interrupts: one that came meanwhile is delivered', () => {
    guest.setTraps([2, 0, HANDLER]);
    guest.hypercall(__HYPERVISOR_stack_switch, 0xe02b, STACK_TOP - 0x200n);
    guest.core.pvSendNmi(guest.cpu);
    guest.core.run(guest.cpu, 1);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    const inHandler = guest.get(VCPU_RSP);
    guest.core.pvSendNmi(guest.cpu);
    guest.core.run(guest.cpu, 1);
    // Not one upon the other.
    expect(guest.get(VCPU_RSP)).toBe(inHandler);
    guest.userCode(SPIN);
    toUser();
    expect(guest.state()).toMatchObject({ rip: HANDLER, user: false, rsp: STACK_TOP - 0x200n - 56n });
    expect(frame(false)).toMatchObject({ rip: USER_CODE, cs: 0xe033n });
  });
});

describe('from user mode', () => {
  const KERNEL_STACK = STACK_TOP - 0x200n;
  const run = (code: number[], rflags = IF): void => {
    guest.userCode([...code, ...SPIN]);
    guest.hypercall(__HYPERVISOR_stack_switch, 0xe02b, KERNEL_STACK);
    toUser(rflags);
    guest.core.run(guest.cpu, 1);
  };

  test('an exception switches to the kernel and its stack', () => {
    run(UD2);
    expect(guest.state()).toMatchObject({ rip: HANDLER, user: false, rsp: KERNEL_STACK - 56n });
    expect(frame(false)).toMatchObject({ rip: USER_CODE, cs: 0xe033n, rsp: USER_STACK_TOP, ss: 0xe02bn });
    expect(frame(false).rflags & IF).toBe(IF);
  });

  test('a page fault says that the user made it', () => {
    run([0x8b, 0x04, 0x25, 0x00, 0x10, 0x40, 0x00]); // mov eax, [DATA]: a kernel page
    expect(frame(true)).toMatchObject({ error: 5n, rip: USER_CODE });
  });

  test('SYSCALL enters through the callback with DF clear and the return address in RCX', () => {
    run([0xfd, 0x0f, 0x05]); // std; syscall
    expect(guest.state()).toMatchObject({ rip: SYSCALL, user: false, rsp: KERNEL_STACK - 56n, rcx: USER_CODE + 3n });
    expect(frame(false)).toMatchObject({ rcx: USER_CODE + 3n, rip: USER_CODE + 3n, cs: 0xe033n, rsp: USER_STACK_TOP, ss: 0xe02bn });
    expect(frame(false).r11 & 0x400n).toBe(0x400n);
    expect(guest.core.getRflags(guest.cpu) & 0x400n).toBe(0n);
    expect(guest.upcallMask()).toBe(1);
  });

  test('SYSCALL without a callback is an undefined opcode', () => {
    register(CALLBACKTYPE_syscall, 0n);
    run([0x0f, 0x05]);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(frame(false).rip).toBe(USER_CODE);
  });

  test('INT n goes through a gate of level 3', () => {
    run([0xcd, 0x80]);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(frame(false).rip).toBe(USER_CODE + 2n);
  });

  test.each([0x06, 0x21])('INT %i through a lower or no gate is #GP with the vector in the error code', (vector) => {
    run([0xcd, vector]);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(frame(true)).toMatchObject({ rip: USER_CODE, error: BigInt(vector * 8 + 2) });
  });

  /** iretq to the instruction behind it, with another CS. */
  const iretTo = (cs: number): number[] => [
    ...[0x68, 0x2b, 0xe0, 0, 0], // push 0xe02b
    0x54, // push rsp
    0x9c, // pushfq
    ...[0x68, cs & 255, cs >> 8, 0, 0], // push cs
    ...[0x48, 0x8d, 0x05, 3, 0, 0, 0], // lea rax, [rip+3]
    0x50, // push rax
    ...[0x48, 0xcf], // iretq
  ];

  test.each([
    ['32-bit code', 0xe023],
    ['data', 0xe02b],
    ['nothing', 0x0b],
  ])('IRET to a selector of %s is #GP with that selector', (_, cs) => {
    run(iretTo(cs));
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(frame(true)).toMatchObject({ rip: USER_CODE + 20n, cs: 0xe033n, error: BigInt(cs & ~3) });
  });

  test('IRET to 64-bit code goes on there', () => {
    run([...iretTo(0xe033), ...UD2]);
    guest.core.run(guest.cpu, 1);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(frame(false)).toMatchObject({ rip: USER_CODE + 22n, cs: 0xe033n });
  });

  test.each([
    ['rdmsr', [0x0f, 0x32]],
    ['mov rax, cr0', [0x0f, 0x20, 0xc0]],
    ['cli', [0xfa]],
    ['in al, dx', [0xec]],
    ['hlt', [0xf4]],
  ])('%s is #GP', (_, code) => {
    run(code);
    expect(frame(true)).toMatchObject({ rip: USER_CODE, error: 0n });
  });
});

describe('events', () => {
  let port: number;
  beforeEach(() => {
    guest.hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, guest.words(0, 0, 0));
    port = guest.word(4);
    guest.set(VCPU_RSP, STACK_TOP - 0x108n);
  });
  const send = (): number => guest.hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, guest.words(0, port));

  test('an unmasked event is delivered on return from the hypercall that raised it', () => {
    guest.setUpcallMask(0);
    expect(send()).toBe(0);
    expect(guest.get(VCPU_RIP)).toBe(EVENT);
    expect(guest.upcallMask()).toBe(1);
    expect(frame(false)).toMatchObject({ rip: CODE + 2n, cs: BigInt(FLAT_KERNEL_CS & ~3), rsp: STACK_TOP - 0x108n });
    expect(frame(false).rflags & IF).toBe(IF);
  });

  test('a masked one waits for the mask and the next hypercall', () => {
    send();
    expect(guest.get(VCPU_RIP)).toBe(CODE + 2n);
    guest.setUpcallMask(0);
    guest.hypercall(__HYPERVISOR_xen_version, 0, 0);
    expect(guest.get(VCPU_RIP)).toBe(EVENT);
  });

  test('one raised from outside interrupts running code', () => {
    guest.setUpcallMask(0);
    guest.code([0x90, 0xeb, 0xfd]);
    guest.set(VCPU_RIP, CODE);
    const channel = guest.core.pvAllocateUnbound(0);
    guest.core.pvBindToDom0(channel, 1);
    guest.core.pvSendEvent(channel, 1);
    guest.core.run(guest.cpu, 10);
    expect(guest.get(VCPU_RIP)).toBe(EVENT);
  });

  test('iret delivers what became deliverable by it', () => {
    send();
    iret({ rip: CODE + 0x40n, cs: 0xe030, rflags: IF, rsp: STACK_TOP, ss: 0xe028 });
    expect(guest.get(VCPU_RIP)).toBe(EVENT);
    expect(frame(false).rip).toBe(CODE + 0x40n);
  });

  test('an exception comes first, the event after its handler unmasks', () => {
    send();
    guest.execute(UD2);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
    expect(guest.view.getUint8(guest.vcpuInfo() + VCPU_INFO_evtchn_upcall_pending)).toBe(1);
  });

  test('in user mode the kernel is entered on its own stack', () => {
    guest.hypercall(__HYPERVISOR_stack_switch, 0xe02b, STACK_TOP - 0x200n);
    guest.userCode(SPIN);
    send();
    toUser();
    expect(guest.state()).toMatchObject({ rip: EVENT, user: false, rsp: STACK_TOP - 0x200n - 56n });
    expect(frame(false).rip).toBe(USER_CODE);
  });
});

describe('cpuid', () => {
  const FORCED = [0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2];
  test.each([
    ['forced', FORCED],
    ['plain', [0x0f, 0xa2]],
  ])('%s', (_, code) => {
    guest.set(VCPU_RAX, 0x40000000n);
    guest.execute(code);
    expect(guest.get(VCPU_RAX)).toBe(0x40000005n);
    expect(guest.get(VCPU_RBX)).toBe(0x566e6558n);
    expect(guest.get(VCPU_RDX)).toBe(0x4d4d566en);
    expect(guest.get(VCPU_RIP)).toBe(CODE + BigInt(code.length));
  });

  test('another prefix is an undefined opcode', () => {
    guest.execute([0x0f, 0x0b, 0x78, 0x65, 0x6d, 0x0f, 0xa2]);
    expect(guest.get(VCPU_RIP)).toBe(HANDLER);
  });
});

describe('multicalls', () => {
  test('results are written in place, nested ones and iret refused', () => {
    const entries: bigint[] = [];
    for (const [op, a, b] of [
      [__HYPERVISOR_xen_version, 0n, 0n],
      [__HYPERVISOR_multicall, 0n, 0n],
      [__HYPERVISOR_iret, 0n, 0n],
      [__HYPERVISOR_stack_switch, 0xe02bn, 0x1234n],
      [99, 0n, 0n],
    ] as const) {
      entries.push(BigInt(op), 0x55n, a, b, 0n, 0n, 0n, 0n);
    }
    expect(guest.hypercall(__HYPERVISOR_multicall, guest.quads(0, ...entries), 5)).toBe(0);
    const results = [0, 1, 2, 3, 4].map((index) => Number(BigInt.asIntN(64, guest.quad(index * 64 + 8))));
    expect(results).toEqual([(4 << 16) | 17, -EINVAL, -ENOSYS, 0, -ENOSYS]);
  });

  test('unknown hypercalls', () => {
    for (const number of [38, 47, 48, 1000]) expect(guest.hypercall(number)).toBe(-ENOSYS);
    guest.set(VCPU_RAX, -1n);
    guest.execute([0x0f, 0x05]);
    expect(guest.get(VCPU_RAX)).toBe(BigInt.asUintN(64, -BigInt(ENOSYS)));
  });

  test('SYSCALL leaves the return address and flags where SYSCALL leaves them, and all else alone', () => {
    guest.set(VCPU_RBX, 0xb0b0n);
    guest.hypercall(__HYPERVISOR_xen_version, 0, 0);
    expect(guest.get(VCPU_RCX)).toBe(CODE + 2n);
    expect(guest.get(VCPU_R11) & 0x202n).toBe(0x202n);
    expect(guest.get(VCPU_RBX)).toBe(0xb0b0n);
    expect(guest.view.getUint16(guest.cpu + VCPU_SELECTORS + 2, true)).toBe(FLAT_KERNEL_CS);
  });
});
