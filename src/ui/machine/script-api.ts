/**
 * The script API: what `window.xen` offers to tests, embedders and the browser's own console. Stable: fields are added, not changed.
 */
import type { DiskFormat, ExecResult, ImportedDisk, ProfilePart, VcpuCounters } from '../../workers/protocol.ts';

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

export interface TransferOptions {
  /**
   * Called now and then with how far it is, in bytes; the total is undefined while it is not known. What is compressed on its way out
   * counts as it was before.
   */
  onProgress?: (doneBytes: number, totalBytes: number | undefined) => void;
  /** Calls the transfer off: it rejects with the signal's reason and leaves nothing behind. */
  signal?: AbortSignal;
}

export interface ImportDiskOptions extends TransferOptions {
  /** What the image is; without it, its first bytes say. With it, nothing is expanded. */
  format?: DiskFormat;
}

export interface ExportDiskOptions extends TransferOptions {
  format?: DiskFormat;
  compress?: 'gzip';
}

export interface ImportMachineOptions extends TransferOptions {
  /** Where the browser is to keep it; the database unless told otherwise. */
  storage?: 'indexeddb' | 'opfs';
}

export interface ImportedMachine {
  /** The name it has here. */
  machine: string;
  /** The name it had where it was exported. */
  exportedFrom: string;
  /** The page's address with this machine. */
  address: string;
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
  /**
   * Makes a volume of a disk image, raw or qcow2, also compressed with gzip, xz or zstd. Bytes come from a file or other Blob, from
   * a stream, or (a string) from a file of domain 0. The name is GROUP/NAME, or NAME alone for the group `images`, which is always
   * there and needs no physical volume. Streams: memory use does not depend on the size. Rejects when the image is damaged, cut off or
   * of an unknown kind, when there is a volume of that name, and without room; nothing is left of it then.
   */
  importDisk(name: string, source: Blob | ReadableStream<Uint8Array> | string, options?: ImportDiskOptions): Promise<ImportedDisk>;
  /**
   * The image of a volume (GROUP/NAME, /dev/GROUP/NAME, or NAME of the group `images`) as it is at this moment, whatever a guest writes
   * meanwhile; or, by its path, of another disk or file of domain 0 that no guest writes. Raw unless told otherwise; qcow2 is
   * version 3 with clusters of 64 KiB, zeros left out. Resolves with the first bytes; cancel the stream to end it.
   * `await new Response(stream).blob()` is all of it.
   */
  exportDisk(name: string, options?: ExportDiskOptions): Promise<ReadableStream<Uint8Array>>;
  /**
   * The whole machine as it is stored at this moment (running guests' memory is not part of it): files of domain 0, volumes, partition
   * tables, LVM's state, settings. A tar stream with checksums, in gzip; cancel the stream to end it.
   */
  exportMachine(options?: TransferOptions): Promise<ReadableStream<Uint8Array>>;
  /**
   * Puts the machine of an archive into this browser under a name that no machine has; the page's address with `?machine=NAME` starts
   * it. The machine of this page goes on. Rejects when the archive is damaged or cut off, when there is a machine of that name, or
   * without room; nothing is left of it then.
   */
  importMachine(name: string, archive: Blob | ReadableStream<Uint8Array>, options?: ImportMachineOptions): Promise<ImportedMachine>;
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
