/** dd: copies blocks from anywhere to anywhere, in pieces, with its report. */
import type { OpenFile } from '../../../engine/storage/file-system.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import { Interrupted } from '../../../engine/toolstack/services.ts';
import { humanSize, parseCount, ProgramError, Progress, sentenceOf, type FileTools } from './file-program.ts';

const BLOCK_BYTES_MAX = 64 * 1024 * 1024;
const OPERANDS = new Set(['if', 'of', 'bs', 'ibs', 'obs', 'count', 'skip', 'seek', 'conv', 'status', 'iflag', 'oflag']);
const CONVERSIONS = new Set(['notrunc', 'sparse', 'sync', 'fsync', 'fdatasync', 'noerror', 'nocreat', 'excl']);

interface Request {
  readonly input: string | undefined;
  readonly output: string | undefined;
  readonly blockBytes: number;
  readonly count: number;
  readonly skip: number;
  readonly seek: number;
  readonly conversions: ReadonlySet<string>;
  readonly quiet: boolean;
}

export function dd({ files, clock }: FileTools): Command {
  const copy = async (request: Request, io: CommandIo): Promise<void> => {
    const { blockBytes, conversions } = request;
    const input = request.input === undefined ? undefined : await files.open(resolvePath(io.directory, request.input));
    let output: OpenFile | undefined;
    try {
      output = request.output === undefined ? undefined : await openOutput(request, request.output, io);
      const report = new Report();
      const progress = new Progress(io, clock);
      const began = clock.nowMs();
      const stdin = input === undefined ? (io.stdinBytes ?? new Uint8Array(0)) : new Uint8Array(0);
      const buffer = new Uint8Array(Math.min(blockBytes, BLOCK_BYTES_MAX));
      let to = request.seek * blockBytes;
      try {
        for (let n = 0; n < request.count; n += 1) {
          progress.step(() => `${humanSize(report.bytes)} copied`);
          const from = (request.skip + n) * blockBytes;
          const got = input === undefined ? fill(buffer, stdin.subarray(from)) : await input.read(from, buffer);
          if (got === 0) break;
          report.read(got === blockBytes);
          let part = buffer.subarray(0, got);
          if (conversions.has('sync') && got < blockBytes) part = buffer.fill(0, got);
          if (output === undefined) io.outBytes?.(part.slice());
          else if (!conversions.has('sparse') || !part.every((byte) => byte === 0)) await output.write(to, part.slice());
          to += part.length;
          report.written(part.length, part.length === blockBytes);
        }
        if (output !== undefined && conversions.has('sparse') && ((await output.size()) ?? to) < to) await output.truncate(to);
        if (output !== undefined && (conversions.has('fsync') || conversions.has('fdatasync'))) await output.sync();
      } finally {
        if (!request.quiet) io.error(report.text(clock.nowMs() - began));
      }
    } finally {
      await output?.close();
      await input?.close();
    }
  };

  const openOutput = async (request: Request, name: string, io: CommandIo): Promise<OpenFile> => {
    const path = resolvePath(io.directory, name);
    const { conversions } = request;
    if (conversions.has('excl') && (await files.exists(path))) throw new ProgramError(`failed to open '${name}': File exists`);
    const file = await files.open(path, conversions.has('nocreat') ? {} : { create: 0o644 });
    const end = request.seek * request.blockBytes;
    // As dd does: what is there up to the place where it begins to write stays.
    if (!conversions.has('notrunc') && ((await file.size()) ?? 0) !== end)
      await file.truncate(Math.min(end, (await file.size()) ?? end));
    return file;
  };

  return {
    name: 'dd',
    description: 'copy blocks from one file or device to another',
    async run(words, io) {
      try {
        await copy(parse(words), io);
        return 0;
      } catch (error) {
        if (error instanceof Interrupted) throw error;
        const text = sentenceOf(error);
        if (text === undefined) throw error;
        io.error(`dd: ${text}\n`);
        return 1;
      }
    },
  };
}

function parse(words: readonly string[]): Request {
  const given = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    const name = word.slice(0, Math.max(at, 0));
    if (!OPERANDS.has(name)) throw new ProgramError(`unrecognized operand '${word}'`);
    given.set(name, word.slice(at + 1));
  }
  const number = (name: string, otherwise: number): number => {
    const text = given.get(name);
    if (text === undefined) return otherwise;
    const value = parseCount(text);
    if (value === undefined) throw new ProgramError(`invalid number: '${text}'`);
    return value;
  };
  if ((given.has('ibs') || given.has('obs')) && given.get('ibs') !== given.get('obs'))
    throw new ProgramError('ibs and obs that differ are not supported: use bs');
  const blockBytes = number('bs', number('ibs', 512));
  if (blockBytes === 0 || blockBytes > BLOCK_BYTES_MAX)
    throw new ProgramError(`invalid block size: from 1 byte to ${humanSize(BLOCK_BYTES_MAX)}`);
  const conversions = new Set((given.get('conv') ?? '').split(',').filter((word) => word !== ''));
  for (const word of conversions) if (!CONVERSIONS.has(word)) throw new ProgramError(`invalid conversion: '${word}'`);
  const places = { skip: number('skip', 0), seek: number('seek', 0) };
  for (const blocks of Object.values(places))
    if (!Number.isSafeInteger(blocks * blockBytes)) throw new ProgramError('offset overflow');
  return {
    input: given.get('if'),
    output: given.get('of'),
    blockBytes,
    count: number('count', Infinity),
    ...places,
    conversions,
    quiet: given.get('status') === 'none',
  };
}

function fill(into: Uint8Array, from: Uint8Array): number {
  const part = from.subarray(0, into.length);
  into.set(part);
  return part.length;
}

/** The lines at the end: whole and partial blocks in and out, bytes, time, rate. */
class Report {
  bytes = 0;
  private readonly blocks = { in: { whole: 0, partial: 0 }, out: { whole: 0, partial: 0 } };

  read(whole: boolean): void {
    this.blocks.in[whole ? 'whole' : 'partial'] += 1;
  }

  written(bytes: number, whole: boolean): void {
    this.blocks.out[whole ? 'whole' : 'partial'] += 1;
    this.bytes += bytes;
  }

  text(elapsedMs: number): string {
    const seconds = Math.max(elapsedMs, 1) / 1000;
    const line = (direction: 'in' | 'out'): string => {
      const { whole, partial } = this.blocks[direction];
      return `${whole}+${partial} records ${direction}\n`;
    };
    const shown = this.bytes < 1000 ? '' : ` (${decimalSize(this.bytes)})`;
    return `${line('in')}${line('out')}${this.bytes} bytes${shown} copied, ${seconds.toPrecision(3)} s, ${decimalSize(this.bytes / seconds)}/s\n`;
  }
}

function decimalSize(bytes: number): string {
  let amount = bytes;
  let unit = 'B';
  for (const next of ['kB', 'MB', 'GB', 'TB']) {
    if (amount < 1000) break;
    amount /= 1000;
    unit = next;
  }
  return `${amount < 10 && unit !== 'B' ? amount.toFixed(1) : amount.toFixed(0)} ${unit}`;
}
