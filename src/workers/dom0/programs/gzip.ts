/** gzip, gunzip, zcat: files compressed and unpacked a piece at a time, by the platform's streams. */
import type { GzipPadding } from '../../../engine/codec/gunzip.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import type { ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import {
  openInput,
  openOutput,
  PADDING_WARNINGS,
  piecesOf,
  unzippedPieces,
  zipped,
  type ArchiveTools,
  type ByteInput,
  type ByteOutput,
} from './byte-streams.ts';
import { fileProgram, flag, humanSize, ProgramError, Progress, sentenceOf } from './file-program.ts';

/** Endings of compressed files, and what is in the place of each when they are unpacked. */
const ENDINGS: readonly (readonly [ending: string, replaced: string])[] = [
  ['.gz', ''],
  ['.tgz', '.tar'],
  ['.taz', '.tar'],
  ['-gz', ''],
];
const WARNING = 2;

interface How {
  readonly unpack: boolean;
  readonly toOutput: boolean;
  readonly test: boolean;
  readonly keep: boolean;
  readonly force: boolean;
  readonly verbose: boolean;
}

export function gzipPrograms(tools: ArchiveTools): Command[] {
  const program = (name: string, description: string, preset: { unpack?: true; toOutput?: true }): Command =>
    fileProgram({
      name,
      description,
      options: [
        flag('unpack', '-d', '--decompress', '--uncompress'),
        flag('toOutput', '-c', '--stdout', '--to-stdout'),
        flag('test', '-t', '--test'),
        flag('keep', '-k', '--keep'),
        flag('force', '-f', '--force'),
        flag('verbose', '-v', '--verbose'),
        // No name and time are stored, and what is stored of them is not used.
        flag('noName', '-n', '--no-name'),
        flag('level', ...Array.from({ length: 9 }, (_, index) => `-${index + 1}`), '--fast', '--best'),
      ],
      run: async (options, io) => {
        if (options.has('level')) throw new ProgramError('the level of compression cannot be chosen: it is that of -6');
        return new Gzip(tools, io, name, howOf(options, preset)).run(options.operands);
      },
    });
  return [
    program('gzip', 'compress files', {}),
    program('gunzip', 'unpack compressed files', { unpack: true }),
    program('zcat', 'show what compressed files hold', { unpack: true, toOutput: true }),
  ];
}

function howOf(options: ParsedOptions, preset: { unpack?: true; toOutput?: true }): How {
  const test = options.has('test');
  return {
    unpack: preset.unpack === true || test || options.has('unpack'),
    toOutput: preset.toOutput === true || options.has('toOutput'),
    test,
    keep: options.has('keep'),
    force: options.has('force'),
    verbose: options.has('verbose'),
  };
}

class Gzip {
  private status = 0;
  private readonly progress: Progress;

  constructor(
    private readonly tools: ArchiveTools,
    private readonly io: CommandIo,
    private readonly name: string,
    private readonly how: How,
  ) {
    this.progress = new Progress(io, tools.clock);
  }

  async run(operands: readonly string[]): Promise<number> {
    for (const operand of operands.length === 0 ? ['-'] : operands) {
      try {
        if (operand === '-' || this.how.toOutput || this.how.test) await this.toOutput(operand);
        else await this.replace(operand);
      } catch (error) {
        const text = sentenceOf(error);
        if (text === undefined) throw error;
        this.complain(text, error instanceof ProgramError ? error.status : 1);
      }
    }
    return this.status;
  }

  private complain(text: string, status: number): void {
    this.io.error(`${this.name}: ${text}\n`);
    // A warning does not make an error less.
    if (this.status !== 1) this.status = status;
  }

  private async toOutput(operand: string): Promise<void> {
    const { files } = this.tools;
    const path = operand === '-' ? '-' : await this.compressedPath(resolvePath(this.io.directory, operand));
    const source = await openInput(files, path, this.io);
    // Tested is what is unpacked and thrown away. Only bytes that are no text must not go to a terminal.
    const output = this.how.test ? NOWHERE : this.how.unpack ? this.printed() : await openOutput(files, '-', this.io);
    await this.convert(source, output, operand);
    if (this.how.verbose && this.how.test) this.io.error(`${operand}:\t OK\n`);
  }

