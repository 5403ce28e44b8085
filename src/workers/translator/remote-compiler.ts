/** Has a vCPU's regions compiled by the translator's thread. */
import type { CompiledRegion, RegionCompiler, RegionJob } from '../../engine/jit/index.ts';
import { Mailbox } from './mailbox.ts';
import type { TranslatorLink } from './messages.ts';

export class RemoteCompiler implements RegionCompiler {
  private readonly mailbox: Mailbox;
  private readonly port: MessagePort;

  constructor({ port, mailbox }: TranslatorLink) {
    this.port = port;
    this.mailbox = new Mailbox(mailbox);
  }

  compile(job: RegionJob): void {
    this.port.postMessage(job, [job.trace.buffer]);
  }

  finished(): CompiledRegion | undefined {
    return this.mailbox.take();
  }
}
