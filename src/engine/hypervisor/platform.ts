/** What the hypervisor needs of whoever hosts it. */

export interface Clock {
  /** Machine clock: ns since the machine was powered on, the same on all its threads, never going back. */
  nowNs(): number;
  /** Wall-clock time now, ns since 1970. */
  wallNs(): bigint;
}

export interface Entropy {
  /** Fills the array with random bytes. */
  fill(bytes: Uint8Array): void;
}

/** Waiting without blocking, for dom0's thread. */
export interface AsyncWaiter {
  /** Resolves when the word at `index` is not `value`, or was notified; it may resolve early. */
  changed(words: Int32Array, index: number, value: number): Promise<void>;
}

/** Where the hypervisor's messages go (`xm dmesg`). Lines bring their own newlines. */
export interface HypervisorLog {
  write(text: string): void;
  read(clear: boolean): string;
}

export interface VcpuStart {
  readonly domid: number;
  readonly vcpu: number;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
}

/** A thread that steps a VcpuRunner for ever. */
export interface VcpuThread {
  /** Ends it at once, whatever it is doing; nothing touches the domain's memory afterwards. */
  stop(): void;
}

export interface VcpuLauncher {
  /** Threads that really run at once; absent where the launcher lets vCPUs take turns itself. */
  readonly processors?: number | undefined;
  start(request: VcpuStart): VcpuThread;
}
