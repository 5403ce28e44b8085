import { beforeEach, describe, expect, test } from 'vitest';
import { EVTCHNOP_bind_ipi, EVTCHNOP_bind_virq, EVTCHNOP_send, VIRQ_TIMER } from '../abi/event-channel.ts';
import { EEXIST, EFAULT, EINVAL, ENOENT, ENOSYS, ENXIO, EPERM } from '../abi/errno.ts';
import {
  GUEST_CONTEXT_BYTES,
  GUEST_CONTEXT_ctrlreg,
  GUEST_CONTEXT_event_callback_eip,
  GUEST_CONTEXT_flags,
  GUEST_CONTEXT_gs_base_kernel,
  GUEST_CONTEXT_kernel_sp,
  GUEST_CONTEXT_trap_ctxt,
  GUEST_CONTEXT_user_regs,
  USER_REGS_cs,
  USER_REGS_r15,
  USER_REGS_rflags,
  USER_REGS_rip,
  USER_REGS_rsp,
  USER_REGS_ss,
  VGCF_in_kernel,
} from '../abi/guest-context.ts';
import {
  __HYPERVISOR_event_channel_op,
  __HYPERVISOR_sched_op,
  __HYPERVISOR_set_timer_op,
  __HYPERVISOR_vcpu_op,
  __HYPERVISOR_vm_assist,
} from '../abi/hypercall.ts';
import { VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag } from '../abi/mmu.ts';
import {
  RUNSTATE_blocked,
  RUNSTATE_running,
  SCHEDOP_block,
  SCHEDOP_pin_override,
  SCHEDOP_poll,
  SCHEDOP_remote_shutdown,
  SCHEDOP_shutdown,
  SCHEDOP_watchdog,
  SCHEDOP_yield,
  VCPUOP_down,
  VCPUOP_get_physid,
  VCPUOP_get_runstate_info,
  VCPUOP_initialise,
  VCPUOP_is_up,
  VCPUOP_register_runstate_memory_area,
  VCPUOP_register_vcpu_info,
  VCPUOP_register_vcpu_time_memory_area,
  VCPUOP_send_nmi,
  VCPUOP_set_periodic_timer,
  VCPUOP_set_singleshot_timer,
  VCPUOP_stop_periodic_timer,
  VCPUOP_stop_singleshot_timer,
  VCPUOP_up,
} from '../abi/sched.ts';
import { SHARED_INFO_wc_nsec, SHARED_INFO_wc_sec } from '../abi/shared-info.ts';
import {
  EXIT_BLOCK,
  EXIT_OFFLINE,
  EXIT_SHUTDOWN,
  EXIT_YIELD,
  REQUEST_LEAVE,
  VCPU_EXIT_DETAIL,
  VCPU_EXIT_REASON,
  VCPU_GS_BASE,
  VCPU_R15,
  VCPU_REQUEST,
  VCPU_RIP,
  VCPU_RSP,
} from '../cpu/layout.ts';
import {
  DOMAIN_CONTEXT,
  DOMAIN_SHUTDOWN,
  DOMAIN_SUSPEND_MFN,
  DOMAIN_VCPUS_WANTED,
  PV_TRAP_TABLE,
  TYPE_WRITABLE,
} from '../pv/layout.ts';
import { vcpuBlockOf } from './domain-memory.ts';
import { CODE, DATA, FREE_PFN, L1_PFN, L4_PFN, PAGES, PvGuest, STACK_TOP, maddrOf, mfnOf } from './testing/pv-guest.ts';

let guest: PvGuest;
beforeEach(() => {
  guest = new PvGuest();
});
const vcpuOp = (command: number, vcpu: number, argument: bigint | number = 0): number =>
  guest.hypercall(__HYPERVISOR_vcpu_op, command, vcpu, argument);
const schedOp = (command: number, argument: bigint | number = 0): number =>
  guest.hypercall(__HYPERVISOR_sched_op, command, argument);
