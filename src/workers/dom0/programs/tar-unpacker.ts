/**
 * Lists a tar archive, or puts what is in it into domain 0's files, as `tar -t` and `tar -x` do. Archives are anybody's: no name
 * leads above the directory, and symbolic links that lead out of their own are made last, so that nothing is written through them.
 */
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { directoryName } from '../../../engine/storage/path.ts';
import type { TarEntry } from '../../../engine/storage/tar/tar-header.ts';
import { TarReader } from '../../../engine/storage/tar/tar-reader.ts';
import type { CommandIo } from '../../../engine/toolstack/command.ts';
import type { ByteInput } from './byte-streams.ts';
import { humanSize, sentenceOf, type Progress } from './file-program.ts';
import { modeLetters, typeLetter } from './list-files.ts';
import type { Owners } from './owners.ts';

export interface UnpackHow {
  readonly directory: string;
  readonly verbose: boolean;
  /** What is there already stays. */
  readonly keep: boolean;
  /** Parts of names to leave out at their beginning. */
  readonly strip: number;
  /** Absent: numbers are shown. */
  readonly owners: Owners | undefined;
}

const PIECE_BYTES = 1024 * 1024;
/** Columns of owner and size in a long listing. */
const OWNER_COLUMNS = 19;

export class TarUnpacker {
  private bytes = 0;
  private warned = false;
  private readonly late: (() => Promise<void>)[] = [];

  constructor(
    private readonly files: FileSystem,
    private readonly io: CommandIo,
    private readonly how: UnpackHow,
    private readonly complain: (text: string) => void,
    private readonly progress: Progress,
  ) {}

  /** @param wanted names of members, with what is below them; none: all */
  async run(input: ByteInput, wanted: readonly string[], list: boolean): Promise<void> {
    const names = wanted.map((name) => name.replace(/\/+$/, ''));
    const missing = new Set(names);
    const reader = new TarReader((into) => input.read(into));
    for (;;) {
      const entry = await reader.next();
      if (entry === undefined) break;
      this.progress.step(() => `${humanSize(this.bytes)}: ${entry.path}`);
      const matching = names.filter((name) => entry.path === name || entry.path.startsWith(`${name}/`));
      for (const name of matching) missing.delete(name);
      if (names.length > 0 && matching.length === 0) continue;
      if (list) this.io.out(this.line(entry));
      else await this.extract(entry, reader);
    }
    // The last first: a directory's times are set after what is in it is made.
    for (const finish of this.late.reverse()) await finish();
    for (const name of missing) this.complain(`${name}: Not found in archive`);
  }

  private line(entry: TarEntry): string {
    const shown = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
    if (!this.how.verbose) return `${shown}\n`;
    const { owners } = this.how;
    const owner = `${owners?.user(entry.uid) ?? entry.uid}/${owners?.group(entry.gid) ?? entry.gid}`;
    const { major, minor } = entry.device;
    const size = entry.kind.endsWith('-device') ? `${major},${minor}` : String(entry.sizeBytes);
    const letter = entry.kind === 'hard-link' ? 'h' : typeLetter(entry.kind);
    const time = new Date(entry.mtime * 1000).toISOString().slice(0, 16).replace('T', ' ');
    const link = entry.kind === 'symlink' ? ` -> ${entry.target}` : entry.kind === 'hard-link' ? ` link to ${entry.target}` : '';
    return `${letter}${modeLetters(entry.mode)} ${owner}${size.padStart(Math.max(size.length + 1, OWNER_COLUMNS - owner.length))} ${time} ${shown}${link}\n`;
  }

  private async extract(entry: TarEntry, reader: TarReader): Promise<void> {
    const name = this.stripped(entry.path);
    if (name === undefined) return;
    if (name.split('/').includes('..')) {
      this.complain(`${entry.path}: Member name contains '..'`);
      return;
    }
    const path = `${this.how.directory === '/' ? '' : this.how.directory}/${name}`;
    try {
      if (this.how.verbose) this.io.out(`${entry.path}${entry.kind === 'directory' ? '/' : ''}\n`);
      await this.make(entry, path, reader);
    } catch (error) {
      const text = sentenceOf(error);
      if (text === undefined || (error instanceof FileSystemError && error.code === 'ENOSPC')) throw error;
      this.complain(`${entry.path}: Cannot open: ${text.slice(text.lastIndexOf(': ') + 2)}`);
    }
  }

