/** dom0's files as the shell language wants them. Every operation is a call to the dom0 worker. */
import type { IFileSystem } from 'just-bash/browser';
import type { HostFileStatus, ShellHost } from './shell-host.ts';

type FileContent = string | Uint8Array;
type Encoding = Parameters<IFileSystem['readFile']>[1];
type Status = Awaited<ReturnType<IFileSystem['stat']>>;

/**
 * The shell looks for a file of the command's name in these directories as soon as they exist; its own commands have none. So
 * they are shown as executables there, and stay usable when somebody makes such a directory.
 */
const COMMAND_DIRECTORIES = ['/usr/bin/', '/bin/'];
/** Where administrators' commands are on a system of a guest's kind: there the shell only finds scripts. */
const SYSTEM_COMMAND = /^\/(?:usr\/)?sbin\/([^/]+)$/;

export class RemoteFileSystem implements IFileSystem {
  private readonly _host: ShellHost;
  private readonly _isCommand: (name: string) => boolean;

  constructor(host: ShellHost, isCommand: (name: string) => boolean) {
    this._host = host;
    this._isCommand = isCommand;
  }

  async readFile(path: string, options?: Encoding): Promise<string> {
    const encoding = typeof options === 'object' ? options.encoding : options;
    const name = SYSTEM_COMMAND.exec(path)?.[1] ?? '';
    const isCommand = encoding === undefined && this._isCommand(name);
    const bytes = isCommand ? await this._host.readFile(path).catch(() => undefined) : await this._host.readFile(path);
    if (bytes === undefined) return `/usr/bin/${name} "$@"`;
    if (encoding === undefined && isElf(bytes)) return scriptFor(path, bytes, isCommand ? name : undefined);
    return encoding === 'latin1' || encoding === 'binary' ? latin1(bytes) : new TextDecoder().decode(bytes);
  }

  readFileBuffer(path: string): Promise<Uint8Array> {
    return this._host.readFile(path);
  }

  writeFile(path: string, content: FileContent, options?: Encoding): Promise<void> {
    return this._host.writeFile(path, toBytes(content, options));
  }

  appendFile(path: string, content: FileContent, options?: Encoding): Promise<void> {
    return this._host.appendFile(path, toBytes(content, options));
  }

  exists(path: string): Promise<boolean> {
    return this._isCommandPath(path) ? Promise.resolve(true) : this._host.exists(path);
  }

  async stat(path: string): Promise<Status> {
    return this._isCommandPath(path) ? commandStatus() : status(await this._host.stat(path));
  }

  async lstat(path: string): Promise<Status> {
    return this._isCommandPath(path) ? commandStatus() : status(await this._host.lstat(path));
  }

  mkdir(path: string, options?: { recursive?: boolean }): Promise<void> {
    return this._host.makeDirectory(path, options?.recursive === true);
  }

  async readdir(path: string): Promise<string[]> {
    return (await this._host.readDirectory(path)).map((entry) => entry.name);
  }

  async readdirWithFileTypes(
    path: string,
  ): Promise<{ name: string; isFile: boolean; isDirectory: boolean; isSymbolicLink: boolean }[]> {
    const entries = await this._host.readDirectory(path);
    return entries.map(({ name, kind }) => ({
      name,
      isFile: kind === 'file',
      isDirectory: kind === 'directory',
      isSymbolicLink: kind === 'symlink',
    }));
  }

  rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void> {
    return this._host.remove(path, options?.recursive === true, options?.force === true);
  }

  cp(from: string, to: string, options?: { recursive?: boolean }): Promise<void> {
    return this._host.copy(from, to, options?.recursive === true);
  }

  mv(from: string, to: string): Promise<void> {
    return this._host.move(from, to);
  }

  resolvePath(base: string, path: string): string {
    const parts: string[] = [];
    for (const part of (path.startsWith('/') ? path : `${base}/${path}`).split('/')) {
      if (part === '..') parts.pop();
      else if (part !== '' && part !== '.') parts.push(part);
    }
    return `/${parts.join('/')}`;
  }

  /** Only an aid for globbing, which asks for directories where this is empty. */
  getAllPaths(): string[] {
    return [];
  }

  chmod(path: string, mode: number): Promise<void> {
    return this._host.changeMode(path, mode);
  }

  symlink(target: string, path: string): Promise<void> {
    return this._host.symlink(target, path);
  }

  link(existing: string, path: string): Promise<void> {
    return this._host.link(existing, path);
  }

  readlink(path: string): Promise<string> {
    return this._host.readLink(path);
  }

  realpath(path: string): Promise<string> {
    return this._host.realPath(path);
  }

  utimes(path: string, _accessed: Date, modified: Date): Promise<void> {
    return this._host.changeTimes(path, modified.getTime());
  }

  private _isCommandPath(path: string): boolean {
    const directory = COMMAND_DIRECTORIES.find((candidate) => path.startsWith(candidate));
    const name = directory === undefined ? SYSTEM_COMMAND.exec(path)?.[1] : path.slice(directory.length);
    return name !== undefined && this._isCommand(name);
  }
}

const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const isElf = (bytes: Uint8Array): boolean => ELF_MAGIC.every((byte, at) => bytes[at] === byte);

/**
 * The shell language takes any executable file that is no command of its own for a script, and asks for it as it asks for any other
 * text. A program for guests is therefore a text whose first words are the command of that name, or say that there is none, and
 * whose rest, for those who search in it, is a comment behind that.
 */
function scriptFor(path: string, bytes: Uint8Array, command: string | undefined): string {
  const quoted = `'${path.replaceAll("'", "'\\''")}'`;
  const refusal = `echo bash: ${quoted}: cannot execute binary file: Exec format error >&2; (exit 126)`;
  const content = new TextDecoder().decode(bytes).replaceAll('\n', ' ');
  return `${command === undefined ? refusal : `/usr/bin/${command} "$@"`} #${content}`;
}

function status(host: HostFileStatus): Status {
  return {
    isFile: host.kind === 'file',
    isDirectory: host.kind === 'directory',
    isSymbolicLink: host.kind === 'symlink',
    mode: host.mode,
    size: host.sizeBytes,
    mtime: new Date(host.mtimeMs),
    dev: host.fileSystem,
    ino: host.inode,
  };
}

function commandStatus(): Status {
  return { isFile: true, isDirectory: false, isSymbolicLink: false, mode: 0o755, size: 0, mtime: new Date(0) };
}

function toBytes(content: FileContent, options: Encoding): Uint8Array {
  if (typeof content !== 'string') return content.slice();
  const encoding = typeof options === 'object' ? options.encoding : options;
  if (encoding !== 'latin1' && encoding !== 'binary') return new TextEncoder().encode(content);
  return Uint8Array.from(content, (character) => character.charCodeAt(0) & 0xff);
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}
