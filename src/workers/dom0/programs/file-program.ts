/** What the programs for files and disks share: their frame, which words errors as such programs do, and signs of progress. */
import { StorageError } from '../../../engine/storage/chunk-store.ts';
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { PosixError } from '../../../engine/storage/mountable.ts';
import { TarError } from '../../../engine/storage/tar/tar-header.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import { parseOptions, UsageError, type OptionSpecification, type ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import { Interrupted, type Clock } from '../../../engine/toolstack/services.ts';
import { XendError } from '../../../engine/toolstack/xend-error.ts';

export interface FileTools {
  readonly files: FileSystem;
  readonly clock: Clock;
}

/** Ends the program with its message behind the program's name. */
export class ProgramError extends Error {
  constructor(
    message: string,
    readonly status = 1,
  ) {
    super(message);
  }
}

export interface ProgramSpecification {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionSpecification[];
  /** Status when the command line is wrong. */
  readonly usageStatus?: number;
  readonly run: (options: ParsedOptions, io: CommandIo) => Promise<number | undefined>;
}

export function fileProgram({ name, description, options, usageStatus = 1, run }: ProgramSpecification): Command {
  return {
    name,
    description,
    async run(words, io) {
      try {
        return (await run(parseOptions(words, options), io)) ?? 0;
      } catch (error) {
        const text = sentenceOf(error);
        if (text === undefined) throw error;
        io.error(`${name}: ${text}\n`);
        return error instanceof ProgramError ? error.status : error instanceof UsageError ? usageStatus : 1;
      }
    },
  };
}

/** What a user is told of an error that has to do with files or disks; undefined for other errors. */
export function sentenceOf(error: unknown): string | undefined {
  if (error instanceof FileSystemError)
    return `${error.path}: ${error.sentence}${error.detail === undefined ? '' : ` (${error.detail})`}`;
  const known =
    error instanceof ProgramError ||
    error instanceof UsageError ||
    error instanceof XendError ||
    error instanceof StorageError ||
    error instanceof PosixError ||
    error instanceof TarError ||
    error instanceof RangeError;
  return known ? error.message : undefined;
}

export const flag = (name: string, ...spellings: string[]): OptionSpecification => ({ name, spellings });
export const valued = (name: string, ...spellings: string[]): OptionSpecification => ({ name, spellings, takesValue: true });

const SHOWN_AFTER_MS = 500;
const SHOWN_EVERY_MS = 200;

/** Shows how far something is once it takes longer than half a second, and ends it when it is called off. */
export class Progress {
  private readonly began: number;
  private shown = 0;

  constructor(
    private readonly io: CommandIo,
    private readonly clock: Clock,
  ) {
    this.began = clock.nowMs();
  }

  get elapsedMs(): number {
    return this.clock.nowMs() - this.began;
  }

  step(text: () => string): void {
    if (this.io.cancellation.cancelled) throw new Interrupted();
    const now = this.clock.nowMs();
    if (now - this.began < SHOWN_AFTER_MS || now - this.shown < SHOWN_EVERY_MS) return;
    this.shown = now;
    this.io.progress(text());
  }
}

/** "1.5G", "20M", "512": of 1024s, as the tools show with -h. */
export function humanSize(bytes: number): string {
  let amount = bytes;
  let unit = '';
  for (const next of ['K', 'M', 'G', 'T', 'P']) {
    if (amount < 1024) break;
    amount /= 1024;
    unit = next;
  }
  if (unit === '') return String(amount);
  return (amount < 9.95 ? (Math.ceil(amount * 10) / 10).toFixed(1) : String(Math.ceil(amount))) + unit;
}

const MULTIPLES: Readonly<Record<string, number>> = {
  '': 1,
  c: 1,
  w: 2,
  b: 512,
  kB: 1000,
  k: 1024,
  K: 1024,
  KiB: 1024,
  MB: 1000 ** 2,
  M: 1024 ** 2,
  m: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1000 ** 3,
  G: 1024 ** 3,
  g: 1024 ** 3,
  GiB: 1024 ** 3,
  TB: 1000 ** 4,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
};

/** "2048k", "1M", "3x512"; undefined for anything else. */
export function parseCount(text: string): number | undefined {
  let product = 1;
  for (const factor of text.split('x')) {
    const [, digits, unit = ''] = /^(\d+)([A-Za-z]*)$/.exec(factor) ?? [];
    const multiple = MULTIPLES[unit];
    if (digits === undefined || multiple === undefined) return undefined;
    product *= Number(digits) * multiple;
  }
  return Number.isSafeInteger(product) ? product : undefined;
}