  private printed(): ByteOutput {
    const { io } = this;
    if (io.terminal === undefined && io.outBytes !== undefined)
      return { ...NOWHERE, write: (bytes) => Promise.resolve(io.outBytes?.(bytes)) };
    const decoder = new TextDecoder();
    return {
      ...NOWHERE,
      write: (bytes) => Promise.resolve(io.out(decoder.decode(bytes, { stream: true }))),
      end: () => Promise.resolve(io.out(decoder.decode())),
    };
  }

  /** "file" stands for "file.gz" where only that is there. */
  private async compressedPath(path: string): Promise<string> {
    const { files } = this.tools;
    return this.how.unpack && !(await files.exists(path)) && (await files.exists(`${path}.gz`)) ? `${path}.gz` : path;
  }

  private async replace(operand: string): Promise<void> {
    const { files } = this.tools;
    const path = await this.compressedPath(resolvePath(this.io.directory, operand));
    const status = await files.lstat(path);
    if (status.kind === 'directory') throw new ProgramError(`${operand} is a directory -- ignored`, WARNING);
    if (status.kind !== 'file' && !this.how.force)
      throw new ProgramError(`${operand} is not a directory or a regular file - ignored`, WARNING);
    const target = this.target(operand, path);
    const present = await files.exists(target);
    if (present && !this.how.force) throw new ProgramError(`${target} already exists; not overwritten`, WARNING);
    const source = await openInput(files, path, this.io);
    const output = await openOutput(files, target, this.io).catch(async (error: unknown) => {
      await source.close();
      throw error;
    });
    try {
      await this.convert(source, output, operand);
    } catch (error) {
      await files.remove(target, { force: true });
      throw error;
    }
    await files.changeOwner(target, status.uid, status.gid);
    await files.changeMode(target, status.mode);
    await files.changeTimes(target, status.mtimeMs, status.atimeMs);
    if (this.how.verbose) {
      const [before, after] = [status.sizeBytes, (await files.stat(target)).sizeBytes];
      const [packed, plain] = this.how.unpack ? [before, after] : [after, before];
      const saved = plain === 0 ? 0 : (1 - packed / plain) * 100;
      this.io.error(`${operand}:\t ${saved.toFixed(1)}% -- ${this.how.keep ? 'created' : 'replaced with'} ${target}\n`);
    }
    if (!this.how.keep) await files.remove(path);
  }

  private target(operand: string, path: string): string {
    const [ending, replaced] = ENDINGS.find(([candidate]) => path.endsWith(candidate)) ?? [];
    if (!this.how.unpack) {
      if (ending !== undefined && !this.how.force)
        throw new ProgramError(`${operand} already has ${ending} suffix -- unchanged`, WARNING);
      return `${path}.gz`;
    }
    if (ending === undefined) throw new ProgramError(`${operand}: unknown suffix -- ignored`, WARNING);
    return path.slice(0, -ending.length) + (replaced ?? '');
  }

  /** Reads all of the input through the compression, and closes both. */
  private async convert(source: ByteInput, output: ByteOutput, operand: string): Promise<void> {
    const padded = (padding: GzipPadding): void => {
      if (padding === 'garbage' || this.how.verbose) this.complain(`${operand}: ${PADDING_WARNINGS[padding]}`, WARNING);
    };
    const input = this.how.unpack ? source : zipped(source);
    const pieces = this.how.unpack ? unzippedPieces(this.tools, source, operand, padded) : piecesOf(input);
    let done = 0;
    try {
      // What comes before the damage of a file is written.
      for await (const piece of pieces) {
        await output.write(piece);
        done += piece.length;
        this.progress.step(() => `${operand}: ${humanSize(done)}`);
      }
    } catch (error) {
      await output.drop();
      throw error;
    } finally {
      await input.close();
    }
    await output.end();
  }
}

const NOWHERE: ByteOutput = {
  write: () => Promise.resolve(),
  end: () => Promise.resolve(),
  drop: () => Promise.resolve(),
};
