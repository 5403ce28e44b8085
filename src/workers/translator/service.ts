/** Compiles regions for the vCPUs of all domains, in the order in which they come, and puts each into its vCPU's mailbox. */
import { type CompiledRegion, JobCompiler, type RegionJob } from '../../engine/jit/index.ts';
import { Mailbox } from './mailbox.ts';
import type { TranslatorLink } from './messages.ts';

/** Until a full mailbox is looked at again: a vCPU takes a region at its next sample. */
const FULL_MS = 4;

interface Client {
  readonly link: TranslatorLink;
  readonly mailbox: Mailbox;
  /** What the mailbox has no room for yet. */
  readonly waiting: CompiledRegion[];
}

export interface ServiceTimers {
  after(milliseconds: number, task: () => void): void;
}

export class TranslationService {
  private readonly compiler = new JobCompiler();
  private readonly clients = new Map<number, Client>();

  constructor(
    private readonly timers: ServiceTimers,
    private readonly log: (text: string) => void,
  ) {}

  connect(number: number, link: TranslatorLink): void {
    const client: Client = { link, mailbox: new Mailbox(link.mailbox), waiting: [] };
    this.clients.set(number, client);
    link.port.onmessage = ({ data }: MessageEvent<RegionJob>) => {
      this.deliver(number, client, this.compile(data));
    };
  }

  disconnect(number: number): void {
    this.clients.get(number)?.link.port.close();
    this.clients.delete(number);
  }

  /** A job that cannot be done is answered as well: its vCPU would wait for ever and let nothing else be made of that code. */
  private compile(job: RegionJob): CompiledRegion {
    const none = { number: job.number, data: new Uint8Array(0), module: new Uint8Array(0) };
    try {
      const region = this.compiler.compile(job);
      return Mailbox.holds(region) ? region : none;
    } catch (error) {
      this.log(`a region could not be translated: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return none;
    }
  }

  private deliver(number: number, client: Client, region: CompiledRegion): void {
    client.waiting.push(region);
    if (client.waiting.length === 1) this.put(number, client);
  }

  private put(number: number, client: Client): void {
    for (let [next] = client.waiting; next !== undefined; [next] = client.waiting) {
      if (!client.mailbox.put(next)) {
        this.timers.after(FULL_MS, () => {
          if (this.clients.get(number) === client) this.put(number, client);
        });
        return;
      }
      client.waiting.shift();
    }
  }
}
