/** The compiled core: its imports and exports, and an instance of it on a domain's memory. */

import type { TranslatorCore } from '../jit/core.ts';

/** What an instance needs of its surroundings. */
export interface CoreHost {
  /** Machine clock in ns, the same epoch on all threads of the machine. */
  nowNs(): number;
  /** 32 random bits. */
  entropy(): number;
  /** Emergency console of the guest; the bytes are a copy. */
  consoleWrite(bytes: Uint8Array): void;
}

/** Exports of cpu/index.ts and pv/index.ts. Pointers are byte offsets in the domain's memory. */
export interface CoreExports extends TranslatorCore {
  attach(): void;
  resetVcpu(cpu: number, arena: number): void;
  /** With a period also returns for samples (cpu/interpreter.ts). */
  run(cpu: number, budget: number, period?: number): number;
  getRflags(cpu: number): bigint;
  pvAttach(): void;
  pvResetVcpu(cpu: number, id: number): void;
  pvSetContext(cpu: number, context: number): number;
  pvGetContext(cpu: number, context: number): void;
  pvPinTable(mfn: number, level: number): number;
  pvUnpinTable(mfn: number): number;
  pvWriteTime(cpu: number): void;
  pvSetRunState(cpu: number, state: number): void;
  pvFireTimers(cpu: number, nowNs: number): number;
  pvReady(cpu: number, nowNs: number): number;
  pvAnswerAwaited(cpu: number): void;
  pvIsOnline(cpu: number): number;
  pvTakeProcessor(cpu: number, urgent: number): number;
  pvPassProcessor(cpu: number): number;
  pvLeaveProcessor(cpu: number): void;
  pvUrgentQueued(): number;
  pvSendNmi(cpu: number): void;
  pvFrameWritten(mfn: number, offset: number, bytes: number): void;
  pvTakeGranted(mfn: number, writable: number): number;
  pvDropGranted(mfn: number, writable: number): void;
  pvSendEvent(port: number, binding: number): number;
  pvAllocateUnbound(remote: number): number;
  pvBindToDom0(port: number, binding: number): number;
  pvUnbindFromDom0(port: number, binding: number): number;
  pvResetChannels(): void;
}

/** Makes an instance on the memory of a domain, ready for use: each vCPU thread has one, and dom0's thread one a domain. */
export function instantiateCore(module: WebAssembly.Module, memory: WebAssembly.Memory, host: CoreHost): CoreExports {
  const bytes = new Uint8Array(memory.buffer);
  const instance = new WebAssembly.Instance(module, {
    env: { memory },
    host: {
      nowNs: () => host.nowNs(),
      entropy: () => host.entropy(),
      consoleWrite: (pointer: number, length: number) => {
        host.consoleWrite(bytes.slice(pointer >>> 0, (pointer >>> 0) + length));
      },
    },
  });
  const core = instance.exports as unknown as CoreExports;
  core.attach();
  core.pvAttach();
  return core;
}
