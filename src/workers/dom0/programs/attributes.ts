/** stat, chown, chgrp, truncate, mknod: what a file is besides its contents. */
import { resolvePath } from '../../../engine/storage/path.ts';
import type { FileStatus } from '../../../engine/storage/file-system.ts';
import type { FileKind } from '../../../engine/storage/mountable.ts';
import type { Command } from '../../../engine/toolstack/command.ts';
import { formatLogTime } from '../../../engine/toolstack/xend/xend-log.ts';
import { fileProgram, flag, parseCount, ProgramError, valued, type FileTools } from './file-program.ts';
import { modeLetters, typeLetter } from './list-files.ts';
import { readOwners, type Owners } from './owners.ts';

const KINDS: Readonly<Record<FileKind, string>> = {
  file: 'regular file',
  directory: 'directory',
  symlink: 'symbolic link',
  'character-device': 'character special file',
  'block-device': 'block special file',
  fifo: 'fifo',
  socket: 'socket',
};
const TYPE_BITS: Readonly<Record<FileKind, number>> = {
  fifo: 0o010000,
  'character-device': 0o020000,
  directory: 0o040000,
  'block-device': 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

export function attributePrograms({ files }: FileTools): Command[] {
  const owner = (name: string, groupOnly: boolean): Command =>
    fileProgram({
      name,
      description: groupOnly ? 'give files to a group' : 'give files to a user',
      options: [flag('recursive', '-R', '--recursive'), flag('links', '-h', '--no-dereference'), flag('quiet', '-f', '--silent')],
      run: async (options, io) => {
        const [whom, ...names] = options.operands;
        if (whom === undefined || names.length === 0) throw new ProgramError('missing operand');
        const { uid, gid } = parseOwner(groupOnly ? `:${whom}` : whom, await readOwners(files));
        const change = async (path: string): Promise<void> => {
          await files.changeOwner(path, uid, gid, !options.has('links') && !options.has('recursive'));
          if (!options.has('recursive') || (await files.lstat(path)).kind !== 'directory') return;
          for (const entry of await files.readDirectory(path)) await change(`${path}/${entry.name}`);
        };
        for (const each of names) await change(resolvePath(io.directory, each));
        return 0;
      },
    });
  return [
    owner('chown', false),
    owner('chgrp', true),
    fileProgram({
      name: 'truncate',
      description: 'make files shorter or longer, with holes',
      options: [valued('size', '-s', '--size'), flag('noCreate', '-c', '--no-create')],
      run: async (options, io) => {
        const text = options.value('size') ?? '';
        const [, sign = '', digits = ''] = /^([+-]?)(.*)$/.exec(text) ?? [];
        const size = parseCount(digits);
        if (size === undefined) throw new ProgramError(text === '' ? "you must specify '--size'" : `Invalid number: '${text}'`);
        for (const name of options.operands) {
          const path = resolvePath(io.directory, name);
          const exists = await files.exists(path);
          if (!exists && options.has('noCreate')) continue;
          const before = exists ? (await files.stat(path)).sizeBytes : 0;
          await files.truncate(path, Math.max(0, sign === '+' ? before + size : sign === '-' ? before - size : size));
        }
        return 0;
      },
    }),
    fileProgram({
      name: 'mknod',
      description: 'make a device node or a pipe',
      options: [valued('mode', '-m', '--mode')],
      run: async (options, io) => {
        const [name, type, major, minor] = options.operands;
        const kind = { b: 'block-device', c: 'character-device', u: 'character-device', p: 'fifo' }[type ?? ''];
        if (name === undefined || (kind !== 'block-device' && kind !== 'character-device' && kind !== 'fifo'))
          throw new ProgramError('usage: mknod [-m MODE] NAME {b|c} MAJOR MINOR, or mknod NAME p');
        const device = { major: Number(major ?? 0), minor: Number(minor ?? 0) };
        if (
          kind !== 'fifo' &&
          !(/^\d+$/.test(major ?? '') && /^\d+$/.test(minor ?? '') && device.major < 4096 && device.minor < 2 ** 20)
        )
          throw new ProgramError('invalid device numbers');
        const mode = options.value('mode');
        if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode)) throw new ProgramError(`invalid mode '${mode}'`);
        await files.makeNode(resolvePath(io.directory, name), kind, mode === undefined ? 0o644 : parseInt(mode, 8), device);
        return 0;
      },
    }),
    fileProgram({
      name: 'stat',
      description: 'show what a file is',
      options: [flag('follow', '-L', '--dereference'), valued('format', '-c', '--format')],
      run: async (options, io) => {
        const owners = await readOwners(files);
        for (const name of options.operands) {
          const path = resolvePath(io.directory, name);
          const status = await (options.has('follow') ? files.stat(path) : files.lstat(path));
          const target = status.kind === 'symlink' ? ` -> ${await files.readLink(path)}` : '';
          const format = options.value('format');
          io.out(format === undefined ? long(name, target, status, owners) : `${formatted(format, name, status, owners)}\n`);
        }
        return 0;
      },
    }),
  ];
}

