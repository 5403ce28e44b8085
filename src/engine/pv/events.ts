/**
 * Event delivery, 2-level ABI: pending and mask bitmaps in shared_info, a selector word and the upcall flag in the target's
 * vcpu_info. Also runs on dom0's thread, so nothing here needs a vCPU of its own.
 * @see xen/include/public/event_channel.h, "2-level ABI"
 */
import { CONTROL, CONTROL_VCPU_COUNT, REQUEST_EVENT, VCPU_BLOCKS, VCPU_BLOCK_BYTES, VCPU_REQUEST } from '../cpu/layout';
import { ringDoorbell } from '../cpu/rendezvous';
import { hurry } from './processors';
import { EVTCHN_2L_NR_CHANNELS, NR_VIRQS } from '../abi/event-channel';
import {
  SHARED_INFO_evtchn_mask,
  SHARED_INFO_evtchn_pending,
  VCPU_INFO_evtchn_pending_sel,
  VCPU_INFO_evtchn_upcall_pending,
} from '../abi/shared-info';
import {
  CHANNEL_BYTES,
  CHANNEL_FREE,
  CHANNEL_INTERDOMAIN,
  CHANNEL_REMOTE,
  CHANNEL_REMOTE_PORT,
  CHANNEL_STATE,
  CHANNEL_VCPU,
  DOMAIN_CHANNELS,
  DOMAIN_DOORBELL,
  DOMAIN_EVENTS,
  DOMAIN_SHARED_INFO,
  PV_NMI,
  PV_NMI_MASKED,
  PV_NMI_PENDING,
  PV_POLL_PORT,
  PV_VCPU_INFO,
  PV_VIRQ_PORTS,
  PV_WAITING,
  PV_WAITING_POLL,
} from './layout';

export function channelOf(port: u32): usize {
  return DOMAIN_CHANNELS + <usize>port * CHANNEL_BYTES;
}

/** Block of a vCPU, 0 = the domain has no such vCPU. */
export function vcpuBlock(id: u32): usize {
  if (id >= load<u32>(CONTROL, CONTROL_VCPU_COUNT)) return 0;
  return VCPU_BLOCKS + <usize>id * VCPU_BLOCK_BYTES;
}

/** Makes a vCPU look at its events soon, whatever it is doing. */
export function kick(target: usize): void {
  atomic.or<u32>(target, REQUEST_EVENT, VCPU_REQUEST);
  hurry(target);
  ringDoorbell(target);
}

/** Raises the upcall flag; the first to do so wakes the vCPU. */
export function markEventsPending(target: usize): void {
  const vcpuInfo = <usize>load<u32>(target, PV_VCPU_INFO);
  if (atomic.xchg<u8>(vcpuInfo, 1, VCPU_INFO_evtchn_upcall_pending)) return;
  kick(target);
}

/** Sets a local port pending for the vCPU that the channel is bound to. */
export function setPending(port: u32): void {
  const target = vcpuBlock(load<u32>(channelOf(port), CHANNEL_VCPU));
  if (!target || port >= <u32>EVTCHN_2L_NR_CHANNELS) return;
  const shared = <usize>load<u32>(DOMAIN_SHARED_INFO);
  const word = ((<usize>port) >> 6) << 3;
  const bit = (<u64>1) << ((<u64>port) & 63);
  if (atomic.or<u64>(shared + word, bit, SHARED_INFO_evtchn_pending) & bit) return;
  if (!(atomic.load<u64>(shared + word, SHARED_INFO_evtchn_mask) & bit)) select(target, port);
  wakePollers(port);
}

function select(target: usize, port: u32): void {
  const vcpuInfo = <usize>load<u32>(target, PV_VCPU_INFO);
  const bit = (<u64>1) << ((<u64>port) >> 6);
  if (atomic.or<u64>(vcpuInfo, bit, VCPU_INFO_evtchn_pending_sel) & bit) return;
  markEventsPending(target);
}