const exitReason = (): number => guest.view.getUint32(guest.cpu + VCPU_EXIT_REASON, true);
const bindTimer = (vcpu = 0): number => {
  expect(guest.hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, guest.words(0, VIRQ_TIMER, vcpu, 0))).toBe(0);
  return guest.word(8);
};

test.each(Array.from({ length: 14 }, (_, command) => command))('command %i on a vCPU that is not there is -ENOENT', (command) => {
  expect(vcpuOp(command, 2)).toBe(-ENOENT);
  expect(vcpuOp(command, 8191)).toBe(-ENOENT);
});

describe('bring-up', () => {
  /** A context in the data pages, as a kernel fills it for a secondary vCPU. */
  const context = (change: (view: DataView, base: number) => void = () => undefined): bigint => {
    const base = guest.data();
    guest.bytes.fill(0, base, base + GUEST_CONTEXT_BYTES);
    const { view } = guest;
    const regs = base + GUEST_CONTEXT_user_regs;
    view.setBigUint64(base + GUEST_CONTEXT_flags, BigInt(VGCF_in_kernel), true);
    view.setBigUint64(regs + USER_REGS_rip, CODE, true);
    view.setBigUint64(regs + USER_REGS_rsp, STACK_TOP, true);
    view.setBigUint64(regs + USER_REGS_rflags, 0x1000n, true);
    view.setBigUint64(regs + USER_REGS_r15, 0xf15n, true);
    view.setUint16(regs + USER_REGS_cs, 0xe030, true);
    view.setUint16(regs + USER_REGS_ss, 0xe028, true);
    view.setBigUint64(base + GUEST_CONTEXT_kernel_sp, STACK_TOP, true);
    view.setBigUint64(base + GUEST_CONTEXT_ctrlreg + 24, maddrOf(L4_PFN), true);
    view.setBigUint64(base + GUEST_CONTEXT_gs_base_kernel, 0xffff888000000000n, true);
    view.setBigUint64(base + GUEST_CONTEXT_event_callback_eip, CODE + 0x900n, true);
    view.setBigUint64(base + GUEST_CONTEXT_trap_ctxt + 6 * 16 + 8, CODE + 0x800n, true);
    change(view, base);
    return DATA;
  };

  test('initialise, up, run, down', () => {
    expect(vcpuOp(VCPUOP_is_up, 1)).toBe(0);
    expect(vcpuOp(VCPUOP_up, 1)).toBe(-EINVAL);
    expect(vcpuOp(VCPUOP_initialise, 1, context())).toBe(0);
    expect(vcpuOp(VCPUOP_initialise, 1, context())).toBe(-EEXIST);
    expect(vcpuOp(VCPUOP_up, 1)).toBe(0);
    expect(vcpuOp(VCPUOP_is_up, 1)).toBe(1);
    expect(guest.view.getUint32(DOMAIN_VCPUS_WANTED, true)).toBe(2);
    const other = vcpuBlockOf(1);
    expect(guest.view.getBigUint64(other + VCPU_R15, true)).toBe(0xf15n);
    expect(guest.view.getBigUint64(other + VCPU_GS_BASE, true)).toBe(0xffff888000000000n);
    expect(guest.view.getBigUint64(other + PV_TRAP_TABLE + 6 * 16, true)).toBe(CODE + 0x800n);
    expect(guest.frame(L4_PFN)).toMatchObject({ uses: 3 });
    guest.code([0x0f, 0x0b]);
    guest.core.run(other, 1);
    expect(guest.view.getBigUint64(other + VCPU_RIP, true)).toBe(CODE + 0x800n);
    expect(vcpuOp(VCPUOP_down, 1)).toBe(0);
    expect(vcpuOp(VCPUOP_is_up, 1)).toBe(0);
    expect(guest.view.getUint32(other + VCPU_REQUEST, true) & REQUEST_LEAVE).toBe(REQUEST_LEAVE);
    expect(vcpuOp(VCPUOP_up, 1)).toBe(0);
  });

  test.each([
    ['no root table', GUEST_CONTEXT_ctrlreg + 24, 0n],
    ['a root that is no root table', GUEST_CONTEXT_ctrlreg + 24, maddrOf(L1_PFN)],
    ['an address that is not canonical', GUEST_CONTEXT_user_regs + USER_REGS_rip, 0x800000000000n],
    ['a GS base that is not canonical', GUEST_CONTEXT_gs_base_kernel, 0x8000000000000000n],
  ])('%s is refused', (_, offset, value) => {
    const argument = context((view, base) => {
      view.setBigUint64(base + offset, value, true);
    });
    expect(vcpuOp(VCPUOP_initialise, 1, argument)).toBe(-EINVAL);
    expect(vcpuOp(VCPUOP_up, 1)).toBe(-EINVAL);
  });

  test('what is read back is what was set', () => {
    vcpuOp(VCPUOP_initialise, 1, context());
    guest.core.pvGetContext(vcpuBlockOf(1), DOMAIN_CONTEXT);
    const same = (offset: number): void => {
      expect(guest.view.getBigUint64(DOMAIN_CONTEXT + offset, true)).toBe(guest.view.getBigUint64(guest.data(offset), true));
    };
    same(GUEST_CONTEXT_user_regs + USER_REGS_rip);
    same(GUEST_CONTEXT_user_regs + USER_REGS_rsp);
    same(GUEST_CONTEXT_user_regs + USER_REGS_r15);
    same(GUEST_CONTEXT_kernel_sp);
    same(GUEST_CONTEXT_gs_base_kernel);
    same(GUEST_CONTEXT_ctrlreg + 24);
    same(GUEST_CONTEXT_trap_ctxt + 6 * 16 + 8);
    expect(guest.view.getBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_user_regs + USER_REGS_rflags, true)).toBe(0x1202n);
  });

  test('the calling vCPU leaves; the last one to go powers the domain off', () => {
    expect(vcpuOp(VCPUOP_down, 0)).toBe(0);
    expect(exitReason()).toBe(EXIT_OFFLINE);
    expect(guest.view.getUint32(DOMAIN_SHUTDOWN, true)).toBe(1);
  });
});

