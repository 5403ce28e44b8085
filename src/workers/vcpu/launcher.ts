/** Starts a worker for each vCPU. */
import type { VcpuLauncher, VcpuStart, VcpuThread } from '../../engine/hypervisor/platform.ts';
import type { ProfilePart } from '../../engine/jit/index.ts';
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
}

export class WorkerLauncher implements VcpuLauncher {
  readonly processors = Math.max(1, navigator.hardwareConcurrency);
  private running = 0;

  constructor(private readonly options: WorkerLauncherOptions) {}

  /** Workers alive at present. */
  get workers(): number {
    return this.running;
  }

  start({ domid, vcpu, memory, module }: VcpuStart): VcpuThread {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: `d${domid}v${vcpu}` });
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
    const start: StartVcpu = { domid, vcpu, memory, module, powerOnMs, translator, profile: onProfile !== undefined };
    worker.postMessage(start);
    let stopped = false;
    return {
      stop: () => {
        if (stopped) return;
        stopped = true;
        this.running -= 1;
        worker.terminate();
      },
    };
  }
}
