/** Starts the thread that translates for all vCPUs of a machine. */
import type { TranslatorLink, TranslatorNews } from './messages.ts';
import { createRing } from './record-ring.ts';

export interface TranslatorClient {
  /** For the vCPU's thread. */
  readonly link: TranslatorLink;
  /** The vCPU's thread has ended. */
  close(): void;
}

export class TranslatorThread {
  private readonly worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'translator' });
  private clients = 0;

  /** @param onFailure told of defects: guests go on, interpreted */
  constructor(onFailure: (text: string) => void) {
    this.worker.addEventListener('message', ({ data }: MessageEvent<string>) => {
      onFailure(data);
    });
    this.worker.addEventListener('error', ({ message }) => {
      onFailure(message || 'the translator’s script could not be loaded');
    });
  }

  connect(): TranslatorClient {
    const link = { jobs: createRing(), regions: createRing() };
    const client = this.clients++;
    this.tell({ kind: 'connect', client, link });
    return {
      link,
      close: () => {
        this.tell({ kind: 'disconnect', client });
      },
    };
  }

  private tell(news: TranslatorNews): void {
    this.worker.postMessage(news);
  }
}