describe('vcpu_info', () => {
  const register = (vcpu: number, pfn: number, offset: number): number =>
    vcpuOp(VCPUOP_register_vcpu_info, vcpu, guest.quads(0, mfnOf(pfn), offset));

  test('moves with its contents, and asks the guest to look at everything once', () => {
    guest.setUpcallMask(1);
    guest.view.setBigUint64(guest.vcpuInfo() + 16, 0xc2n, true);
    expect(register(0, FREE_PFN, 0x40)).toBe(0);
    expect(guest.vcpuInfo()).toBe(guest.ram(FREE_PFN, 0x40));
    expect(guest.upcallMask()).toBe(1);
    expect(guest.view.getUint8(guest.vcpuInfo())).toBe(1);
    expect(guest.view.getBigUint64(guest.vcpuInfo() + 8, true)).toBe(0xffffffffffffffffn);
    expect(guest.view.getBigUint64(guest.vcpuInfo() + 16, true)).toBe(0xc2n);
    expect(guest.frame(FREE_PFN)).toEqual({ type: TYPE_WRITABLE, uses: 1, references: 2 });
    expect(register(0, FREE_PFN, 0x80)).toBe(-EINVAL);
  });

  test.each([
    ['across the end of the page', FREE_PFN, 4096 - 63, -ENXIO],
    ['at an odd place', FREE_PFN, 4, -ENXIO],
    ['in a page table', L1_PFN, 0, -EINVAL],
    ['in a free frame', PAGES, 0, -EINVAL],
    ['at the very end', FREE_PFN, 4096 - 64, 0],
  ])('%s', (_, pfn, offset, expected) => {
    expect(register(1, pfn, offset)).toBe(expected);
  });
});

