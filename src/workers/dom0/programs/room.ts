/** df, du, sync: how much room there is and who has it. */
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import type { ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import { fileProgram, flag, humanSize, Progress, valued, type FileTools } from './file-program.ts';

const SECTOR_BYTES = 512;

export function roomPrograms(tools: FileTools): Command[] {
  return [
    fileProgram({
      name: 'df',
      description: 'show the room on file systems',
      options: [
        flag('human', '-h', '--human-readable'),
        flag('all', '-a', '--all'),
        flag('type', '-T', '--print-type'),
        flag('k', '-k'),
        flag('mebi', '-m'),
      ],
      run: (options, io) => df(tools, options, io),
    }),
    fileProgram({
      name: 'du',
      description: 'show the room that files take',
      options: [
        flag('human', '-h', '--human-readable'),
        flag('summary', '-s', '--summarize'),
        flag('all', '-a', '--all'),
        flag('total', '-c', '--total'),
        flag('oneFileSystem', '-x', '--one-file-system'),
        flag('k', '-k'),
        flag('mebi', '-m'),
        flag('bytes', '-b', '--bytes'),
        flag('apparent', '--apparent-size'),
        valued('depth', '-d', '--max-depth'),
      ],
      run: (options, io) => du(tools, options, io),
    }),
    fileProgram({
      name: 'sync',
      description: 'make all that was written durable',
      options: [],
      run: async () => {
        await tools.files.flush();
        return 0;
      },
    }),
  ];
}

function shown(options: ParsedOptions, bytes: number): string {
  if (options.has('human')) return humanSize(bytes);
  if (options.has('bytes')) return String(bytes);
  return String(Math.ceil(bytes / (options.has('mebi') ? 1024 * 1024 : 1024)));
}

async function df({ files }: FileTools, options: ParsedOptions, io: CommandIo): Promise<number> {
  const mounts =
    options.operands.length > 0
      ? await Promise.all(options.operands.map((name) => files.mountOf(resolvePath(io.directory, name))))
      : files.mounts.list();
  const unit = options.has('human') ? 'Size' : options.has('mebi') ? '1M-blocks' : '1K-blocks';
  const rows = [
    [
      'Filesystem',
      ...(options.has('type') ? ['Type'] : []),
      unit,
      'Used',
      options.has('human') ? 'Avail' : 'Available',
      'Use%',
      'Mounted on',
    ],
  ];
  for (const mount of mounts) {
    const { blockBytes, blocks, freeBlocks, availableBlocks } = await files.statfs(mount);
    // What is bound has no room of its own.
    if ((blocks === 0 || mount.bound) && !options.has('all') && options.operands.length === 0) continue;
    const used = blocks - freeBlocks;
    const share = used + availableBlocks === 0 ? '-' : `${Math.ceil((used / (used + availableBlocks)) * 100)}%`;
    const sizes = [blocks, used, availableBlocks].map((count) => shown(options, count * blockBytes));
    rows.push([mount.source, ...(options.has('type') ? [mount.fileSystem.type] : []), ...sizes, share, mount.path]);
  }
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const left = options.has('type') ? 2 : 1;
  for (const row of rows) {
    const cells = row.map((cell, column) => {
      if (column === columns - 1) return cell;
      return column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
    });
    io.out(`${cells.join(' ')}\n`);
  }
  return 0;
}

async function du({ files, clock }: FileTools, options: ParsedOptions, io: CommandIo): Promise<number> {
  const progress = new Progress(io, clock);
  const seen = new Set<string>();
  const apparent = options.has('apparent') || options.has('bytes');
  const depthMax = options.has('summary') ? 0 : Number(options.value('depth') ?? Infinity);
  let status = 0;
  const measure = async (path: string, name: string, depth: number, on: number | undefined): Promise<number> => {
    progress.step(() => name);
    const itself = await files.lstat(path);
    const key = `${itself.fileSystem}:${itself.inode}`;
    if (
      (on !== undefined && options.has('oneFileSystem') && itself.fileSystem !== on) ||
      (itself.links > 1 && itself.kind !== 'directory' && seen.has(key))
    )
      return 0;
    seen.add(key);
    let bytes = apparent ? itself.sizeBytes : itself.blocks * SECTOR_BYTES;
    if (itself.kind === 'directory') {
      for (const entry of await files.readDirectory(path)) {
        try {
          bytes += await measure(
            `${path === '/' ? '' : path}/${entry.name}`,
            `${name === '/' ? '' : name}/${entry.name}`,
            depth + 1,
            itself.fileSystem,
          );
        } catch (error) {
          if (!(error instanceof FileSystemError)) throw error;
          io.error(`du: cannot access '${error.path}': ${error.sentence}\n`);
          status = 1;
        }
      }
    }
    if (depth === 0 || (depth <= depthMax && (itself.kind === 'directory' || options.has('all'))))
      io.out(`${shown(options, bytes)}\t${name}\n`);
    return bytes;
  };
  let total = 0;
  for (const name of options.operands.length > 0 ? options.operands : ['.']) {
    try {
      total += await measure(resolvePath(io.directory, name), name, 0, undefined);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      io.error(`du: cannot access '${name}': ${error.sentence}\n`);
      status = 1;
    }
  }
  if (options.has('total')) io.out(`${shown(options, total)}\ttotal\n`);
  return status;
}
