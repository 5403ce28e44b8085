/** Starts a worker for each vCPU. */
import type { VcpuLauncher, VcpuStart, VcpuThread } from '../../engine/hypervisor/platform.ts';
import type { ProfilePart } from '../../engine/jit/index.ts';
import { TranslatorThread } from '../translator/thread.ts';
import type { StartVcpu, TranslatorSetting, VcpuNews } from './messages.ts';

export interface WorkerLauncherOptions {
  readonly powerOnMs: number;
  /** 'on' unless said otherwise. */
  readonly translator?: TranslatorSetting | undefined;
  /** Vcpus tell what their profiles gather. */
  readonly onProfile?: ((domid: number, part: ProfilePart) => void) | undefined;
  /** Emergency console output of a guest. */
  readonly onConsole: (domid: number, bytes: Uint8Array) => void;
  /** The thread of a vCPU failed for a reason that is not the guest's. */
  readonly onFailure: (domid: number, vcpu: number, text: string) => void;
  /** The translator has a defect; guests go on without what it could not translate. */
  readonly onTranslatorFailure: (text: string) => void;
}

/** A thread takes some 50 ms until it can run anything. One is kept ready, made so long after the last was taken. */
const SPARE_AFTER_MS = 1000;

export class WorkerLauncher implements VcpuLauncher {
  readonly processors = Math.max(1, navigator.hardwareConcurrency);
  private running = 0;
  /** Tests that want everything translated want it before it is executed: each vCPU's thread does that itself. */
  private readonly translator: TranslatorThread | undefined;
  private spare: Worker | undefined;

  constructor(private readonly options: WorkerLauncherOptions) {
    if ((options.translator ?? 'on') === 'on') this.translator = new TranslatorThread(options.onTranslatorFailure);
    this.prepare();
  }

  /** Workers alive at present. */
  get workers(): number {
    return this.running;
  }

  private prepare(): void {
    if (this.spare !== undefined) return;
    const worker = this.spawn();
    this.spare = worker;
    // Whoever needs one then makes it, and hears why it cannot be had.
    worker.addEventListener('error', () => {
      if (this.spare === worker) this.spare = undefined;
    });
  }

  private spawn(): Worker {
    return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'vcpu' });
  }

  private take(): Worker {
    const worker = this.spare ?? this.spawn();
    this.spare = undefined;
    setTimeout(() => {
      this.prepare();
    }, SPARE_AFTER_MS);
    return worker;
  }

  start({ domid, vcpu, memory, module }: VcpuStart): VcpuThread {
    const worker = this.take();
    this.running += 1;
    worker.addEventListener('message', ({ data }: MessageEvent<VcpuNews>) => {
      if (data.kind === 'console') this.options.onConsole(domid, data.bytes);
      else if (data.kind === 'profile') this.options.onProfile?.(domid, data.part);
      else this.options.onFailure(domid, vcpu, data.text);
    });
    worker.addEventListener('error', (event) => {
      this.options.onFailure(domid, vcpu, event.message);
    });
    const { powerOnMs, translator = 'on', onProfile } = this.options;
    const client = this.translator?.connect();
    const link = client?.link;
    const start: StartVcpu = { domid, vcpu, memory, module, powerOnMs, translator, link, profile: onProfile !== undefined };
    worker.postMessage(start);
    let stopped = false;
    return {
      stop: () => {
        if (stopped) return;
        stopped = true;
        this.running -= 1;
        worker.terminate();
        client?.close();
      },
    };
  }
}
