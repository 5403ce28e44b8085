import { beforeEach, describe, expect, test } from 'vitest';
import {
  EVTCHNOP_alloc_unbound,
  EVTCHNOP_bind_interdomain,
  EVTCHNOP_bind_ipi,
  EVTCHNOP_bind_pirq,
  EVTCHNOP_bind_vcpu,
  EVTCHNOP_bind_virq,
  EVTCHNOP_close,
  EVTCHNOP_expand_array,
  EVTCHNOP_init_control,
  EVTCHNOP_reset,
  EVTCHNOP_send,
  EVTCHNOP_status,
  EVTCHNOP_unmask,
  EVTCHNSTAT_closed,
  EVTCHNSTAT_interdomain,
  EVTCHNSTAT_ipi,
  EVTCHNSTAT_unbound,
  EVTCHNSTAT_virq,
  VIRQ_CONSOLE,
  VIRQ_TIMER,
} from '../abi/event-channel.ts';
import { EEXIST, EFAULT, EINVAL, ENOENT, ENOSYS, EPERM, ESRCH } from '../abi/errno.ts';
import { __HYPERVISOR_event_channel_op } from '../abi/hypercall.ts';
import { DOMID_SELF } from '../abi/domid.ts';
import { REQUEST_EVENT, VCPU_DOORBELL, VCPU_REQUEST } from '../cpu/layout.ts';
import { DOMAIN_DOORBELL, DOMAIN_EVENTS } from '../pv/layout.ts';
import { DomainChannels } from './channels.ts';
import { vcpuBlockOf } from './domain-memory.ts';
import { DOMID, PvGuest } from './testing/pv-guest.ts';

let guest: PvGuest;

beforeEach(() => {
  guest = new PvGuest();
});

const op = (command: number, ...words: number[]): number =>
  guest.hypercall(__HYPERVISOR_event_channel_op, command, guest.words(0, ...words));
const dom = (domid: number, remote = 0): number => (remote << 16) | domid;

const bindIpi = (vcpu: number): number => {
  expect(op(EVTCHNOP_bind_ipi, vcpu, 0)).toBe(0);
  return guest.word(4);
};
const allocateUnbound = (remote: number): number => {
  expect(op(EVTCHNOP_alloc_unbound, dom(DOMID_SELF, remote), 0)).toBe(0);
  return guest.word(4);
};
const bindVirq = (virq: number, vcpu: number): number => {
  expect(op(EVTCHNOP_bind_virq, virq, vcpu, 0)).toBe(0);
  return guest.word(8);
};
const status = (port: number): { status: number; vcpu: number; low: number; high: number } => {
  expect(op(EVTCHNOP_status, dom(DOMID_SELF), port, 0, 0, 0, 0)).toBe(0);
  return { status: guest.word(8), vcpu: guest.word(12), low: guest.word(16), high: guest.word(20) };
};

test('ports are given out from 1 up, closed ones first', () => {
  expect([bindIpi(0), bindIpi(1), allocateUnbound(0), bindVirq(VIRQ_TIMER, 0)]).toEqual([1, 2, 3, 4]);
  expect(op(EVTCHNOP_close, 2)).toBe(0);
  expect(bindIpi(0)).toBe(2);
});

