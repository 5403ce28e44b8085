/** cp: files, trees (-r, -a), within one file system (-x), sparse and without reading anything whole. */
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import type { FileStatus } from '../../../engine/storage/file-system.ts';
import { baseName, resolvePath } from '../../../engine/storage/path.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import { fileProgram, flag, humanSize, ProgramError, Progress, sentenceOf, type FileTools } from './file-program.ts';

interface How {
  readonly recursive: boolean;
  readonly keepLinks: boolean;
  readonly preserve: boolean;
  readonly oneFileSystem: boolean;
  readonly noClobber: boolean;
  readonly update: boolean;
  readonly verbose: boolean;
}

export function copyProgram(tools: FileTools): Command {
  return fileProgram({
    name: 'cp',
    description: 'copy files and directories',
    options: [
      flag('archive', '-a', '--archive'),
      flag('recursive', '-r', '-R', '--recursive'),
      flag('links', '-d', '-P', '--no-dereference'),
      flag('follow', '-L', '--dereference'),
      flag('preserve', '-p', '--preserve'),
      flag('oneFileSystem', '-x', '--one-file-system'),
      flag('noClobber', '-n', '--no-clobber'),
      flag('update', '-u', '--update'),
      flag('force', '-f', '--force'),
      flag('interactive', '-i'),
      flag('noDirectory', '-T', '--no-target-directory'),
      flag('verbose', '-v', '--verbose'),
      { name: 'sparse', spellings: ['--sparse'], takesValue: true },
    ],
    run: async (options, io) => {
      const archive = options.has('archive');
      const how: How = {
        recursive: archive || options.has('recursive'),
        keepLinks: archive || options.has('links') || (options.has('recursive') && !options.has('follow')),
        preserve: archive || options.has('preserve'),
        oneFileSystem: options.has('oneFileSystem'),
        noClobber: options.has('noClobber'),
        update: options.has('update'),
        verbose: options.has('verbose'),
      };
      const operands = [...options.operands];
      const target = operands.pop();
      if (target === undefined || operands.length === 0)
        throw new ProgramError(
          target === undefined ? 'missing file operand' : `missing destination file operand after '${target}'`,
        );
      return new Copy(tools, io, how).run(operands, target, options.has('noDirectory'));
    },
  });
}

class Copy {
  private status = 0;
  private files = 0;
  private bytes = 0;
  private readonly progress: Progress;
  /** Copies of inodes with several names, by file system and number. */
  private readonly copied = new Map<string, string>();

  constructor(
    private readonly tools: FileTools,
    private readonly io: CommandIo,
    private readonly how: How,
  ) {
    this.progress = new Progress(io, tools.clock);
  }

  async run(sources: readonly string[], target: string, noDirectory: boolean): Promise<number> {
    const { files } = this.tools;
    const to = resolvePath(this.io.directory, target);
    const into = !noDirectory && (await files.exists(to)) && (await files.stat(to)).kind === 'directory';
    if (sources.length > 1 && !into)
      throw new ProgramError(`target '${target}': ${(await files.exists(to)) ? 'Not a directory' : 'No such file or directory'}`);
    for (const source of sources) {
      const from = resolvePath(this.io.directory, source);
      await this.entry(from, into ? `${to === '/' ? '' : to}/${baseName(from)}` : to, undefined);
    }
    return this.status;
  }

  /** @param fileSystem the one to stay on, below the source that was named */
  private async entry(from: string, to: string, fileSystem: number | undefined): Promise<void> {
    this.progress.step(() => `${this.files} files, ${humanSize(this.bytes)}: ${from}`);
    try {
      const { files } = this.tools;
      const status = await (this.how.keepLinks ? files.lstat(from) : files.stat(from));
      if (status.kind === 'directory') await this.directory(from, to, status, fileSystem);
      else await this.file(from, to, status);
    } catch (error) {
      // The rest is copied all the same; a full disk would refuse it too.
      const text = sentenceOf(error);
      if (text === undefined || (error instanceof FileSystemError && error.code === 'ENOSPC')) throw error;
      this.io.error(`cp: ${text}\n`);
      this.status = 1;
    }
  }

