/** The dom0 worker's answers to the shell: its file system and its programs. */
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { decodeUtf8 } from '../../engine/storage/utf8.ts';
import { XendError } from '../../engine/toolstack/xend-error.ts';
import { Interrupted } from '../../engine/toolstack/services.ts';
import type { Cancellation } from '../../engine/toolstack/services.ts';
import type { Command } from '../../engine/toolstack/command.ts';
import type { HostDirectoryEntry, HostFileStatus, ProgramResult, ShellHost } from './shell-host.ts';

export type Programs = ReadonlyMap<string, Command>;

const INTERRUPTED_STATUS = 130;
/** What a program may print as bytes: the shell's pipes hold everything in memory. */
const BYTES_MAX = 64 * 1024 * 1024;

export class LocalShellHost implements ShellHost {
  private readonly _files: FileSystem;
  private readonly _programs: Programs;
  private _cancellation: Cancellation;

  constructor(files: FileSystem, programs: Programs, cancellation: Cancellation) {
    this._files = files;
    this._programs = programs;
    this._cancellation = cancellation;
  }

  /** What calls off the programs that are run from now on. */
  set cancellation(cancellation: Cancellation) {
    this._cancellation = cancellation;
  }

  readFile(path: string): Promise<Uint8Array> {
    return this._files.readFile(path);
  }

  async writeFile(path: string, bytes: Uint8Array): Promise<void> {
    await this._files.writeFile(path, bytes);
  }

  async appendFile(path: string, bytes: Uint8Array): Promise<void> {
    await this._files.appendFile(path, bytes);
  }

  async exists(path: string): Promise<boolean> {
    return this._files.exists(path);
  }

  async stat(path: string): Promise<HostFileStatus> {
    return this._files.stat(path);
  }

  async lstat(path: string): Promise<HostFileStatus> {
    return this._files.lstat(path);
  }

  async makeDirectory(path: string, recursive: boolean): Promise<void> {
    await this._files.makeDirectory(path, { recursive });
  }

  async readDirectory(path: string): Promise<readonly HostDirectoryEntry[]> {
    return this._files.readDirectory(path);
  }

  async remove(path: string, recursive: boolean, force: boolean): Promise<void> {
    await this._files.remove(path, { recursive, force });
  }

  copy(from: string, to: string, recursive: boolean): Promise<void> {
    return this._files.copy(from, to, { recursive });
  }

  async move(from: string, to: string): Promise<void> {
    await this._files.move(from, to);
  }

  async changeMode(path: string, mode: number): Promise<void> {
    await this._files.changeMode(path, mode);
  }

  async changeTimes(path: string, mtimeMs: number): Promise<void> {
    await this._files.changeTimes(path, mtimeMs);
  }

  async symlink(target: string, path: string): Promise<void> {
    await this._files.symlink(target, path);
  }

  async link(existing: string, path: string): Promise<void> {
    await this._files.link(existing, path);
  }

  async readLink(path: string): Promise<string> {
    return this._files.readLink(path);
  }

  async realPath(path: string): Promise<string> {
    return this._files.realPath(path);
  }

  runProgram(name: string, words: readonly string[], stdin: Uint8Array, directory: string): Promise<ProgramResult> {
    const input = { stdin: decodeUtf8(stdin), stdinBytes: stdin };
    return runWithoutTerminal(this._programs, name, words, { ...input, directory, cancellation: this._cancellation });
  }
}

/** Collects what a program prints. */
export async function runWithoutTerminal(
  programs: Programs,
  name: string,
  words: readonly string[],
  io: {
    readonly stdin: string | undefined;
    readonly stdinBytes?: Uint8Array | undefined;
    readonly directory: string;
    readonly cancellation: Cancellation;
  },
): Promise<ProgramResult> {
  let stdout = '';
  let stderr = '';
  let bytes = '';
  const program = programs.get(name);
  if (program === undefined) return { stdout, stderr: `${name}: command not found\n`, exitCode: 127 };
  // A program prints either text or bytes.
  const printed = (): { stdout: string; binary?: boolean } => (bytes === '' ? { stdout } : { stdout: bytes, binary: true });
  try {
    const exitCode = await program.run(words, {
      ...io,
      out: (text) => (stdout += text),
      error: (text) => (stderr += text),
      outBytes: (part) => {
        if (bytes.length + part.length > BYTES_MAX) throw new XendError('more bytes than a pipe can take: name a file instead');
        for (let at = 0; at < part.length; at += 8192) bytes += String.fromCharCode(...part.subarray(at, at + 8192));
      },
      terminal: undefined,
      progress: () => undefined,
    });
    return { ...printed(), stderr, exitCode };
  } catch (error) {
    if (error instanceof Interrupted) return { ...printed(), stderr, exitCode: INTERRUPTED_STATUS };
    return { ...printed(), stderr: `${stderr}${name}: ${error instanceof Error ? error.message : String(error)}\n`, exitCode: 1 };
  }
}
