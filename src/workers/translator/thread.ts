/** Starts the thread that translates for all vCPUs of a machine. */
import { createMailbox } from './mailbox.ts';
import type { TranslatorLink, TranslatorNews } from './messages.ts';

export interface TranslatorClient {
  /** For the vCPU's thread; the port goes with the message. */
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
    const { port1, port2 } = new MessageChannel();
    const mailbox = createMailbox();
    const client = this.clients++;
    this.tell({ kind: 'connect', client, link: { port: port1, mailbox } }, [port1]);
    return {
      link: { port: port2, mailbox },
      close: () => {
        this.tell({ kind: 'disconnect', client });
      },
    };
  }

  private tell(news: TranslatorNews, transfer: Transferable[] = []): void {
    this.worker.postMessage(news, transfer);
  }
}
