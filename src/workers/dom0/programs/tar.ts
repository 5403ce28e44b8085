/** tar: archives made, listed and unpacked a piece at a time, plain or with gzip. */
import {
  openInput,
  openOutput,
  PADDING_WARNINGS,
  pipe,
  pour,
  unzipped,
  zipped,
  type ArchiveTools,
  type ByteInput,
} from './byte-streams.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import type { ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import { fileProgram, flag, ProgramError, Progress, sentenceOf, valued, type FileTools } from './file-program.ts';
import { readOwners } from './owners.ts';
import { TarPacker } from './tar-packer.ts';
import { TarUnpacker } from './tar-unpacker.ts';

const FAILED = 2;
/** Of the form without a dash: letters whose value is in one of the words behind. */
const VALUED_LETTERS = 'fC';
const GZIP_MAGIC = [0x1f, 0x8b];
const OTHERS: readonly (readonly [magic: readonly number[], name: string])[] = [
  [[0x42, 0x5a, 0x68], 'bzip2'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'xz'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'zstd'],
];

export function tarProgram(tools: ArchiveTools): Command {
  const program = fileProgram({
    name: 'tar',
    description: 'make, list and unpack archives',
    usageStatus: FAILED,
    options: [
      flag('create', '-c', '--create'),
      flag('extract', '-x', '--extract', '--get'),
      flag('list', '-t', '--list'),
      valued('file', '-f', '--file'),
      valued('directory', '-C', '--directory'),
      flag('gzip', '-z', '--gzip', '--gunzip'),
      flag('verbose', '-v', '--verbose'),
      // Whoever is root keeps owners and modes without being asked.
      flag('preserve', '-p', '--preserve-permissions', '--same-owner'),
      flag('keep', '-k', '--keep-old-files'),
      flag('oneFileSystem', '--one-file-system'),
      flag('numeric', '--numeric-owner'),
      valued('strip', '--strip-components'),
    ],
    run: (options, io) => run(tools, options, io),
  });
  return { ...program, run: (words, io) => program.run(withDashes(words), io) };
}

/** "xzf archive ..." as "-x -z -f archive ...". */
function withDashes(words: readonly string[]): string[] {
  const [letters = '', ...rest] = words;
  if (letters.startsWith('-') || !/^[A-Za-z]+$/.test(letters)) return [...words];
  const spelled = [...letters].flatMap((letter) => {
    const value = VALUED_LETTERS.includes(letter) ? rest.shift() : undefined;
    return value === undefined ? [`-${letter}`] : [`-${letter}`, value];
  });
  return [...spelled, ...rest];
}

async function run(tools: ArchiveTools, options: ParsedOptions, io: CommandIo): Promise<number> {
  const modes = ['create', 'extract', 'list'].filter((mode) => options.has(mode));
  if (modes.length !== 1) throw new ProgramError("You must specify one of the options '-ctx'", FAILED);
  const named = options.value('file') ?? '-';
  const archive = named === '-' ? '-' : resolvePath(io.directory, named);
  const directory = resolvePath(io.directory, options.value('directory') ?? '.');
  if (!(await tools.files.exists(directory)))
    throw new ProgramError(`${directory}: Cannot open: No such file or directory`, FAILED);
  const strip = Number(options.value('strip') ?? 0);
  if (!Number.isInteger(strip) || strip < 0) throw new ProgramError(`${options.value('strip') ?? ''}: invalid number`, FAILED);
  const progress = new Progress(io, tools.clock);
  const how = {
    directory,
    verbose: options.has('verbose'),
    keep: options.has('keep'),
    oneFileSystem: options.has('oneFileSystem'),
    strip,
    owners: options.has('numeric') ? undefined : await readOwners(tools.files),
  };
  const complaints = { failed: false };
  const complain = (text: string): void => {
    io.error(`tar: ${text}\n`);
    complaints.failed = true;
  };
  try {
    if (modes[0] === 'create') {
      if (options.operands.length === 0) throw new ProgramError('Cowardly refusing to create an empty archive', FAILED);
      await pack(new TarPacker(tools.files, io, how, complain, progress), options, archive, tools, io);
    } else {
      const input = await opened(tools, archive, options.has('gzip'), io, complain);
      try {
        const unpacker = new TarUnpacker(tools.files, io, how, complain, progress);
        await unpacker.run(input, options.operands, modes[0] === 'list');
      } finally {
        await input.close();
      }
    }
  } catch (error) {
    const text = sentenceOf(error);
    if (text === undefined) throw error;
    complain(text);
  }
  if (complaints.failed) io.error('tar: Exiting with failure status due to previous errors\n');
  return complaints.failed ? FAILED : 0;
}

async function pack(packer: TarPacker, options: ParsedOptions, archive: string, tools: FileTools, io: CommandIo): Promise<void> {
  const target = await openOutput(tools.files, archive, io);
  try {
    if (!options.has('gzip')) await packer.run(options.operands, archive, target);
    else {
      const { input, output } = pipe();
      const compressed = zipped(input);
      let failure: unknown;
      const packed = packer
        .run(options.operands, archive, output)
        .then(() => output.end())
        .catch(async (error: unknown) => {
          failure ??= error;
          await output.drop().catch(() => undefined);
        });
      await pour(compressed, target, () => undefined).catch((error: unknown) => {
        failure ??= error;
      });
      // Whoever is left waiting hears that nobody reads any more.
      await compressed.close();
      await packed;
      if (failure !== undefined) throw failure as Error;
    }
  } catch (error) {
    await target.drop();
    throw error;
  }
  await target.end();
}

/** The archive, unpacked if need be: by what it begins with, so that nobody has to say. */
async function opened(
  tools: ArchiveTools,
  archive: string,
  gzip: boolean,
  io: CommandIo,
  complain: (text: string) => void,
): Promise<ByteInput> {
  const input = await openInput(tools.files, archive, io);
  const head = new Uint8Array(8);
  const count = await input.read(head);
  let at = 0;
  const whole: ByteInput = {
    read: async (into) => {
      const part = head.subarray(at, Math.min(count, at + into.length));
      into.set(part);
      at += part.length;
      return part.length === into.length ? part.length : part.length + (await input.read(into.subarray(part.length)));
    },
    close: () => input.close(),
  };
  const begins = (magic: readonly number[]): boolean => magic.every((byte, index) => head[index] === byte);
  if (gzip || begins(GZIP_MAGIC)) {
    const what = archive === '-' ? 'the archive' : archive;
    return unzipped(tools, whole, what, (padding) => {
      if (padding === 'garbage') complain(`${what}: ${PADDING_WARNINGS[padding]}`);
    });
  }
  const other = OTHERS.find(([magic]) => begins(magic));
  if (other === undefined) return whole;
  await input.close();
  throw new ProgramError(`${archive}: archives compressed by ${other[1]} are not supported; gzip is`, FAILED);
}