  /** undefined when nothing of the name is left. */
  private stripped(path: string): string | undefined {
    if (path.startsWith('/') && !this.warned) {
      this.io.error("tar: Removing leading `/' from member names\n");
      this.warned = true;
    }
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    const rest = parts.slice(this.how.strip);
    return rest.length === 0 ? undefined : rest.join('/');
  }

  private async make(entry: TarEntry, path: string, reader: TarReader): Promise<void> {
    const { files } = this;
    if (entry.kind === 'directory') {
      if (!(await files.exists(path)) || (await files.stat(path)).kind !== 'directory') {
        await this.clear(path);
        await files.makeDirectory(path, { recursive: true, mode: 0o700 });
      }
      this.late.push(() => this.attributes(entry, path));
      return;
    }
    await files.makeDirectory(directoryName(path), { recursive: true });
    await this.clear(path);
    switch (entry.kind) {
      case 'file':
        await this.content(entry, path, reader);
        break;
      case 'hard-link': {
        const target = this.stripped(entry.target);
        if (target === undefined || target.split('/').includes('..')) throw new FileSystemError('EINVAL', 'link', entry.target);
        await files.link(`${this.how.directory === '/' ? '' : this.how.directory}/${target}`, path);
        return;
      }
      case 'symlink':
        if (entry.target.startsWith('/') || entry.target.split('/').includes('..')) {
          this.late.push(() => this.symlink(entry, path));
          return;
        }
        await this.symlink(entry, path);
        return;
      default:
        await files.makeNode(path, entry.kind, entry.mode, entry.device);
    }
    await this.attributes(entry, path);
  }

  private async symlink(entry: TarEntry, path: string): Promise<void> {
    try {
      await this.files.symlink(entry.target, path);
      await this.files.changeOwner(path, entry.uid, entry.gid, false);
      await this.files.changeTimes(path, entry.mtime * 1000, entry.mtime * 1000, false);
    } catch (error) {
      const text = sentenceOf(error);
      if (text === undefined) throw error;
      this.complain(`${entry.path}: Cannot create symlink to '${entry.target}': ${text.slice(text.lastIndexOf(': ') + 2)}`);
    }
  }

  /** A new file takes the place of what is there: other names of that keep their contents. */
  private async clear(path: string): Promise<void> {
    const { files } = this;
    try {
      await files.lstat(path);
      if (this.how.keep) throw new FileSystemError('EEXIST', 'open', path);
      // A directory that is not empty is in the way.
      await files.remove(path);
    } catch (error) {
      if (!(error instanceof FileSystemError) || error.code !== 'ENOENT') throw error;
    }
  }

  private async content(entry: TarEntry, path: string, reader: TarReader): Promise<void> {
    const file = await this.files.open(path, { create: entry.mode & 0o777 });
    try {
      for (let at = 0; at < entry.sizeBytes;) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, entry.sizeBytes - at));
        const count = await reader.read(piece);
        // A stretch of zeros becomes a hole, as cp makes it.
        if (piece.some((byte) => byte !== 0)) await file.write(at, count === piece.length ? piece : piece.slice(0, count));
        at += count;
        this.bytes += count;
        this.progress.step(() => `${humanSize(this.bytes)}: ${entry.path}`);
      }
      await file.truncate(entry.sizeBytes);
    } finally {
      await file.close();
    }
  }

  private async attributes(entry: TarEntry, path: string): Promise<void> {
    const { files } = this;
    await files.changeOwner(path, entry.uid, entry.gid);
    await files.changeMode(path, entry.mode);
    await files.changeTimes(path, entry.mtime * 1000);
  }
}
