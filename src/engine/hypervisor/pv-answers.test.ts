/** Which guests wait for domain 0 after they have notified it: pv/answers.ts, and how they wait. */
import { beforeEach, describe, expect, test } from 'vitest';
import { CALLBACKOP_register, CALLBACKTYPE_event } from '../abi/callback.ts';
import { EVTCHNOP_bind_vcpu, EVTCHNOP_send } from '../abi/event-channel.ts';
import {
  __HYPERVISOR_callback_op,
  __HYPERVISOR_event_channel_op,
  __HYPERVISOR_iret,
  __HYPERVISOR_mmuext_op,
  __HYPERVISOR_sched_op,
  __HYPERVISOR_stack_switch,
} from '../abi/hypercall.ts';
import { MMUEXT_NEW_USER_BASEPTR } from '../abi/mmu.ts';
import { RUNSTATE_runnable, RUNSTATE_running, SCHEDOP_block } from '../abi/sched.ts';
import { VCPU_INFO_evtchn_pending_sel, VCPU_INFO_evtchn_upcall_pending } from '../abi/shared-info.ts';
import { EXIT_ANSWER, VCPU_DOORBELL, VCPU_EXIT_REASON, VCPU_RAX, VCPU_RDI, VCPU_RIP, VCPU_RSI, VCPU_RSP } from '../cpu/layout.ts';
import { PV_ANSWER_PORT, PV_ANSWER_TRUST, PV_RUNSTATE } from '../pv/layout.ts';
import { DomainChannels, type ChannelBinding } from './channels.ts';
import { CODE, DATA, DOMID, PvGuest, STACK_TOP, USER_CODE, USER_STACK_TOP } from './testing/pv-guest.ts';
import { VcpuRunner } from './vcpu-runner.ts';

const EVENT = CODE + 0x900n;
const SPIN = [0xeb, 0xfe];
const IF = 0x200n;

let guest: PvGuest;
let channels: DomainChannels;
let disk: ChannelBinding;
let other: ChannelBinding;

beforeEach(() => {
  guest = new PvGuest();
  guest.code(SPIN, 0x900);
  guest.userCode(SPIN);
  guest.hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, guest.quads(0x200, BigInt(CALLBACKTYPE_event), EVENT));
  guest.hypercall(__HYPERVISOR_mmuext_op, guest.quads(0, MMUEXT_NEW_USER_BASEPTR, guest.userRoot, 0), 1, 0, 0x7ff0);
  guest.setUpcallMask(1);
  channels = new DomainChannels(guest.core, guest.memory, DOMID);
  disk = channels.bind(channels.allocateUnbound());
  other = channels.bind(channels.allocateUnbound());
});

/** Notifies domain 0, which looks at it; whether the vCPU is to wait for the answer. */
function notify({ port } = disk): boolean {
  guest.set(VCPU_RSP, STACK_TOP);
  guest.view.setUint32(guest.cpu + VCPU_EXIT_REASON, 0, true);
  expect(guest.hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, guest.words(0, port))).toBe(0);
  channels.dispatch();
  return guest.view.getUint32(guest.cpu + VCPU_EXIT_REASON, true) === EXIT_ANSWER;
}

const switchTask = (): void => {
  expect(guest.hypercall(__HYPERVISOR_stack_switch, 0xe02b, STACK_TOP)).toBe(0);
};

const sleep = (): void => {
  expect(guest.hypercall(__HYPERVISOR_sched_op, SCHEDOP_block)).toBe(0);
};

function goOnInUserCode(): void {
  guest.quads(0x400, 0, 0, 0, 0, USER_CODE, 0xe033, IF, USER_STACK_TOP, 0xe02b);
  guest.set(VCPU_RSP, DATA + 0x400n);
  guest.set(VCPU_RAX, __HYPERVISOR_iret);
  guest.execute([0x0f, 0x05]);
  expect(guest.userMode).toBe(true);
}

/** The answer comes, is delivered, and its handler has run. */
function takeAnswer({ port } = disk): void {
  (port === disk.port ? disk : other).notify();
  guest.setUpcallMask(0);
  guest.core.run(guest.cpu, 1);
  expect(guest.get(VCPU_RIP)).toBe(EVENT);
  guest.clearPort(port);
  guest.view.setUint8(guest.vcpuInfo() + VCPU_INFO_evtchn_upcall_pending, 0);
  guest.view.setBigUint64(guest.vcpuInfo() + VCPU_INFO_evtchn_pending_sel, 0n, true);
  guest.setUpcallMask(1);
}

/** Has the guest wait often enough to be waited with. */
function learn(): void {
  for (let times = 0; times < 4; times += 1) {
    expect(notify()).toBe(false);
    switchTask();
    takeAnswer();
  }
}