describe('refusals', () => {
  const cases: readonly [string, () => number, number][] = [
    ['a channel for another domain', () => op(EVTCHNOP_alloc_unbound, dom(3, 0), 0), -EPERM],
    ['an IPI to a vCPU that is not there', () => op(EVTCHNOP_bind_ipi, 2, 0), -ENOENT],
    ['a virtual interrupt for a vCPU that is not there', () => op(EVTCHNOP_bind_virq, VIRQ_TIMER, 9, 0), -ENOENT],
    ['a virtual interrupt that does not exist', () => op(EVTCHNOP_bind_virq, 24, 0, 0), -EINVAL],
    ['a global virtual interrupt on vCPU 1', () => op(EVTCHNOP_bind_virq, VIRQ_CONSOLE, 1, 0), -EINVAL],
    ['a physical interrupt', () => op(EVTCHNOP_bind_pirq, 1, 0, 0), -EINVAL],
    ['closing port 0', () => op(EVTCHNOP_close, 0), -EINVAL],
    ['closing a free port', () => op(EVTCHNOP_close, 5), -EINVAL],
    ['closing a port out of range', () => op(EVTCHNOP_close, 4096), -EINVAL],
    ['sending on a free port', () => op(EVTCHNOP_send, 5), -EINVAL],
    ['sending on a port out of range', () => op(EVTCHNOP_send, 0x7fffffff), -EINVAL],
    ['unmasking a free port', () => op(EVTCHNOP_unmask, 5), -EINVAL],
    ['binding to a domain that is not there', () => op(EVTCHNOP_bind_interdomain, dom(3), 1, 0), -ESRCH],
    ['binding to a free port', () => op(EVTCHNOP_bind_interdomain, dom(DOMID_SELF), 5, 0), -EINVAL],
    ['the status of a port out of range', () => op(EVTCHNOP_status, dom(DOMID_SELF), 4096, 0, 0, 0, 0), -EINVAL],
    ['the status of another domain', () => op(EVTCHNOP_status, dom(3), 1, 0, 0, 0, 0), -EPERM],
    ['the FIFO interface', () => op(EVTCHNOP_init_control, 0, 0, 0, 0, 0, 0), -ENOSYS],
    ['the FIFO array', () => op(EVTCHNOP_expand_array, 0, 0), -ENOSYS],
    ['an argument that is not mapped', () => guest.hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, 0x7000000000), -EFAULT],
  ];
  test.each(cases)('%s', (_, act, expected) => {
    expect(act()).toBe(expected);
  });

  test('a virtual interrupt is bound once a vCPU', () => {
    bindVirq(VIRQ_TIMER, 0);
    expect(op(EVTCHNOP_bind_virq, VIRQ_TIMER, 0, 0)).toBe(-EEXIST);
    bindVirq(VIRQ_TIMER, 1);
  });

  test('sending on a virtual interrupt', () => {
    expect(op(EVTCHNOP_send, bindVirq(VIRQ_TIMER, 0))).toBe(-EINVAL);
  });

  test.each([
    ['an IPI', () => bindIpi(0), -EINVAL],
    ['a timer', () => bindVirq(VIRQ_TIMER, 0), -EINVAL],
    ['a global virtual interrupt', () => bindVirq(VIRQ_CONSOLE, 0), 0],
    ['an unbound channel', () => allocateUnbound(0), 0],
  ] as const)('moving %s to vCPU 1', (_, make, expected) => {
    const port = make();
    expect(op(EVTCHNOP_bind_vcpu, port, 1)).toBe(expected);
    expect(status(port).vcpu).toBe(expected === 0 ? 1 : 0);
    expect(op(EVTCHNOP_bind_vcpu, port, 7)).toBe(-ENOENT);
  });
});

describe('delivery', () => {
  test('an IPI sets the pending bit, the selector and the upcall flag of its vCPU and wakes it', () => {
    const port = bindIpi(1);
    const target = vcpuBlockOf(1);
    const doorbell = guest.view.getUint32(target + VCPU_DOORBELL, true);
    expect(op(EVTCHNOP_send, port)).toBe(0);
    expect(guest.portPending(port)).toBe(true);
    expect(guest.view.getUint8(guest.vcpuInfo(1))).toBe(1);
    expect(guest.view.getBigUint64(guest.vcpuInfo(1) + 8, true)).toBe(1n);
    expect(guest.view.getUint32(target + VCPU_DOORBELL, true)).toBe(doorbell + 1);
    expect(guest.view.getUint32(target + VCPU_REQUEST, true) & REQUEST_EVENT).toBe(REQUEST_EVENT);
    expect(guest.view.getUint8(guest.vcpuInfo(0))).toBe(0);
  });

  test('a masked port stays with its pending bit until it is unmasked', () => {
    const port = bindIpi(1);
    guest.setPortMask(port, true);
    expect(op(EVTCHNOP_send, port)).toBe(0);
    expect(guest.portPending(port)).toBe(true);
    expect(guest.view.getUint8(guest.vcpuInfo(1))).toBe(0);
    expect(op(EVTCHNOP_unmask, port)).toBe(0);
    expect(guest.view.getUint8(guest.vcpuInfo(1))).toBe(1);
    expect(guest.view.getBigUint64(guest.vcpuInfo(1) + 8, true)).toBe(1n);
  });

  test('a port that is pending already is not delivered again', () => {
    const port = bindIpi(1);
    op(EVTCHNOP_send, port);
    guest.view.setUint8(guest.vcpuInfo(1), 0);
    op(EVTCHNOP_send, port);
    expect(guest.view.getUint8(guest.vcpuInfo(1))).toBe(0);
  });

  test('ports of higher words set their own selector bit', () => {
    for (let n = 1; n < 130; n += 1) bindIpi(1);
    op(EVTCHNOP_send, 129);
    expect(guest.view.getBigUint64(guest.vcpuInfo(1) + 8, true)).toBe(1n << 2n);
  });

  test('a loop-back pair notifies both ways, and starts with an event on the new port', () => {
    const near = allocateUnbound(DOMID_SELF);
    expect(op(EVTCHNOP_bind_interdomain, dom(DOMID_SELF), near, 0)).toBe(0);
    const far = guest.word(8);
    expect(guest.portPending(far)).toBe(true);
    expect(status(near)).toEqual({ status: EVTCHNSTAT_interdomain, vcpu: 0, low: DOMID, high: far });
    op(EVTCHNOP_send, far);
    expect(guest.portPending(near)).toBe(true);
    op(EVTCHNOP_close, far);
    expect(status(near)).toMatchObject({ status: EVTCHNSTAT_unbound, low: DOMID });
    expect(status(far).status).toBe(EVTCHNSTAT_closed);
  });

  test('closing takes the pending bit along', () => {
    const port = bindIpi(0);
    guest.setUpcallMask(1);
    op(EVTCHNOP_send, port);
    op(EVTCHNOP_close, port);
    expect(guest.portPending(port)).toBe(false);
  });
});

