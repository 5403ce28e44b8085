/**
 * Everything the page may ask of the dom0 worker, as one interface with no logic (served over comlink) and the script API built
 * on it. Messages that flow often (console bytes) are batched by the worker.
 */

import type { ProfilePart } from '../engine/jit/code-profile.ts';

export type { ProfilePart };

export interface ExecResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** One row of the machine view. */
export interface DomainRow {
  domid: number;
  name: string;
  memoryMiB: number;
  maxMemoryMiB: number;
  vcpus: number;
  maxVcpus: number;
  /** Six characters "rbpscd" as xm list prints them. */
  state: string;
  cpuTimeSeconds: number;
}

export interface VcpuCounters {
  vcpu: number;
  /** Guest instructions retired, by tier. */
  instructionsInterpreted: number;
  instructionsTranslated: number;
  /** Of the translated ones, those that an interpreter's handler executed inside translated code. */
  instructionsHandled: number;
  exits: Record<string, number>;
  tlbMisses: number;
  runningNs: number;
}

/** A terminal-like stream: bytes from a guest, the hypervisor or dom0's shell; keystrokes back. */
export interface TerminalSink {
  /** Called with batches of output; the next batch waits for the returned promise (flow control). */
  write(bytes: Uint8Array): Promise<void> | void;
  /** Called once when no more output can come: the shell was left, the domain is gone. */
  ended(reason: string): void;
}

export const DEFAULT_MACHINE = 'webxen';

/** Whose files and disks they are, and where the browser keeps them. */
export interface MachineStorage {
  /** The machine's name: letters, digits, `-` and `_`. */
  readonly machine: string;
  /** `memory`: gone when the tab is closed. `opfs`: disks in the origin's private files, the rest in the database. */
  readonly kind: 'indexeddb' | 'opfs' | 'memory';
}

export interface BootOptions {
  storage: MachineStorage;
  /** The hypervisor's, such as "translator=off"; words it does not know are ignored. */
  commandLine?: string;
}

/** Watches a transfer. */
export interface TransferObserver {
  /** How far it is, told now and then; the answer false calls it off. `totalBytes` is undefined while it is not known. */
  progress(doneBytes: number, totalBytes: number | undefined): Promise<boolean> | boolean;
}

/** A stream that the other side reads. */
export interface PieceSource {
  /** undefined at the end. A rejection ends the transfer with its message. */
  next(): Promise<Uint8Array | undefined>;
}

/** A stream that the other side writes. */
export interface PieceSink {
  /** Resolves when the next piece may come; with false when nobody wants more. */
  write(bytes: Uint8Array): Promise<boolean>;
}

/** A file of the page's, a stream, or the path of a file of domain 0. */
export type TransferInput = Blob | PieceSource | string;

export type DiskFormat = 'raw' | 'qcow2';

export interface ImportedDisk {
  /** As domain configurations and commands name it: "/dev/images/debian". */
  device: string;
  sizeBytes: number;
  /** What the image was. */
  format: DiskFormat;
}

export interface Dom0 {
  /**
   * Powers the machine on; resolves when the shell takes commands. onProgress is called as long as the machine runs: for its
   * start and later for each long task, such as fetching a kernel; a task is over when its fraction is 1.
   */
  boot(options: BootOptions, onProgress: (progress: Progress) => void): Promise<void>;
  exec(command: string, options?: { stdin?: string; timeoutMs?: number }): Promise<ExecResult>;
  readFile(path: string): Promise<Uint8Array>;
  writeFile(path: string, bytes: Uint8Array): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** Copies a file of the page's to `path`, in pieces; it is there whole or not at all. The folder must exist. */
  storeFile(path: string, file: Blob, observer: TransferObserver): Promise<void>;
  /** A disk image becomes a volume: GROUP/NAME, or NAME in the group of images. Nothing is left of one that fails. */
  importDisk(name: string, input: TransferInput, format: DiskFormat | undefined, observer: TransferObserver): Promise<ImportedDisk>;
  /** Writes the image of a volume or another disk of domain 0 to the sink, as it is at this moment. */
  exportDisk(
    name: string,
    format: DiskFormat,
    compress: 'gzip' | undefined,
    sink: PieceSink,
    observer: TransferObserver,
  ): Promise<void>;
  /** Writes an archive of the whole machine to the sink, as it is stored at this moment: a tar stream in gzip. */
  exportMachine(sink: PieceSink, observer: TransferObserver): Promise<void>;
  /**
   * Puts the machine of an archive where `storage` says, which nobody may have open and in which nothing may be. Nothing is there
   * after a failure. Resolves with the name that the machine had. Needs no `boot`.
   */
  importMachine(storage: MachineStorage, input: Blob | PieceSource, observer: TransferObserver): Promise<string>;
  counters(domain: string | number): Promise<VcpuCounters[]>;
  profile(domain: string | number): Promise<ProfilePart>;
  /** The interactive shell of dom0 on a terminal; output goes to the sink from now on. */
  openShell(sink: TerminalSink, columns: number, rows: number): Promise<number>;
  shellInput(shell: number, bytes: Uint8Array): Promise<void>;
  shellResize(shell: number, columns: number, rows: number): Promise<void>;
  /**
   * A console: 'xen', or a domain by name or id. Delivers the scrollback (at most 4 MiB) first and resolves with a handle when the
   * sink has taken it: a terminal must not answer the questions of a program that asked them long ago.
   */
  openConsole(domain: string | number, sink: TerminalSink): Promise<number>;
  consoleInput(domain: string | number, bytes: Uint8Array): Promise<void>;
  consoleText(domain: string | number): Promise<string>;
  closeTerminal(handle: number): Promise<void>;
  domains(): Promise<DomainRow[]>;
  /** Called whenever the list of domains or a state in it changed. */
  onDomainsChanged(listener: () => void): Promise<void>;
}

export interface Progress {
  /** What is under way, in words for the user; the same words from start to end. */
  task: string;
  /** 0..1, or undefined when unknown. */
  fraction: number | undefined;
}
