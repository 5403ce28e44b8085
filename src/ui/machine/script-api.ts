/**
 * The script API: what `window.xen` offers to tests, embedders and the browser's own console. Stable: fields are added, not changed.
 */
import type { ExecResult, ProfilePart, VcpuCounters } from '../../workers/protocol.ts';

export interface ExecOptions {
  /** What the command reads from its standard input. */
  stdin?: string;
  /** The command is ended after so long; it then rejects. Default: no limit. */
  timeoutMs?: number;
}

/** The console of a guest, or of the hypervisor. */
export interface GuestConsole {
  /** What was written since the domain was created, the last 4 MiB of it. */
  text(): Promise<string>;
  /** Types on the console. A line is sent to the guest by "\r" or "\n", as the guest's terminal takes it. */
  send(text: string): Promise<void>;
  /**
   * Resolves with what matched as soon as the console's text (from the domain's creation on) contains the pattern.
   * Rejects after timeoutMs (default 60,000), or when the domain is gone, with the last lines seen in the message.
   */
  waitFor(pattern: string | RegExp, timeoutMs?: number): Promise<string>;
}

export interface XenMachine {
  /** Domain 0 is up: its shell takes commands. Rejects when the machine cannot be started, saying why. */
  readonly ready: Promise<void>;
  /**
   * Runs a command line in domain 0's shell, without a terminal: commands that need one say so. Waits until the machine is ready.
   * A command that fails resolves too, with its exit status.
   */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** A guest's console by the domain's name or id; 'xen' is the hypervisor's. */
  console(domain: string | number): GuestConsole;
  /** Reads a file of domain 0. Rejects when there is none. */
  readFile(path: string): Promise<Uint8Array>;
  /** Writes a file of domain 0; text as UTF-8. The folder must exist. */
  writeFile(path: string, data: Uint8Array | string): Promise<void>;
  /** Per vCPU: guest instructions retired, by tier; exits by reason; TLB misses; time running, ns. */
  counters(domain: string | number): Promise<VcpuCounters[]>;
  /**
   * Where the guest's time went since the last call, by guest address, over all vCPUs; empty unless the page's address has
   * `?hypervisor=profile`. For `npm run bench -- --profile`; the fields may change.
   */
  profile(domain: string | number): Promise<ProfilePart>;
}

declare global {
  /** On the page as soon as its script has run. */
  var xen: XenMachine;
}
