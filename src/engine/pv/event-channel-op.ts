/**
 * event_channel_op. Channels end in the same domain (loop-back, IPI), at the hypervisor (virtual interrupts) or at domain 0,
 * which binds and notifies through the exports at the end; its authority is checked on its own side.
 * @xen full HYPERVISOR_event_channel_op/EVTCHNOP_alloc_unbound
 * @xen partial HYPERVISOR_event_channel_op/EVTCHNOP_bind_interdomain "only to ports of the same domain"
 * @xen refused HYPERVISOR_event_channel_op/EVTCHNOP_init_control "-ENOSYS: the 2-level ABI only"
 */
import { copyFromGuest, copyToGuest } from '../cpu/memory';
import { EEXIST, EFAULT, EINVAL, ENOENT, ENOSPC, ENOSYS, EPERM, ESRCH } from '../abi/errno';
import { DOMID_SELF } from '../abi/domid';
import {
  EVTCHNOP_alloc_unbound,
  EVTCHNOP_bind_interdomain,
  EVTCHNOP_bind_ipi,
  EVTCHNOP_bind_pirq,
  EVTCHNOP_bind_vcpu,
  EVTCHNOP_bind_virq,
  EVTCHNOP_close,
  EVTCHNOP_reset,
  EVTCHNOP_send,
  EVTCHNOP_status,
  EVTCHNOP_unmask,
  EVTCHNSTAT_closed,
  EVTCHNSTAT_interdomain,
  EVTCHNSTAT_ipi,
  EVTCHNSTAT_unbound,
  EVTCHNSTAT_virq,
  EVTCHN_2L_NR_CHANNELS,
  NR_VIRQS,
  VIRQ_DEBUG,
  VIRQ_TIMER,
  VIRQ_XENOPROF,
  VIRQ_XENPMU,
} from '../abi/event-channel';
import {
  CHANNEL_FREE,
  CHANNEL_INTERDOMAIN,
  CHANNEL_IPI,
  CHANNEL_REMOTE,
  CHANNEL_REMOTE_PORT,
  CHANNEL_STATE,
  CHANNEL_UNBOUND,
  CHANNEL_VCPU,
  CHANNEL_VIRQ,
  DOMAIN_EVENT_LOCK,
  DOMAIN_ID,
  PV_SCRATCH,
  PV_VIRQ_PORTS,
} from './layout';
import { acquire, release } from './lock';
import { expectAnswer } from './answers';
import { channelOf, freeChannel, notifyDom0, setPending, unmask, vcpuBlock } from './events';
import { isSelf } from './page-table';

/** (command, argument) */
export function eventChannelOp(cpu: usize, command: u32, argument: u64): i64 {
  const bytes = argumentBytes(command);
  if (!bytes) return -ENOSYS;
  const scratch = cpu + PV_SCRATCH;
  if (!copyFromGuest(cpu, scratch, argument, bytes)) return -EFAULT;
  if (command == EVTCHNOP_send) return send(cpu, load<u32>(scratch));
  acquire(cpu, DOMAIN_EVENT_LOCK);
  const outcome = locked(cpu, command, scratch);
  release(DOMAIN_EVENT_LOCK);
  if (outcome) return outcome;
  return copyToGuest(cpu, argument, scratch, bytes) ? 0 : -EFAULT;
}

function argumentBytes(command: u32): u32 {
  switch (command) {
    case EVTCHNOP_bind_interdomain:
    case EVTCHNOP_bind_virq:
      return 12;
    case EVTCHNOP_bind_pirq:
      return 12;
    case EVTCHNOP_close:
    case EVTCHNOP_send:
    case EVTCHNOP_unmask:
      return 4;
    case EVTCHNOP_status:
      return 24;
    case EVTCHNOP_alloc_unbound:
    case EVTCHNOP_bind_ipi:
    case EVTCHNOP_bind_vcpu:
      return 8;
    case EVTCHNOP_reset:
      return 2;
  }
  return 0;
}

function locked(cpu: usize, command: u32, argument: usize): i32 {
  switch (command) {
    case EVTCHNOP_alloc_unbound: {
      if (!isSelf(load<u16>(argument))) return -EPERM;
      const remote = <u32>load<u16>(argument, 2);
      const port = allocate(CHANNEL_UNBOUND, 0, remote == DOMID_SELF ? load<u32>(DOMAIN_ID) : remote, 0);
      if (!port) return -ENOSPC;
      store<u32>(argument, port, 4);
      return 0;
    }
    case EVTCHNOP_bind_interdomain:
      return bindInterdomain(argument);
    case EVTCHNOP_bind_virq:
      return bindVirq(argument);
    case EVTCHNOP_bind_ipi: {
      const vcpu = load<u32>(argument);
      if (!vcpuBlock(vcpu)) return -ENOENT;
      const port = allocate(CHANNEL_IPI, vcpu, 0, 0);
      if (!port) return -ENOSPC;
      store<u32>(argument, port, 4);
      return 0;
    }
    case EVTCHNOP_bind_pirq:
      // There are no physical interrupts to bind.
      return -EINVAL;
    case EVTCHNOP_close:
      return close(load<u32>(argument));
    case EVTCHNOP_status:
      return status(argument);
    case EVTCHNOP_bind_vcpu:
      return bindVcpu(load<u32>(argument), load<u32>(argument, 4));
    case EVTCHNOP_unmask: {
      const port = load<u32>(argument);
      if (!isOpen(port)) return -EINVAL;
      unmask(port);
      return 0;
    }
    case EVTCHNOP_reset:
      if (!isSelf(load<u16>(argument))) return -EPERM;
      pvResetChannels();
      return 0;
  }
  return -ENOSYS;
}

