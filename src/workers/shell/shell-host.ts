/**
 * What the thread with the shell language asks of the dom0 worker: files, and the programs that belong to dom0. Arguments and
 * results pass between threads; failures carry their meaning in the message ("ENOENT: ...").
 */
import type { FileKind } from '../../engine/storage/mountable.ts';

export interface HostFileStatus {
  readonly inode: number;
  readonly fileSystem: number;
  readonly kind: FileKind;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

export interface HostDirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

export interface ProgramResult {
  /** Text, or with `binary` one character for each byte. */
  readonly stdout: string;
  readonly binary?: boolean;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface ShellHost {
  readFile(path: string): Promise<Uint8Array>;
  writeFile(path: string, bytes: Uint8Array): Promise<void>;
  appendFile(path: string, bytes: Uint8Array): Promise<void>;
  exists(path: string): Promise<boolean>;
  stat(path: string): Promise<HostFileStatus>;
  lstat(path: string): Promise<HostFileStatus>;
  makeDirectory(path: string, recursive: boolean): Promise<void>;
  readDirectory(path: string): Promise<readonly HostDirectoryEntry[]>;
  remove(path: string, recursive: boolean, force: boolean): Promise<void>;
  copy(from: string, to: string, recursive: boolean): Promise<void>;
  move(from: string, to: string): Promise<void>;
  changeMode(path: string, mode: number): Promise<void>;
  changeTimes(path: string, mtimeMs: number): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  link(existing: string, path: string): Promise<void>;
  readLink(path: string): Promise<string>;
  realPath(path: string): Promise<string>;
  /** Runs a program of dom0 without a terminal. */
  runProgram(name: string, words: readonly string[], stdin: Uint8Array, directory: string): Promise<ProgramResult>;
}

/** What a shell remembers from one line to the next. */
export interface ShellState {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface ShellRequest {
  readonly script: string;
  readonly stdin: string;
  readonly state: ShellState;
}

export interface ShellOutcome extends ProgramResult {
  readonly state: ShellState;
}

/** A thread (or a stand-in for one) that runs shell scripts. */
export interface ShellProcess {
  run(request: ShellRequest): Promise<ShellOutcome>;
  /** The words that text becomes after all expansions; rejects when it does not. */
  expand(text: string, state: ShellState): Promise<string[]>;
  /** Ends it at once; what it was running is rejected with ShellEnded. */
  terminate(): void;
}

export class ShellEnded extends Error {
  constructor() {
    super('the shell was ended');
    this.name = 'ShellEnded';
  }
}

export const INITIAL_DIRECTORY = '/root';

export function initialState(hostName: string): ShellState {
  return {
    directory: INITIAL_DIRECTORY,
    environment: {
      HOME: '/root',
      USER: 'root',
      LOGNAME: 'root',
      SHELL: '/bin/bash',
      PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
      HOSTNAME: hostName,
      TERM: 'xterm-256color',
      PWD: INITIAL_DIRECTORY,
    },
  };
}