describe('run states and time', () => {
  test('the registered area follows each change', () => {
    expect(vcpuOp(VCPUOP_register_runstate_memory_area, 0, guest.quads(0, DATA + 0x800n))).toBe(0);
    guest.nowNs = 5_000_000;
    guest.core.pvSetRunState(guest.cpu, RUNSTATE_running);
    guest.nowNs = 7_000_000;
    guest.core.pvSetRunState(guest.cpu, RUNSTATE_blocked);
    expect(guest.word(0x800)).toBe(RUNSTATE_blocked);
    expect(guest.quad(0x808)).toBe(7_000_000n);
    expect(guest.quad(0x810)).toBe(2_000_000n);
    guest.nowNs = 9_000_000;
    expect(vcpuOp(VCPUOP_get_runstate_info, 0, DATA + 0x900n)).toBe(0);
    expect(guest.quad(0x910 + RUNSTATE_blocked * 8)).toBe(2_000_000n);
    expect(guest.quad(0x910 + RUNSTATE_running * 8)).toBe(2_000_000n);
  });

  test('with the update flag the entry time is clean afterwards', () => {
    guest.hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
    vcpuOp(VCPUOP_register_runstate_memory_area, 0, guest.quads(0, DATA + 0x800n));
    guest.nowNs = 5_000_000;
    guest.core.pvSetRunState(guest.cpu, RUNSTATE_blocked);
    expect(guest.quad(0x808)).toBe(5_000_000n);
    expect(guest.word(0x800)).toBe(RUNSTATE_blocked);
  });

  test('areas that cannot be written are refused', () => {
    expect(vcpuOp(VCPUOP_register_runstate_memory_area, 0, guest.quads(0, 0x7000000000n))).toBe(-EFAULT);
    expect(vcpuOp(VCPUOP_register_vcpu_time_memory_area, 0, guest.quads(0, 0x7000000000n))).toBe(-EFAULT);
    expect(vcpuOp(VCPUOP_register_vcpu_time_memory_area, 0, guest.quads(0, 0))).toBe(0);
    expect(vcpuOp(VCPUOP_get_physid, 0, DATA)).toBe(-EINVAL);
  });

  test('the time record makes the counter nanoseconds of system time', () => {
    guest.nowNs = 123_456_789_000;
    guest.core.pvWriteTime(guest.cpu);
    const at = guest.vcpuInfo() + 32;
    const { view } = guest;
    expect(view.getUint32(at, true) & 1).toBe(0);
    const [stamp, system] = [view.getBigUint64(at + 8, true), view.getBigUint64(at + 16, true)];
    const [mul, shift] = [BigInt(view.getUint32(at + 24, true)), BigInt(view.getInt8(at + 28))];
    expect(system).toBe(123_456_789_000n);
    const later = stamp + 1_000_003n;
    expect(system + ((((later - stamp) << shift) * mul) >> 32n)).toBe(123_456_789_000n + 1_000_003n);
  });

  test('the wall clock stands in shared_info', () => {
    expect(guest.view.getUint32(guest.plan.framesBase + SHARED_INFO_wc_sec, true)).toBe(1_700_000_000);
    expect(guest.view.getUint32(guest.plan.framesBase + SHARED_INFO_wc_nsec, true)).toBe(123_456_789);
  });
});

