/**
 * xenconsoled: keeps the consoles of all domains, of those that run and of the last that have ended, whose output is often what
 * one wants to read. Clients: xm console (which gets what nobody has read yet) and the page's tabs (which get everything).
 */
import { ConsoleBackend } from '../../engine/devices/console/console-backend.ts';
import type { Domid, SharedRing } from '../../engine/hypervisor/control.ts';
import type { Clock } from '../../engine/toolstack/services.ts';
import type { ConsoleConnection, Consoles } from '../../engine/toolstack/xend/consoles.ts';
import { CONSOLE_LIMIT_BYTES } from '../../engine/toolstack/xend/domain-tree.ts';

const ENDED_KEPT = 8;

export interface GuestStream {
  /** Everything kept of the output so far. */
  readonly backlog: Uint8Array;
  onOutput(listener: (bytes: Uint8Array) => void): void;
  onEnd(listener: () => void): void;
  /** No callback comes afterwards. */
  close(): void;
}

interface GuestConsole {
  readonly domid: Domid;
  /** Name of the domain, as it was last known. */
  name: string;
  readonly backend: ConsoleBackend;
  readonly endListeners: Set<() => void>;
  ended: boolean;
  /** Position in the output up to which some xm console has read. */
  readTo: number;
}

export class ConsoleDaemon implements Consoles {
  private readonly _clock: Clock;
  private readonly _log: (line: string) => void;
  private readonly _consoles = new Map<Domid, GuestConsole>();

  constructor(clock: Clock, log: (line: string) => void) {
    this._clock = clock;
    this._log = log;
  }

  open(domid: Domid, name: string, ring: SharedRing): void {
    const backend = new ConsoleBackend(ring, { timers: this._clock, log: this._log, name: `domain ${domid}` });
    this._consoles.set(domid, { domid, name, backend, endListeners: new Set(), ended: false, readTo: 0 });
  }

  /** The domain is about to go: the ring is left alone from now on, the output stays. */
  end(domid: Domid, name: string | undefined): void {
    const console = this._consoles.get(domid);
    if (console === undefined || console.ended) return;
    console.name = name ?? console.name;
    console.backend.close();
    console.ended = true;
    for (const listener of [...console.endListeners]) listener();
    console.endListeners.clear();
    const ended = [...this._consoles.values()].filter((candidate) => candidate.ended);
    for (const old of ended.slice(0, Math.max(0, ended.length - ENDED_KEPT))) this._consoles.delete(old.domid);
  }

  /** The last domain of that name that has ended. */
  endedNamed(name: string): Domid | undefined {
    return [...this._consoles.values()].findLast((console) => console.ended && console.name === name)?.domid;
  }

  has(domid: Domid): boolean {
    return this._consoles.has(domid);
  }

  text(domid: Domid): string | undefined {
    return this._consoles.get(domid)?.backend.text();
  }

  /** Keystrokes for the guest; what does not fit its queue is dropped. */
  input(domid: Domid, bytes: Uint8Array): void {
    this._consoles.get(domid)?.backend.push(bytes);
  }

  /** All the output there is and will be. undefined when there is no such console. */
  stream(domid: Domid): GuestStream | undefined {
    const console = this._consoles.get(domid);
    if (console === undefined) return undefined;
    let unsubscribe: () => void = () => undefined;
    let endListener: () => void = () => undefined;
    return {
      backlog: console.backend.scrollback.since(0),
      onOutput: (listener) => {
        if (!console.ended) unsubscribe = console.backend.subscribe(listener);
      },
      onEnd: (listener) => {
        endListener = listener;
        if (console.ended) listener();
        else console.endListeners.add(listener);
      },
      close: () => {
        unsubscribe();
        console.endListeners.delete(endListener);
      },
    };
  }

  connect(domid: Domid): ConsoleConnection | undefined {
    const console = this._consoles.get(domid);
    const stream = this.stream(domid);
    if (console === undefined || stream === undefined) return undefined;
    return {
      onOutput: (listener) => {
        const { scrollback } = console.backend;
        const from = Math.max(console.readTo, scrollback.end - CONSOLE_LIMIT_BYTES);
        const unread = scrollback.since(from);
        console.readTo = scrollback.end;
        if (unread.length > 0) listener(unread);
        stream.onOutput((bytes) => {
          console.readTo = scrollback.end;
          listener(bytes);
        });
      },
      onClose: (listener) => stream.onEnd(listener),
      input: (bytes) => this.input(domid, bytes),
      close: () => stream.close(),
    };
  }
}
