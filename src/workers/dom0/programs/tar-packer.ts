/** Writes files and trees into a tar archive, as `tar -c` does. */
import type { FileStatus, FileSystem } from '../../../engine/storage/file-system.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { TarEntry } from '../../../engine/storage/tar/tar-header.ts';
import { endBlocks, headerBlocks, paddingOf } from '../../../engine/storage/tar/tar-writer.ts';
import type { CommandIo } from '../../../engine/toolstack/command.ts';
import type { ByteOutput } from './byte-streams.ts';
import { humanSize, sentenceOf, type Progress } from './file-program.ts';

export interface PackHow {
  /** Names are relative to it. */
  readonly directory: string;
  readonly verbose: boolean;
  readonly oneFileSystem: boolean;
}

const PIECE_BYTES = 1024 * 1024;

export class TarPacker {
  private written = 0;
  private warned = false;
  /** Names in the archive of inodes that have several. */
  private readonly links = new Map<string, string>();

  constructor(
    private readonly files: FileSystem,
    private readonly io: CommandIo,
    private readonly how: PackHow,
    private readonly complain: (text: string) => void,
    private readonly progress: Progress,
  ) {}

  /** @param archive its path, so that it is not put into itself */
  async run(operands: readonly string[], archive: string, output: ByteOutput): Promise<void> {
    const itself = archive === '-' ? undefined : await this.files.stat(archive);
    for (const operand of operands)
      await this.entry(resolvePath(this.how.directory, operand), this.memberName(operand), itself, output);
    await this.write(output, endBlocks(this.written));
  }

  private memberName(operand: string): string {
    const name = operand.replace(/\/+$/, '');
    if (!operand.startsWith('/')) return name;
    if (!this.warned) this.io.error("tar: Removing leading `/' from member names\n");
    this.warned = true;
    return name.replace(/^\/+/, '') || '.';
  }

  /** @param fileSystem the one to stay on, below an operand */
  private async entry(
    path: string,
    name: string,
    itself: FileStatus | undefined,
    output: ByteOutput,
    fileSystem?: number,
  ): Promise<void> {
    let status: FileStatus;
    try {
      status = await this.files.lstat(path);
    } catch (error) {
      const text = sentenceOf(error);
      if (text === undefined) throw error;
      this.complain(`${name}: Cannot stat: ${text.slice(text.lastIndexOf(': ') + 2)}`);
      return;
    }
    if (itself?.fileSystem === status.fileSystem && itself.inode === status.inode) {
      this.io.error(`tar: ${name}: file is the archive; not dumped\n`);
      return;
    }
    if (status.kind === 'socket') {
      this.io.error(`tar: ${name}: socket ignored\n`);
      return;
    }
    this.progress.step(() => `${humanSize(this.written)}: ${name}`);
    if (this.how.verbose) this.io.error(`${name}${status.kind === 'directory' ? '/' : ''}\n`);
    await this.member(path, name, status, output);
    if (status.kind !== 'directory') return;
    if (this.how.oneFileSystem && fileSystem !== undefined && status.fileSystem !== fileSystem) return;
    for (const { name: below } of await this.files.readDirectory(path))
      await this.entry(`${path === '/' ? '' : path}/${below}`, `${name}/${below}`, itself, output, fileSystem ?? status.fileSystem);
  }

  private async member(path: string, name: string, status: FileStatus, output: ByteOutput): Promise<void> {
    const { kind } = status;
    if (kind === 'socket') return;
    const key = `${status.fileSystem}:${status.inode}`;
    const other = kind !== 'directory' && status.links > 1 ? this.links.get(key) : undefined;
    if (kind !== 'directory' && status.links > 1 && other === undefined) this.links.set(key, name);
    const header: TarEntry = {
      path: name,
      kind: other === undefined ? kind : 'hard-link',
      mode: status.mode,
      uid: status.uid,
      gid: status.gid,
      sizeBytes: kind === 'file' && other === undefined ? status.sizeBytes : 0,
      mtime: Math.max(0, Math.floor(status.mtimeMs / 1000)),
      target: other ?? (kind === 'symlink' ? await this.files.readLink(path) : ''),
      device: status.device,
    };
    for (const block of headerBlocks(header)) await this.write(output, block);
    if (header.sizeBytes > 0) await this.content(path, name, header.sizeBytes, output);
  }

  /** As many bytes as the header says, whatever has become of the file. */
  private async content(path: string, name: string, sizeBytes: number, output: ByteOutput): Promise<void> {
    const file = await this.files.open(path);
    let shrunk = false;
    try {
      for (let at = 0; at < sizeBytes;) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes - at));
        const count = await file.read(at, piece);
        if (count < piece.length && !shrunk) {
          this.complain(`${name}: File shrank by ${sizeBytes - at - count} bytes; padding with zeros`);
          shrunk = true;
        }
        // What was not read is zeros.
        await this.write(output, piece);
        at += piece.length;
        this.progress.step(() => `${humanSize(this.written)}: ${name}`);
      }
    } finally {
      await file.close();
    }
    await this.write(output, paddingOf(sizeBytes));
  }

  private async write(output: ByteOutput, bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.written += bytes.length;
    await output.write(bytes);
  }
}
