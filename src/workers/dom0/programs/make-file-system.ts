/** mkfs, mke2fs, mkfs.ext2, mkfs.ext3, mkfs.ext4: make a file system on a device or in a file, with mke2fs's words. */
import { makeFileSystem } from '../../../engine/storage/ext/make-file-system.ts';
import type { ExtType } from '../../../engine/storage/ext/geometry.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import { encodeUtf8, decodeUtf8 } from '../../../engine/storage/utf8.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import type { ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import type { BlockSources } from '../../../engine/toolstack/devices/block-sources.ts';
import { versionFour } from '../../../engine/toolstack/uuid.ts';
import { Interrupted } from '../../../engine/toolstack/services.ts';
import { fileProgram, flag, parseCount, ProgramError, valued, type FileTools } from './file-program.ts';

const NS_PER_MS = 1_000_000n;
const TYPES: ReadonlySet<string> = new Set(['ext2', 'ext3', 'ext4']);

export interface MakeTools extends FileTools {
  readonly sources: BlockSources;
  random(bytes: Uint8Array): void;
}

export function makeFileSystemPrograms(tools: MakeTools): Command[] {
  const program = (name: string, usual: ExtType): Command =>
    fileProgram({
      name,
      description: `make a file system${name === 'mkfs' ? '' : ` of type ${usual}`}`,
      options: [
        valued('type', '-t', '--type'),
        valued('blockBytes', '-b'),
        valued('label', '-L'),
        valued('inodeRatio', '-i'),
        valued('inodes', '-N'),
        valued('inodeBytes', '-I'),
        valued('reserved', '-m'),
        valued('journal', '-J'),
        flag('withJournal', '-j'),
        flag('quiet', '-q'),
        flag('force', '-F'),
        flag('verbose', '-v'),
      ],
      run: async (options, io) => {
        const type = options.value('type') ?? (options.has('withJournal') && usual === 'ext2' ? 'ext3' : usual);
        if (!isType(type)) throw new ProgramError(`there is no mkfs.${type}: ext2, ext3 and ext4 can be made`);
        await make(tools, name, type, options, io);
        return 0;
      },
    });
  return [
    program('mkfs', 'ext2'),
    program('mke2fs', 'ext2'),
    program('mkfs.ext2', 'ext2'),
    program('mkfs.ext3', 'ext3'),
    program('mkfs.ext4', 'ext4'),
  ];
}

const isType = (type: string): type is ExtType => TYPES.has(type);

async function make(tools: MakeTools, name: string, type: ExtType, options: ParsedOptions, io: CommandIo): Promise<void> {
  const { files, sources } = tools;
  const [target, blockCount] = options.operands;
  if (target === undefined) throw new ProgramError(`usage: ${name} [-t TYPE] [-b BLOCK-SIZE] [-L LABEL] DEVICE [BLOCKS]`);
  const path = resolvePath(io.directory, target);
  if (!(await files.exists(path))) throw new ProgramError(`Could not stat ${target} --- No such file or directory`);
  const status = await files.stat(path);
  const realPath = await files.realPath(path);
  if (files.mounts.list().some(({ source }) => source === realPath))
    throw new ProgramError(`${target} is mounted; will not make a filesystem here!`);
  if (status.kind !== 'block-device' && !options.has('force') && !(await confirmed(target, io))) return;
  const number = (option: string): number | undefined => {
    const text = options.value(option);
    if (text === undefined) return undefined;
    const value = parseCount(text);
    if (value === undefined) throw new ProgramError(`invalid number: ${text}`);
    return value;
  };
  const random = new Uint8Array(16);
  tools.random(random);
  const uuid = versionFour(random);
  const blockBytes = number('blockBytes');
  const journal = /^size=(\d+)$/.exec(options.value('journal') ?? '')?.[1];
  const blocks = blockCount === undefined ? undefined : parseCount(blockCount);
  if (blockCount !== undefined && blocks === undefined)
    throw new ProgramError(`invalid blocks '${blockCount}' on device '${target}'`);
  // A guest that has it would see its disk change under it.
  const release = sources.mounting(realPath, true);
  const file = await files.open(path).catch((error: unknown) => {
    release();
    throw error;
  });
  try {
    const disk = file.disk(false);
    if (disk === undefined) throw new ProgramError(`${target} is not a disk`);
    const label = options.value('label');
    const inodeRatio = number('inodeRatio');
    const inodes = number('inodes');
    const inodeBytes = number('inodeBytes');
    const reserved = number('reserved');
    const made = await makeFileSystem(disk, {
      type,
      uuid,
      now: () => BigInt(Math.floor(tools.clock.nowMs())) * NS_PER_MS,
      ...(blockBytes === undefined ? {} : { blockBytes }),
      ...(blocks === undefined ? {} : { blocks }),
      ...(label === undefined ? {} : { label }),
      ...(inodeRatio === undefined ? {} : { inodeRatio }),
      ...(inodes === undefined ? {} : { inodes }),
      ...(inodeBytes === undefined ? {} : { inodeBytes }),
      ...(reserved === undefined ? {} : { reservedPercent: reserved }),
      ...(journal === undefined ? {} : { journalMiB: Number(journal) }),
    });
    await file.sync();
    if (!options.has('quiet')) io.out(report(made, uuid));
  } finally {
    await file.close();
    release();
  }
}

/** As mke2fs words it. From a terminal or from what is piped in; an empty answer is no. */
async function confirmed(target: string, io: CommandIo): Promise<boolean> {
  io.out(`${target} is not a block special device.\nProceed anyway? (y,N) `);
  const answer = io.terminal === undefined ? (io.stdin ?? '').trim() : await typedLine(io);
  if (io.terminal === undefined) io.out('\n');
  return /^y/i.test(answer);
}

/** A line from the terminal, echoed. */
async function typedLine({ terminal }: CommandIo): Promise<string> {
  let line = '';
  for (;;) {
    const keys = await terminal?.read();
    if (keys === undefined) return '';
    for (const character of decodeUtf8(keys)) {
      if (character === '\x03') {
        terminal?.write('^C\r\n');
        throw new Interrupted();
      }
      if (character === '\r' || character === '\n' || character === '\x04') {
        terminal?.write('\r\n');
        return line;
      }
      if (character === '\x7f' || character === '\b') {
        if (line !== '') terminal?.write('\b \b');
        line = line.slice(0, -1);
      } else if (character >= ' ') {
        line += character;
        terminal?.write(encodeUtf8(character));
      }
    }
  }
}

function report(made: Awaited<ReturnType<typeof makeFileSystem>>, uuid: Uint8Array): string {
  const hex = [...uuid].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const shownUuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const { blockBytes, blocks, inodes, groups, journalBlocks, backups } = made;
  const lines = [
    `Creating filesystem with ${blocks} ${blockBytes / 1024}k blocks and ${inodes} inodes`,
    `Filesystem UUID: ${shownUuid}`,
    ...(backups.length > 0 ? ['Superblock backups stored on blocks: ', `\t${backups.join(', ')}`] : []),
    '',
    'Allocating group tables: done                            ',
    'Writing inode tables: done                            ',
    ...(journalBlocks > 0 ? [`Creating journal (${journalBlocks} blocks): done`] : []),
    `Writing superblocks and filesystem accounting information: ${groups > 0 ? 'done' : ''}`,
  ];
  return `${lines.join('\n')}\n\n`;
}
