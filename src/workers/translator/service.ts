/** Compiles regions for the vCPUs of all domains, in the order in which they come, and puts each into its vCPU's ring. */
import { type CompiledRegion, JobCompiler, type RegionJob } from '../../engine/jit/index.ts';
import { changed } from '../wait-for-change.ts';
import type { TranslatorLink } from './messages.ts';
import { RecordRing } from './record-ring.ts';
import { jobOf, noRegion, regionRecord, regionRecordBytes } from './records.ts';

/** Until a full ring is looked at again: a vCPU takes a region at its next sample. */
const FULL_MS = 4;

interface Client {
  readonly jobs: RecordRing;
  readonly regions: RecordRing;
  /** What the ring has no room for yet. */
  readonly waiting: CompiledRegion[];
}

export interface ServiceTimers {
  after(milliseconds: number, task: () => void): void;
  /** Resolves when all that is waiting to be done at present has had its turn. */
  turn(): Promise<void>;
}

export class TranslationService {
  private readonly compiler = new JobCompiler();
  private readonly clients = new Map<number, Client>();

  constructor(
    private readonly timers: ServiceTimers,
    private readonly log: (text: string) => void,
  ) {}

  connect(number: number, link: TranslatorLink): void {
    const client: Client = { jobs: new RecordRing(link.jobs), regions: new RecordRing(link.regions), waiting: [] };
    this.clients.set(number, client);
    void this.serve(number, client);
  }

  disconnect(number: number): void {
    const client = this.clients.get(number);
    this.clients.delete(number);
    // Whoever waits for its jobs looks again, and goes.
    client?.jobs.call();
  }

  private async serve(number: number, client: Client): Promise<void> {
    const { jobs } = client;
    while (this.clients.get(number) === client) {
      const calls = jobs.calls;
      const record = jobs.take();
      if (record === undefined) await jobs.called(calls, changed);
      else {
        this.deliver(number, client, this.compile(jobOf(record)));
        // Other vCPUs' jobs, and news of them, come first now.
        await this.timers.turn();
      }
    }
  }

  /** A job that cannot be done is answered as well: its vCPU would wait for ever and let nothing else be made of that code. */
  private compile(job: RegionJob): CompiledRegion {
    const none = noRegion(job.number);
    try {
      const region = this.compiler.compile(job);
      return RecordRing.holds(regionRecordBytes(region)) ? region : none;
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
      if (!client.regions.put(...regionRecord(next))) {
        this.timers.after(FULL_MS, () => {
          if (this.clients.get(number) === client) this.put(number, client);
        });
        return;
      }
      client.waiting.shift();
    }
  }
}
