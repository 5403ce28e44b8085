/** What passes between dom0 and the thread of a vCPU: one message to start it; all else goes through the domain's memory. */

export interface StartVcpu {
  readonly domid: number;
  readonly vcpu: number;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly powerOnMs: number;
}

export type VcpuNews =
  /** Bytes of the guest's emergency console. */
  | { readonly kind: 'console'; readonly bytes: Uint8Array }
  /** The core trapped: a defect of ours. */
  | { readonly kind: 'failure'; readonly text: string };
