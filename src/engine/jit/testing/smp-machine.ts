/** Several bare vCPUs on one memory, each on a thread of its own, interpreting or translating everything at once. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { startTypescriptWorker } from '../../../workers/testing/typescript-worker.ts';
import { EXIT_EXCEPTION, VCPU_R12, VCPU_R15, VCPU_RIP } from '../../cpu/layout.ts';
import { CoreFixture, coreModule } from '../../cpu/testing/fixture.ts';
import { hexBytes } from '../../cpu/testing/bench.ts';
import { newState } from '../../cpu/testing/machine-state.ts';

export type ThreadMessage =
  | {
      readonly kind: 'attach';
      readonly module: WebAssembly.Module;
      readonly memory: WebAssembly.Memory;
      readonly cpu: number;
      readonly eager: boolean;
    }
  | { readonly kind: 'run'; readonly memory: WebAssembly.Memory; readonly cpu: number; readonly gate: number };

export const CODE = 0x400000n;
/** The code page once more, writable. */
export const CODE_ALIAS = 0x500000n;
/** Two pages. */
export const DATA = 0x600000n;
const PAGE = 4096;
const HLT = 0xf4;

/** A vCPU's program: bytes at an offset in the code page, and registers by number. It ends at a HLT. */
export interface SmpProgram {
  readonly at: number;
  readonly hex: string;
  readonly gpr: Readonly<Record<number, bigint>>;
}

export class SmpMachine {
  readonly fixture: CoreFixture;
  private readonly code: number;
  private readonly data: readonly [number, number];
  private readonly gate: number;
  private threads: Worker[] = [];

  constructor(readonly vcpus: number) {
    this.fixture = new CoreFixture(64, vcpus);
    const { fixture } = this;
    const frame = fixture.takeFrame();
    this.code = fixture.map(CODE, { write: false, execute: true }, frame);
    fixture.map(CODE_ALIAS, {}, frame);
    this.data = [fixture.map(DATA), fixture.map(DATA + BigInt(PAGE))];
    this.gate = fixture.hostOf(fixture.takeFrame());
  }

  async start(eager: boolean): Promise<void> {
    const { fixture } = this;
    const entry = new URL('./smp-thread.ts', import.meta.url);
    this.threads = Array.from({ length: this.vcpus }, () => startTypescriptWorker(entry));
    await Promise.all(
      this.threads.map(async (thread, vcpu) => {
        const attach: ThreadMessage = {
          kind: 'attach',
          module: coreModule(),
          memory: fixture.memory,
          cpu: fixture.blockOf(vcpu),
          eager,
        };
        const attached = once(thread, 'message');
        thread.postMessage(attach);
        await attached;
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }

  clearData(): void {
    for (const at of this.data) this.fixture.bytes.fill(0, at, at + PAGE);
  }

  /** Little-endian number of so many bytes in the data pages. */
  peek(offset: number, bytes: number): bigint {
    let value = 0n;
    for (let n = bytes - 1; n >= 0; n--) {
      const at = offset + n;
      value = (value << 8n) | BigInt(this.fixture.bytes[(this.data[at >> 12] ?? 0) + (at & 0xfff)] ?? 0);
    }
    return value;
  }

  /** Runs a program on each vCPU, all at once, until every one has come to its HLT; `more` is code they call. */
  async run(programs: readonly SmpProgram[], more: readonly SmpProgram[] = []): Promise<void> {
    const { fixture } = this;
    fixture.bytes.fill(HLT, this.code, this.code + PAGE);
    for (const { at, hex } of [...programs, ...more]) fixture.bytes.set(hexBytes(hex), this.code + at);
    fixture.exports.storeMarked(0, this.code, PAGE);
    programs.forEach(({ at, gpr }, vcpu) => {
      const state = newState();
      for (const [register, value] of Object.entries(gpr)) state.gpr[Number(register)] = value;
      state.rip = CODE + BigInt(at);
      state.fx[0] = 0x7f;
      state.fx[1] = 0x03;
      state.fx[24] = 0x80;
      state.fx[25] = 0x1f;
      fixture.setState(state, fixture.blockOf(vcpu));
    });
    const used = this.threads.slice(0, programs.length);
    fixture.setU32(this.gate, used.length);
    const reasons = await Promise.all(
      used.map(async (thread, vcpu) => {
        const ended = once(thread, 'message');
        const run: ThreadMessage = { kind: 'run', memory: fixture.memory, cpu: fixture.blockOf(vcpu), gate: this.gate };
        thread.postMessage(run);
        const [reason] = (await ended) as [number];
        return reason;
      }),
    );
    reasons.forEach((reason, vcpu) => {
      const rip = fixture.getU64(fixture.blockOf(vcpu) + VCPU_RIP) - CODE;
      if (reason !== EXIT_EXCEPTION || fixture.bytes[this.code + Number(rip)] !== HLT)
        throw new Error(`vCPU ${vcpu} ended with exit ${reason} at offset 0x${rip.toString(16)}`);
    });
  }

  /** R12 and R15 of a vCPU: what programs report in. */
  results(vcpu: number): { r12: bigint; r15: bigint } {
    const cpu = this.fixture.blockOf(vcpu);
    return { r12: this.fixture.getU64(cpu + VCPU_R12), r15: this.fixture.getU64(cpu + VCPU_R15) };
  }
}
