/** What commands need of xenconsoled. */
import type { Domid } from '../../hypervisor/control.ts';

/** One client on a guest's console; several share one stream. */
export interface ConsoleConnection {
  /** At once and in order: what no client has read yet (the last MiB of it), then what comes. */
  onOutput(listener: (bytes: Uint8Array) => void): void;
  /** The domain has gone. Called at once when it has already. */
  onClose(listener: () => void): void;
  /** Keystrokes for the guest. */
  input(bytes: Uint8Array): void;
  /** Leaves; the console goes on. */
  close(): void;
}

export interface Consoles {
  /** undefined when the domain has no console. */
  connect(domid: Domid): ConsoleConnection | undefined;
}