function wakePollers(port: u32): void {
  const count = load<u32>(CONTROL, CONTROL_VCPU_COUNT);
  for (let n: u32 = 0; n < count; n++) {
    const target: usize = VCPU_BLOCKS + <usize>n * VCPU_BLOCK_BYTES;
    if (atomic.load<u32>(target, PV_WAITING) != PV_WAITING_POLL) continue;
    const polled = load<i32>(target, PV_POLL_PORT);
    if (polled == -1 || polled == <i32>port) ringDoorbell(target);
  }
}

/** Whether the guest's pending bit of a port is set. */
export function isPending(port: u32): bool {
  const shared = <usize>load<u32>(DOMAIN_SHARED_INFO);
  const word = ((<usize>port) >> 6) << 3;
  return ((atomic.load<u64>(shared + word, SHARED_INFO_evtchn_pending) >> ((<u64>port) & 63)) & 1) != 0;
}

export function clearPending(port: u32): void {
  const shared = <usize>load<u32>(DOMAIN_SHARED_INFO);
  atomic.and<u64>(shared + (((<usize>port) >> 6) << 3), ~((<u64>1) << ((<u64>port) & 63)), SHARED_INFO_evtchn_pending);
}

/** Clears the mask bit and delivers what became pending meanwhile. */
export function unmask(port: u32): void {
  const shared = <usize>load<u32>(DOMAIN_SHARED_INFO);
  const word = ((<usize>port) >> 6) << 3;
  const bit = (<u64>1) << ((<u64>port) & 63);
  const masked = (atomic.and<u64>(shared + word, ~bit, SHARED_INFO_evtchn_mask) & bit) != 0;
  if (!masked || !isPending(port)) return;
  const target = vcpuBlock(load<u32>(channelOf(port), CHANNEL_VCPU));
  if (target) select(target, port);
}

/** Raises a virtual interrupt of a vCPU, if the guest has bound it. */
export function raiseVirtualInterrupt(target: usize, virq: u32): void {
  if (virq >= <u32>NR_VIRQS) return;
  const port = <u32>load<u16>(target + PV_VIRQ_PORTS + ((<usize>virq) << 1));
  if (port) setPending(port);
}

/** Pends a non-maskable interrupt. */
export function raiseNmi(target: usize): void {
  const before = atomic.or<u32>(target, PV_NMI_PENDING, PV_NMI);
  if (!(before & PV_NMI_MASKED)) kick(target);
}

/** Tells dom0 that the guest notified `port`; false = it has yet to look at the one before. */
export function notifyDom0(port: u32): bool {
  const bit = (<u64>1) << ((<u64>port) & 63);
  if (atomic.or<u64>(DOMAIN_EVENTS + (((<usize>port) >> 6) << 3), bit) & bit) return false;
  ringDom0();
  return true;
}

export function ringDom0(): void {
  atomic.add<u32>(DOMAIN_DOORBELL, 1);
  atomic.notify(DOMAIN_DOORBELL, -1);
}

/**
 * Notification from domain 0 over binding `binding` of the guest's `port`: 1 delivered, 0 when the guest has closed or reused
 * the port.
 */
export function pvSendEvent(port: u32, binding: u32): i32 {
  if (port >= <u32>EVTCHN_2L_NR_CHANNELS) return 0;
  const channel = channelOf(port);
  if (atomic.load<u32>(channel, CHANNEL_STATE) != CHANNEL_INTERDOMAIN) return 0;
  if (load<u32>(channel, CHANNEL_REMOTE) != 0 || load<u32>(channel, CHANNEL_REMOTE_PORT) != binding) return 0;
  setPending(port);
  return 1;
}

/** Gives a channel back; its pending bit goes with it. Under the event lock. */
export function freeChannel(port: u32): void {
  const channel = channelOf(port);
  atomic.store<u32>(channel, CHANNEL_FREE, CHANNEL_STATE);
  store<u32>(channel, 0, CHANNEL_VCPU);
  store<u32>(channel, 0, CHANNEL_REMOTE);
  store<u32>(channel, 0, CHANNEL_REMOTE_PORT);
  clearPending(port);
}