function parseOwner(text: string, owners: Owners): { uid: number | undefined; gid: number | undefined } {
  const [user = '', group] = text.split(/[:.]/);
  const uid = user === '' ? undefined : owners.uid(user);
  const gid = group === undefined || group === '' ? undefined : owners.gid(group);
  if (user !== '' && uid === undefined) throw new ProgramError(`invalid user: '${text}'`);
  if (group !== undefined && group !== '' && gid === undefined) throw new ProgramError(`invalid group: '${text}'`);
  return { uid, gid };
}

const stamp = (ms: number): string => `${formatLogTime(ms)}.${String(Math.floor(ms % 1000)).padStart(3, '0')}000000 +0000`;

function long(name: string, target: string, status: FileStatus, owners: Owners): string {
  const { kind, mode, uid, gid } = status;
  const device = kind.endsWith('device') ? `  Device type: ${status.device.major},${status.device.minor}` : '';
  return [
    `  File: ${name}${target}`,
    `  Size: ${String(status.sizeBytes).padEnd(10)}\tBlocks: ${String(status.blocks).padEnd(10)} IO Block: ${String(status.blockBytes).padEnd(6)} ${KINDS[kind]}`,
    `Device: ${status.fileSystem}\tInode: ${String(status.inode).padEnd(11)} Links: ${status.links}${device}`,
    `Access: (${mode.toString(8).padStart(4, '0')}/${typeLetter(kind)}${modeLetters(mode)})  Uid: (${String(uid).padStart(5)}/${owners.user(uid).padStart(8)})   Gid: (${String(gid).padStart(5)}/${owners.group(gid).padStart(8)})`,
    `Access: ${stamp(status.atimeMs)}`,
    `Modify: ${stamp(status.mtimeMs)}`,
    `Change: ${stamp(status.ctimeMs)}`,
    '',
  ].join('\n');
}

function formatted(format: string, name: string, status: FileStatus, owners: Owners): string {
  const { kind, mode } = status;
  const seconds = (ms: number): string => String(Math.floor(ms / 1000));
  const values: Readonly<Record<string, () => string>> = {
    a: () => mode.toString(8),
    A: () => typeLetter(kind) + modeLetters(mode),
    b: () => String(status.blocks),
    B: () => '512',
    d: () => String(status.fileSystem),
    f: () => (TYPE_BITS[kind] | mode).toString(16),
    F: () => KINDS[kind],
    g: () => String(status.gid),
    G: () => owners.group(status.gid),
    h: () => String(status.links),
    i: () => String(status.inode),
    n: () => name,
    o: () => String(status.blockBytes),
    s: () => String(status.sizeBytes),
    t: () => status.device.major.toString(16),
    T: () => status.device.minor.toString(16),
    u: () => String(status.uid),
    U: () => owners.user(status.uid),
    x: () => stamp(status.atimeMs),
    X: () => seconds(status.atimeMs),
    y: () => stamp(status.mtimeMs),
    Y: () => seconds(status.mtimeMs),
    z: () => stamp(status.ctimeMs),
    Z: () => seconds(status.ctimeMs),
    '%': () => '%',
  };
  return format.replaceAll(/%(.)/g, (whole, letter: string) => values[letter]?.() ?? whole);
}