  private async directory(from: string, to: string, status: FileStatus, fileSystem: number | undefined): Promise<void> {
    const { files } = this.tools;
    if (!this.how.recursive) throw new ProgramError(`-r not specified; omitting directory '${from}'`);
    const target = (await files.exists(to)) ? await files.realPath(to) : to;
    const source = await files.realPath(from);
    if (target === source || target.startsWith(source === '/' ? '\0' : `${source}/`))
      throw new ProgramError(`cannot copy a directory, '${from}', into itself, '${to}'`);
    if (!(await files.exists(to))) {
      await files.makeDirectory(to, { mode: status.mode | 0o700 });
      if (this.how.verbose) this.io.out(`'${from}' -> '${to}'\n`);
    } else if ((await files.stat(to)).kind !== 'directory') {
      throw new ProgramError(`cannot overwrite non-directory '${to}' with directory '${from}'`);
    }
    // What is mounted there stays behind, its directory comes along empty.
    if (!this.how.oneFileSystem || fileSystem === undefined || status.fileSystem === fileSystem) {
      for (const { name } of await files.readDirectory(from)) {
        const below = `${from === '/' ? '' : from}/${name}`;
        if (`${source === '/' ? '' : source}/${name}` === target) continue;
        await this.entry(below, `${to}/${name}`, fileSystem ?? status.fileSystem);
      }
    }
    await this.attributes(to, status);
  }

  private async file(from: string, to: string, status: FileStatus): Promise<void> {
    const { files } = this.tools;
    const existing = await this.existing(to);
    if (existing !== undefined) {
      if (existing.kind === 'directory') throw new ProgramError(`cannot overwrite directory '${to}' with non-directory`);
      if (existing.fileSystem === status.fileSystem && existing.inode === status.inode)
        throw new ProgramError(`'${from}' and '${to}' are the same file`);
      if (this.how.noClobber || (this.how.update && existing.mtimeMs >= status.mtimeMs)) return;
    }
    const source = await files.realPath(from).catch(() => from);
    const asNode = this.how.recursive && status.kind !== 'file';
    // The image of the file system that is copied to would grow as it is read.
    if (!asNode && files.mounts.list().some((mount) => mount.source === source && to.startsWith(`${mount.path}/`)))
      throw new ProgramError(`not copying '${from}', which holds the file system of '${to}'`);
    this.files += 1;
    if (this.how.verbose) this.io.out(`'${from}' -> '${to}'\n`);
    const key = `${status.fileSystem}:${status.inode}`;
    const other = this.how.preserve && status.links > 1 ? this.copied.get(key) : undefined;
    if (existing !== undefined && (asNode || other !== undefined)) await files.remove(to);
    if (other !== undefined) {
      await files.link(other, to);
      return;
    }
    if (asNode) await files.copy(from, to, { recursive: true });
    else {
      await files.copyContents(from, to, (bytes) => {
        this.bytes += bytes;
        this.progress.step(() => `${this.files} files, ${humanSize(this.bytes)}: ${from}`);
      });
    }
    if (status.links > 1) this.copied.set(key, to);
    await this.attributes(to, status);
  }

  private async existing(path: string): Promise<FileStatus | undefined> {
    try {
      return await this.tools.files.lstat(path);
    } catch (error) {
      if (error instanceof FileSystemError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  private async attributes(path: string, status: FileStatus): Promise<void> {
    if (!this.how.preserve) return;
    const { files } = this.tools;
    await files.changeOwner(path, status.uid, status.gid, false);
    if (status.kind !== 'symlink') await files.changeMode(path, status.mode);
    await files.changeTimes(path, status.mtimeMs, status.atimeMs, false);
  }
}