describe('timers', () => {
  const oneShot = (deadline: number): number => vcpuOp(VCPUOP_set_singleshot_timer, 0, guest.quads(0x100, deadline, 0));

  test('a one-shot fires once, at its time', () => {
    const port = bindTimer();
    guest.setUpcallMask(1);
    expect(oneShot(3_000_000)).toBe(0);
    expect(guest.core.pvFireTimers(guest.cpu, 2_999_999)).toBe(3_000_000);
    expect(guest.portPending(port)).toBe(false);
    expect(guest.core.pvFireTimers(guest.cpu, 3_000_000)).toBe(Infinity);
    expect(guest.portPending(port)).toBe(true);
  });

  test('one in the past fires at once', () => {
    const port = bindTimer();
    guest.setUpcallMask(1);
    expect(oneShot(1)).toBe(0);
    expect(guest.portPending(port)).toBe(true);
  });

  test('stopping, and set_timer_op as the other way to the same timer', () => {
    const port = bindTimer();
    guest.setUpcallMask(1);
    guest.hypercall(__HYPERVISOR_set_timer_op, 3_000_000);
    expect(guest.core.pvFireTimers(guest.cpu, 2_000_000)).toBe(3_000_000);
    expect(vcpuOp(VCPUOP_stop_singleshot_timer, 0)).toBe(0);
    expect(guest.core.pvFireTimers(guest.cpu, 4_000_000)).toBe(Infinity);
    expect(guest.portPending(port)).toBe(false);
    expect(vcpuOp(VCPUOP_set_singleshot_timer, 1, guest.quads(0, 5, 0))).toBe(-EINVAL);
    expect(vcpuOp(VCPUOP_stop_singleshot_timer, 1)).toBe(-EINVAL);
  });

  test('a periodic one catches up without a burst', () => {
    const port = bindTimer();
    guest.setUpcallMask(1);
    guest.nowNs = 0;
    expect(vcpuOp(VCPUOP_set_periodic_timer, 0, guest.quads(0, 999_999))).toBe(-EINVAL);
    expect(vcpuOp(VCPUOP_set_periodic_timer, 0, guest.quads(0, 10_000_000))).toBe(0);
    expect(guest.core.pvFireTimers(guest.cpu, 35_000_000)).toBe(40_000_000);
    expect(guest.portPending(port)).toBe(true);
    expect(vcpuOp(VCPUOP_stop_periodic_timer, 0)).toBe(0);
    expect(guest.core.pvFireTimers(guest.cpu, 50_000_000)).toBe(Infinity);
  });

  test('a watchdog shuts the domain down when it is not fed', () => {
    guest.nowNs = 0;
    expect(schedOp(SCHEDOP_watchdog, guest.words(0, 0, 2))).toBe(1);
    expect(schedOp(SCHEDOP_watchdog, guest.words(0, 0, 5))).toBe(2);
    expect(schedOp(SCHEDOP_watchdog, guest.words(0, 0, 5))).toBe(-EEXIST);
    expect(schedOp(SCHEDOP_watchdog, guest.words(0, 3, 5))).toBe(-EINVAL);
    guest.nowNs = 1_000_000_000;
    expect(schedOp(SCHEDOP_watchdog, guest.words(0, 1, 10))).toBe(0);
    guest.core.pvFireTimers(guest.cpu, 4_000_000_000);
    expect(guest.view.getUint32(DOMAIN_SHUTDOWN, true)).toBe(0);
    guest.core.pvFireTimers(guest.cpu, 5_000_000_000);
    expect(guest.view.getUint32(DOMAIN_SHUTDOWN, true)).toBe(1 + 4);
  });
});

