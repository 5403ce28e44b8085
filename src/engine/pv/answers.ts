/**
 * Guests that notify domain 0 and then have nothing to do until it has answered, as one that reads from its disk and waits. On a machine
 * with one processor Xen runs domain 0 first (its scheduler boosts who gets an event), and the answer is there when the guest goes on. So
 * here: such a vCPU stays out of guest code for a moment after its notification, and goes on with the answer, where it would have gone to
 * sleep and been woken up: in Linux several thousand instructions, and as long as domain 0 takes to answer.
 *
 * Which notifications are such is learned from what the guest does after them. It counts for a port that the task which notified was
 * switched away from and the vCPU came to no user code before the next event; against it, that it went on in user code, or notified
 * again. Whoever was waited for in vain counts against it as well. Now and then a trusted guest is left to itself and looked at again.
 */
import { EXIT_ANSWER, VCPU_ID } from '../cpu/layout';
import { VCPU_INFO_evtchn_upcall_pending } from '../abi/shared-info';
import {
  CHANNEL_VCPU,
  NOTIFIED_NOTHING,
  NOTIFIED_RUNNING,
  NOTIFIED_SWITCHED,
  PV_ANSWER_NOTIFICATIONS,
  PV_ANSWER_PORT,
  PV_ANSWER_TRUST,
  PV_NOTIFIED,
  PV_VCPU_INFO,
} from './layout';
import { channelOf } from './events';
import { leaveAfter } from './leave';

/** Trust from which on a vCPU waits, and the most there is. */
const TRUSTED: i32 = 4;
const TRUST_MAX: i32 = 7;
/** What one look counts for, and against. */
const WAITED: i32 = 1;
const WENT_ON: i32 = -4;
const IN_VAIN: i32 = -4;
/** Of so many notifications of a trusted guest one is looked at. A power of two. */
const LOOK_PERIOD: u32 = 16;

function trust(cpu: usize, change: i32): void {
  const value = load<i32>(cpu, PV_ANSWER_TRUST) + change;
  store<i32>(cpu, value < 0 ? 0 : value > TRUST_MAX ? TRUST_MAX : value, PV_ANSWER_TRUST);
}

/**
 * The guest notified domain 0 of `port`; has the hypercall end with EXIT_ANSWER where the guest is known to wait. Answers that go to
 * another vCPU are not waited for: its handler may want the lock that the guest holds as it notifies.
 */
export function expectAnswer(cpu: usize, port: u32): void {
  if (load<u32>(channelOf(port), CHANNEL_VCPU) != load<u32>(cpu, VCPU_ID)) return;
  if (load<u32>(cpu, PV_NOTIFIED) != NOTIFIED_NOTHING) trust(cpu, WENT_ON);
  store<u32>(cpu, NOTIFIED_NOTHING, PV_NOTIFIED);
  if (load<u32>(cpu, PV_ANSWER_PORT) != port) {
    // Another's notifications in between: whoever notifies more often is looked at.
    if (load<i32>(cpu, PV_ANSWER_TRUST) > 0) {
      trust(cpu, -1);
      return;
    }
    store<u32>(cpu, port, PV_ANSWER_PORT);
  }
  const count = load<u32>(cpu, PV_ANSWER_NOTIFICATIONS) + 1;
  store<u32>(cpu, count, PV_ANSWER_NOTIFICATIONS);
  if (load<i32>(cpu, PV_ANSWER_TRUST) >= TRUSTED && (count & (LOOK_PERIOD - 1)) != 0) leaveAfter(EXIT_ANSWER, 0);
  else store<u32>(cpu, NOTIFIED_RUNNING, PV_NOTIFIED);
}

/** The kernel switches to another task, or the vCPU is about to sleep. */
export function noteSwitch(cpu: usize): void {
  if (load<u32>(cpu, PV_NOTIFIED) == NOTIFIED_RUNNING) store<u32>(cpu, NOTIFIED_SWITCHED, PV_NOTIFIED);
}

/** The vCPU goes on in user code. */
export function noteUserMode(cpu: usize): void {
  const notified = load<u32>(cpu, PV_NOTIFIED);
  if (notified == NOTIFIED_NOTHING) return;
  trust(cpu, WENT_ON);
  store<u32>(cpu, NOTIFIED_NOTHING, PV_NOTIFIED);
}

/** An event is delivered. Where the guest had not got as far as to switch, nothing is known. */
export function noteEvent(cpu: usize): void {
  const notified = load<u32>(cpu, PV_NOTIFIED);
  if (notified == NOTIFIED_NOTHING) return;
  if (notified == NOTIFIED_SWITCHED) trust(cpu, WAITED);
  store<u32>(cpu, NOTIFIED_NOTHING, PV_NOTIFIED);
}

/** After EXIT_ANSWER: the vCPU has waited, and goes on. On its own thread. */
export function pvAnswerAwaited(cpu: usize): void {
  const pending = atomic.load<u8>(<usize>load<u32>(cpu, PV_VCPU_INFO), VCPU_INFO_evtchn_upcall_pending);
  trust(cpu, pending ? WAITED : IN_VAIN);
}