/** What a vCPU that was to wait does then. */
function awaitAnswer(comes: boolean): void {
  if (comes) disk.notify();
  guest.core.pvAnswerAwaited(guest.cpu);
  if (comes) takeAnswer();
}

describe('a guest that waits for answers', () => {
  test.each([
    ['switches to another task', switchTask],
    ['goes to sleep', sleep],
  ])('is known by four times in which it %s and nothing else', (_, rest) => {
    for (let times = 0; times < 4; times += 1) {
      expect(notify()).toBe(false);
      rest();
      takeAnswer();
    }
    expect(notify()).toBe(true);
  });

  test('is looked at again now and then', () => {
    learn();
    const waited = Array.from({ length: 32 }, () => {
      const waits = notify();
      if (waits) awaitAnswer(true);
      else {
        switchTask();
        takeAnswer();
      }
      return waits;
    });
    expect(waited.filter((waits) => !waits)).toHaveLength(2);
  });

  test.each([
    ['goes on in user code', () => (goOnInUserCode(), takeAnswer())],
    ['switches to a task that does', () => (switchTask(), goOnInUserCode(), takeAnswer())],
    ['notifies again', () => notify()],
  ])('is none any more when it is looked at and %s', (_, act) => {
    learn();
    while (notify()) awaitAnswer(true);
    act();
    expect(notify()).toBe(false);
  });

  test('is none when nothing came in the time', () => {
    learn();
    expect(notify()).toBe(true);
    awaitAnswer(false);
    expect(notify()).toBe(false);
  });

  test('is not waited with for other answers', () => {
    learn();
    expect(notify(other)).toBe(false);
    expect(notify(other)).toBe(false);
  });

  test('is not waited with for answers that another vCPU gets', () => {
    expect(guest.hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, guest.words(0, disk.port, 1))).toBe(0);
    for (let times = 0; times < 10; times += 1) {
      expect(notify()).toBe(false);
      switchTask();
      takeAnswer(other);
    }
  });

  test('is not one because it was answered before it got anywhere', () => {
    for (let times = 0; times < 10; times += 1) {
      expect(notify()).toBe(false);
      takeAnswer();
    }
  });

  test('is not one because of events that it did not ask for', () => {
    for (let times = 0; times < 10; times += 1) {
      switchTask();
      takeAnswer();
    }
    expect(notify()).toBe(false);
  });
});

describe('the runner', () => {
  const state = (): number => guest.view.getUint32(guest.cpu + PV_RUNSTATE, true);
  let runner: VcpuRunner;

  /** At a notification for which the guest is known to wait. */
  beforeEach(() => {
    guest.view.setUint32(guest.cpu + PV_ANSWER_PORT, disk.port, true);
    guest.view.setInt32(guest.cpu + PV_ANSWER_TRUST, 5, true);
    guest.code([0x0f, 0x05, ...SPIN]);
    guest.set(VCPU_RAX, __HYPERVISOR_event_channel_op);
    guest.set(VCPU_RDI, EVTCHNOP_send);
    guest.set(VCPU_RSI, guest.words(0, disk.port));
    guest.set(VCPU_RSP, STACK_TOP);
    guest.set(VCPU_RIP, CODE);
    guest.setUpcallMask(0);
    runner = new VcpuRunner(guest.core, guest.memory, 0, { nowNs: () => guest.nowNs });
  });

  test('waits 200 µs at most, for the doorbell, and the domain is charged nothing', () => {
    const index = (guest.cpu + VCPU_DOORBELL) / 4;
    const value = guest.view.getInt32(guest.cpu + VCPU_DOORBELL, true);
    expect(runner.step(10)).toEqual({ kind: 'wait', index, value, deadlineNs: guest.nowNs + 200_000 });
    expect(state()).toBe(RUNSTATE_runnable);
    expect(guest.get(VCPU_RIP)).toBe(CODE + 2n);
  });

  test('goes on with the answer', () => {
    runner.step(10);
    disk.notify();
    expect(runner.step(10)).toEqual({ kind: 'ran' });
    expect(guest.get(VCPU_RIP)).toBe(EVENT);
    expect(state()).toBe(RUNSTATE_running);
    expect(guest.view.getInt32(guest.cpu + PV_ANSWER_TRUST, true)).toBe(6);
  });

  test('goes on without one, and remembers', () => {
    runner.step(10);
    expect(runner.step(10)).toEqual({ kind: 'ran' });
    expect(guest.get(VCPU_RIP)).toBe(CODE + 2n);
    expect(guest.view.getInt32(guest.cpu + PV_ANSWER_TRUST, true)).toBe(1);
  });
});