function isOpen(port: u32): bool {
  return port != 0 && port < <u32>EVTCHN_2L_NR_CHANNELS && load<u32>(channelOf(port), CHANNEL_STATE) != CHANNEL_FREE;
}

/** Lowest free port in the given state, 0 = none left. */
function allocate(state: u32, vcpu: u32, remote: u32, remotePort: u32): u32 {
  for (let port: u32 = 1; port < <u32>EVTCHN_2L_NR_CHANNELS; port++) {
    const channel = channelOf(port);
    if (load<u32>(channel, CHANNEL_STATE) != CHANNEL_FREE) continue;
    store<u32>(channel, vcpu, CHANNEL_VCPU);
    store<u32>(channel, remote, CHANNEL_REMOTE);
    store<u32>(channel, remotePort, CHANNEL_REMOTE_PORT);
    atomic.store<u32>(channel, state, CHANNEL_STATE);
    return port;
  }
  return 0;
}

/** Within the domain: the remote port must wait for this domain. A new channel starts with an event pending, as on real Xen. */
function bindInterdomain(argument: usize): i32 {
  const remote = <u32>load<u16>(argument);
  if (!isSelf(remote)) return -ESRCH;
  const remotePort = load<u32>(argument, 4);
  if (!isOpen(remotePort)) return -EINVAL;
  const other = channelOf(remotePort);
  const self = load<u32>(DOMAIN_ID);
  if (load<u32>(other, CHANNEL_STATE) != CHANNEL_UNBOUND || load<u32>(other, CHANNEL_REMOTE) != self) return -EINVAL;
  const port = allocate(CHANNEL_INTERDOMAIN, 0, self, remotePort);
  if (!port) return -ENOSPC;
  store<u32>(other, port, CHANNEL_REMOTE_PORT);
  atomic.store<u32>(other, CHANNEL_INTERDOMAIN, CHANNEL_STATE);
  setPending(port);
  store<u32>(argument, port, 8);
  return 0;
}