test('status names each kind', () => {
  expect(status(bindIpi(1))).toMatchObject({ status: EVTCHNSTAT_ipi, vcpu: 1 });
  expect(status(bindVirq(VIRQ_TIMER, 1))).toMatchObject({ status: EVTCHNSTAT_virq, vcpu: 1, low: VIRQ_TIMER });
  expect(status(allocateUnbound(5))).toMatchObject({ status: EVTCHNSTAT_unbound, low: 5 });
  expect(status(4)).toMatchObject({ status: EVTCHNSTAT_closed });
});

test('reset closes everything, and virtual interrupts can be bound anew', () => {
  bindVirq(VIRQ_TIMER, 0);
  bindIpi(1);
  expect(op(EVTCHNOP_reset, dom(DOMID_SELF))).toBe(0);
  expect(bindVirq(VIRQ_TIMER, 0)).toBe(1);
});

describe('with domain 0', () => {
  let channels: DomainChannels;
  beforeEach(() => {
    channels = new DomainChannels(guest.core, guest.memory, DOMID);
  });

  test('a binding notifies the guest and hears from it', () => {
    const port = channels.allocateUnbound();
    const binding = channels.bind(port);
    binding.notify();
    expect(guest.portPending(port)).toBe(true);
    let heard = 0;
    binding.onNotify(() => {
      heard += 1;
    });
    const doorbell = guest.view.getUint32(DOMAIN_DOORBELL, true);
    op(EVTCHNOP_send, port);
    op(EVTCHNOP_send, port);
    expect(guest.view.getUint32(DOMAIN_DOORBELL, true)).toBe(doorbell + 1);
    channels.dispatch();
    expect(heard).toBe(1);
    channels.dispatch();
    expect(heard).toBe(1);
  });

  test('a port bound once is not bound again', () => {
    const port = channels.allocateUnbound();
    channels.bind(port);
    expect(() => channels.bind(port)).toThrow(/does not wait/);
  });

  test.each([0, -1, 1.5, 4096, 77])('port %s cannot be bound', (port) => {
    expect(() => channels.bind(port)).toThrow(/does not wait/);
  });

  test('a port that waits for another domain cannot be bound', () => {
    const port = allocateUnbound(3);
    expect(() => channels.bind(port)).toThrow(/does not wait/);
  });

  test('a binding to a port that the guest has closed and reused does not reach the new owner', () => {
    const port = channels.allocateUnbound();
    const binding = channels.bind(port);
    op(EVTCHNOP_close, port);
    expect(bindIpi(0)).toBe(port);
    binding.notify();
    expect(guest.portPending(port)).toBe(false);
  });

  test('closing a binding makes the port wait again', () => {
    const port = channels.allocateUnbound();
    channels.bind(port).close();
    expect(status(port)).toMatchObject({ status: EVTCHNSTAT_unbound, low: 0 });
    channels.bind(port);
  });

  test('bits of ports that nobody has bound are swallowed', () => {
    guest.view.setBigUint64(DOMAIN_EVENTS + 8, ~0n & 0xffffffffffffffffn, true);
    channels.dispatch();
    expect(guest.view.getBigUint64(DOMAIN_EVENTS + 8, true)).toBe(0n);
  });
});
