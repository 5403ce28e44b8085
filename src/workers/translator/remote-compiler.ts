/** Has a vCPU's regions compiled by the translator's thread. */
import type { CompiledRegion, RegionCompiler, RegionJob } from '../../engine/jit/index.ts';
import type { TranslatorLink } from './messages.ts';
import { RecordRing } from './record-ring.ts';
import { jobRecord, jobRecordBytes, noRegion, regionOf } from './records.ts';

export class RemoteCompiler implements RegionCompiler {
  private readonly jobs: RecordRing;
  private readonly regions: RecordRing;
  /** What the ring has no room for yet. */
  private readonly waiting: RegionJob[] = [];
  /** Numbers of jobs that it never has room for. */
  private readonly refused: number[] = [];

  constructor({ jobs, regions }: TranslatorLink) {
    this.jobs = new RecordRing(jobs);
    this.regions = new RecordRing(regions);
  }

  compile(job: RegionJob): void {
    if (RecordRing.holds(jobRecordBytes(job))) this.waiting.push(job);
    else this.refused.push(job.number);
    this.send();
  }

  finished(): CompiledRegion | undefined {
    if (this.waiting.length > 0) this.send();
    const record = this.regions.take();
    if (record !== undefined) return regionOf(record);
    const refused = this.refused.shift();
    return refused === undefined ? undefined : noRegion(refused);
  }

  private send(): void {
    let sent = 0;
    for (const job of this.waiting) {
      if (!this.jobs.put(...jobRecord(job))) break;
      sent += 1;
    }
    if (sent === 0) return;
    this.waiting.splice(0, sent);
    this.jobs.call();
  }
}