describe('sleeping', () => {
  let port: number;
  beforeEach(() => {
    guest.hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, guest.words(0, 0, 0));
    port = guest.word(4);
  });
  const send = (): number => guest.hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, guest.words(0, port));
  const ready = (now = guest.nowNs): boolean => guest.core.pvReady(guest.cpu, now) === 1;
  const notifyFromOutside = (): void => {
    const channel = guest.core.pvAllocateUnbound(0);
    guest.core.pvBindToDom0(channel, 1);
    guest.core.pvSendEvent(channel, 1);
  };

  test('block unmasks events and leaves until one is there', () => {
    guest.setUpcallMask(1);
    expect(schedOp(SCHEDOP_block)).toBe(0);
    expect(exitReason()).toBe(EXIT_BLOCK);
    expect(guest.upcallMask()).toBe(0);
    expect(ready()).toBe(false);
    notifyFromOutside();
    expect(ready()).toBe(true);
  });

  test('block with an event pending does not sleep', () => {
    guest.hypercall(30, 0, guest.quads(0x200, 0n, CODE + 0x900n)); // the event callback
    guest.setUpcallMask(1);
    guest.set(VCPU_RSP, STACK_TOP);
    send();
    schedOp(SCHEDOP_block);
    expect(guest.get(VCPU_RIP)).toBe(CODE + 0x900n);
    expect(ready()).toBe(true);
  });

  test('poll waits for its port even while events are masked', () => {
    guest.setUpcallMask(1);
    guest.words(0x300, port);
    const argument = guest.quads(0x340, DATA + 0x300n, 1, 0);
    expect(schedOp(SCHEDOP_poll, argument)).toBe(0);
    expect(exitReason()).toBe(EXIT_BLOCK);
    expect(ready()).toBe(false);
    send();
    expect(ready()).toBe(true);
    expect(schedOp(SCHEDOP_poll, argument)).toBe(0);
    expect(ready()).toBe(true);
  });

  test('poll ends at its time-out', () => {
    guest.setUpcallMask(1);
    guest.words(0x300, port);
    schedOp(SCHEDOP_poll, guest.quads(0x340, DATA + 0x300n, 1, 9_000_000));
    expect(guest.core.pvFireTimers(guest.cpu, 1_000_000)).toBe(9_000_000);
    expect(ready(8_999_999)).toBe(false);
    expect(ready(9_000_000)).toBe(true);
  });

  test.each([
    ['too many ports', () => guest.quads(0x340, DATA, 129, 0), -EINVAL],
    ['a port out of range', () => (guest.words(0x300, 4096), guest.quads(0x340, DATA + 0x300n, 1, 0)), -EINVAL],
    ['ports that cannot be read', () => guest.quads(0x340, 0x7000000000n, 2, 0), -EFAULT],
    ['an argument that cannot be read', () => 0x7000000000n, -EFAULT],
  ])('poll of %s', (_, argument, expected) => {
    guest.setUpcallMask(1);
    expect(schedOp(SCHEDOP_poll, argument())).toBe(expected);
    expect(ready()).toBe(true);
  });

  test('a non-maskable interrupt wakes too', () => {
    guest.setUpcallMask(1);
    guest.setTraps([2, 0, CODE + 0x800n]);
    schedOp(SCHEDOP_block);
    guest.core.pvSendNmi(guest.cpu);
    expect(ready()).toBe(true);
    guest.set(VCPU_RSP, STACK_TOP);
    guest.core.run(guest.cpu, 0);
    expect(guest.get(VCPU_RIP)).toBe(CODE + 0x800n);
    expect(vcpuOp(VCPUOP_send_nmi, 1)).toBe(0);
  });

  test('yield and shutdown leave with their reason', () => {
    expect(schedOp(SCHEDOP_yield)).toBe(0);
    expect(exitReason()).toBe(EXIT_YIELD);
    expect(schedOp(SCHEDOP_shutdown, guest.words(0, 1))).toBe(0);
    expect(exitReason()).toBe(EXIT_SHUTDOWN);
    expect(guest.view.getUint32(guest.cpu + VCPU_EXIT_DETAIL, true)).toBe(1);
    expect(guest.view.getUint32(DOMAIN_SHUTDOWN, true)).toBe(2);
  });

  test('suspend notes the frame of start_info', () => {
    guest.hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, guest.words(0, 2), 0x4711n);
    expect(guest.view.getBigUint64(DOMAIN_SUSPEND_MFN, true)).toBe(0x4711n);
  });

  test.each([
    ['an unknown reason', SCHEDOP_shutdown, () => guest.words(0, 6), -EINVAL],
    ['another domain', SCHEDOP_remote_shutdown, () => 0n, -EPERM],
    ['pinning', SCHEDOP_pin_override, () => 0n, -EPERM],
    ['an unknown command', 8, () => 0n, -ENOSYS],
  ])('%s', (_, command, argument, expected) => {
    expect(schedOp(command, argument())).toBe(expected);
  });
});