function isPerVcpu(virq: u32): bool {
  return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

function bindVirq(argument: usize): i32 {
  const virq = load<u32>(argument);
  const vcpu = load<u32>(argument, 4);
  if (virq >= <u32>NR_VIRQS) return -EINVAL;
  if (!isPerVcpu(virq) && vcpu != 0) return -EINVAL;
  const target = vcpuBlock(vcpu);
  if (!target) return -ENOENT;
  const slot = target + PV_VIRQ_PORTS + ((<usize>virq) << 1);
  if (load<u16>(slot)) return -EEXIST;
  const port = allocate(CHANNEL_VIRQ, vcpu, virq, 0);
  if (!port) return -ENOSPC;
  store<u16>(slot, <u16>port);
  store<u32>(argument, port, 8);
  return 0;
}

function close(port: u32): i32 {
  if (!isOpen(port)) return -EINVAL;
  const channel = channelOf(port);
  const state = load<u32>(channel, CHANNEL_STATE);
  if (state == CHANNEL_VIRQ) {
    const virq = load<u32>(channel, CHANNEL_REMOTE);
    for (let n: u32 = 0; ; n++) {
      const target = vcpuBlock(n);
      if (!target) break;
      const slot = target + PV_VIRQ_PORTS + ((<usize>virq) << 1);
      if (<u32>load<u16>(slot) == port) store<u16>(slot, 0);
    }
  } else if (state == CHANNEL_INTERDOMAIN && load<u32>(channel, CHANNEL_REMOTE) == load<u32>(DOMAIN_ID)) {
    // The other end waits for a partner again.
    const other = channelOf(load<u32>(channel, CHANNEL_REMOTE_PORT));
    atomic.store<u32>(other, CHANNEL_UNBOUND, CHANNEL_STATE);
    store<u32>(other, 0, CHANNEL_REMOTE_PORT);
  }
  freeChannel(port);
  return 0;
}

function send(cpu: usize, port: u32): i32 {
  if (!isOpen(port)) return -EINVAL;
  const channel = channelOf(port);
  switch (load<u32>(channel, CHANNEL_STATE)) {
    case CHANNEL_INTERDOMAIN:
      if (load<u32>(channel, CHANNEL_REMOTE) == load<u32>(DOMAIN_ID)) setPending(load<u32>(channel, CHANNEL_REMOTE_PORT));
      else if (notifyDom0(port)) expectAnswer(cpu, port);
      return 0;
    case CHANNEL_IPI:
      setPending(port);
      return 0;
    case CHANNEL_UNBOUND:
      // Nobody listens yet.
      return 0;
  }
  return -EINVAL;
}

/** evtchn_status: u16 dom, u32 port at 4; out: u32 status at 8, u32 vcpu at 12, union at 16. */
function status(argument: usize): i32 {
  if (!isSelf(load<u16>(argument))) return -EPERM;
  const port = load<u32>(argument, 4);
  if (port >= <u32>EVTCHN_2L_NR_CHANNELS) return -EINVAL;
  const channel = channelOf(port);
  let shown: u32 = EVTCHNSTAT_closed;
  switch (load<u32>(channel, CHANNEL_STATE)) {
    case CHANNEL_UNBOUND:
      shown = EVTCHNSTAT_unbound;
      store<u16>(argument, <u16>load<u32>(channel, CHANNEL_REMOTE), 16);
      break;
    case CHANNEL_INTERDOMAIN:
      shown = EVTCHNSTAT_interdomain;
      store<u16>(argument, <u16>load<u32>(channel, CHANNEL_REMOTE), 16);
      store<u32>(argument, load<u32>(channel, CHANNEL_REMOTE_PORT), 20);
      break;
    case CHANNEL_VIRQ:
      shown = EVTCHNSTAT_virq;
      store<u32>(argument, load<u32>(channel, CHANNEL_REMOTE), 16);
      break;
    case CHANNEL_IPI:
      shown = EVTCHNSTAT_ipi;
      break;
  }
  store<u32>(argument, shown, 8);
  store<u32>(argument, load<u32>(channel, CHANNEL_VCPU), 12);
  return 0;
}

function bindVcpu(port: u32, vcpu: u32): i32 {
  if (!vcpuBlock(vcpu)) return -ENOENT;
  if (!isOpen(port)) return -EINVAL;
  const channel = channelOf(port);
  const state = load<u32>(channel, CHANNEL_STATE);
  const movable =
    state == CHANNEL_UNBOUND ||
    state == CHANNEL_INTERDOMAIN ||
    (state == CHANNEL_VIRQ && !isPerVcpu(load<u32>(channel, CHANNEL_REMOTE)));
  if (!movable) return -EINVAL;
  store<u32>(channel, vcpu, CHANNEL_VCPU);
  return 0;
}

/** Closes every channel (EVTCHNOP_reset; also when a domain is restored). */
export function pvResetChannels(): void {
  for (let port: u32 = 1; port < <u32>EVTCHN_2L_NR_CHANNELS; port++) {
    if (isOpen(port)) close(port);
  }
}

/** Domain 0's side. All take the event lock on dom0's thread. */

/** New port of the guest that waits for domain `remote` to bind it; 0 = none left. */
export function pvAllocateUnbound(remote: u32): u32 {
  acquire(0, DOMAIN_EVENT_LOCK);
  const port = allocate(CHANNEL_UNBOUND, 0, remote, 0);
  release(DOMAIN_EVENT_LOCK);
  return port;
}

/** Connects domain 0 to a port that waits for it, under the number `binding`: 0, or -EINVAL when the port does not wait for it. */
export function pvBindToDom0(port: u32, binding: u32): i32 {
  acquire(0, DOMAIN_EVENT_LOCK);
  let outcome: i32 = -EINVAL;
  if (isOpen(port)) {
    const channel = channelOf(port);
    if (load<u32>(channel, CHANNEL_STATE) == CHANNEL_UNBOUND && load<u32>(channel, CHANNEL_REMOTE) == 0) {
      store<u32>(channel, binding, CHANNEL_REMOTE_PORT);
      atomic.store<u32>(channel, CHANNEL_INTERDOMAIN, CHANNEL_STATE);
      outcome = 0;
    }
  }
  release(DOMAIN_EVENT_LOCK);
  return outcome;
}

/** Ends binding `binding` of a port, which waits for domain 0 again: 0, or -EINVAL when it is not so bound. */
export function pvUnbindFromDom0(port: u32, binding: u32): i32 {
  acquire(0, DOMAIN_EVENT_LOCK);
  let outcome: i32 = -EINVAL;
  if (isOpen(port)) {
    const channel = channelOf(port);
    if (
      load<u32>(channel, CHANNEL_STATE) == CHANNEL_INTERDOMAIN &&
      load<u32>(channel, CHANNEL_REMOTE) == 0 &&
      load<u32>(channel, CHANNEL_REMOTE_PORT) == binding
    ) {
      store<u32>(channel, 0, CHANNEL_REMOTE_PORT);
      atomic.store<u32>(channel, CHANNEL_UNBOUND, CHANNEL_STATE);
      outcome = 0;
    }
  }
  release(DOMAIN_EVENT_LOCK);
  return outcome;
}
