/**
 * Event channels between domain 0 and one guest, seen from domain 0. Which port dom0 has bound, and under which number, is kept
 * here, outside the guest's memory; the guest's table is only asked to agree.
 */
import { DOMAIN_EVENTS, DOMAIN_EVENTS_WORDS } from '../pv/layout.ts';
import { EINVAL } from '../abi/errno.ts';
import type { CoreExports } from './core.ts';
import { HypervisorError } from './control.ts';

/** A channel to a guest that a daemon holds. */
export interface ChannelBinding {
  readonly port: number;
  /** Tells the guest. Without effect when the guest has closed its end. */
  notify(): void;
  /** Called after the guest notified; several notifications may be one call. */
  onNotify(listener: () => void): void;
  close(): void;
}

interface Bound {
  readonly binding: number;
  readonly listeners: Set<() => void>;
}

export class DomainChannels {
  private readonly bound = new Map<number, Bound>();
  private readonly events: Int32Array;
  private nextBinding = 1;

  constructor(
    private readonly core: CoreExports,
    memory: WebAssembly.Memory,
    private readonly domid: number,
  ) {
    this.events = new Int32Array(memory.buffer, DOMAIN_EVENTS, DOMAIN_EVENTS_WORDS * 2);
  }

  /** New port of the guest that waits for domain 0. */
  allocateUnbound(): number {
    const port = this.core.pvAllocateUnbound(0);
    if (port === 0) throw new HypervisorError(EINVAL, `domain ${this.domid} has no event channel left`);
    return port;
  }

  /** Binds to a port that waits for domain 0. Throws EINVAL when it does not. */
  bind(port: number): ChannelBinding {
    const binding = this.nextBinding;
    this.nextBinding += 1;
    if (!Number.isInteger(port) || port < 1 || this.core.pvBindToDom0(port, binding) !== 0) {
      throw new HypervisorError(EINVAL, `event channel ${port} of domain ${this.domid} does not wait for domain 0`);
    }
    const listeners = new Set<() => void>();
    this.bound.set(port, { binding, listeners });
    return {
      port,
      notify: () => {
        if (this.bound.get(port)?.binding === binding) this.core.pvSendEvent(port, binding);
      },
      onNotify: (listener) => {
        listeners.add(listener);
      },
      close: () => {
        if (this.bound.get(port)?.binding !== binding) return;
        this.bound.delete(port);
        this.core.pvUnbindFromDom0(port, binding);
      },
    };
  }

  /** Calls the listeners of every port that the guest has notified since. */
  dispatch(): void {
    for (let word = 0; word < this.events.length; word += 1) {
      // The doorbell was read by an atomic load before: a bit that was set before it rang is seen.
      if (this.events[word] === 0) continue;
      for (let bits = Atomics.exchange(this.events, word, 0); bits !== 0; bits &= bits - 1) {
        const port = word * 32 + (31 - Math.clz32(bits & -bits));
        for (const listener of this.bound.get(port)?.listeners ?? []) listener();
      }
    }
  }

  closeAll(): void {
    for (const [port, { binding }] of this.bound) this.core.pvUnbindFromDom0(port, binding);
    this.bound.clear();
  }
}
