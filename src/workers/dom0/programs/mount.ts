/** mount and umount: file systems on devices, on files through loop devices, and in memory. */
import type { MountableFileSystem } from '../../../engine/storage/mountable.ts';
import { ExtFileSystem } from '../../../engine/storage/ext/ext-file-system.ts';
import { NativeFileSystem } from '../../../engine/storage/native/native-file-system.ts';
import type { Mount } from '../../../engine/storage/mount-table.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import { decodeUtf8 } from '../../../engine/storage/utf8.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import type { BlockSources } from '../../../engine/toolstack/devices/block-sources.ts';
import { fileProgram, flag, ProgramError, sentenceOf, valued, type FileTools } from './file-program.ts';

const NS_PER_MS = 1_000_000n;
const EXT_TYPES = new Set(['ext2', 'ext3', 'ext4', 'auto']);
const FAILED = 32;
/** Options that need nothing done here. */
const QUIET_OPTIONS = new Set([
  'rw',
  'ro',
  'bind',
  'loop',
  'defaults',
  'noatime',
  'relatime',
  'nodiratime',
  'exec',
  'suid',
  'dev',
  'sync',
  'async',
  'auto',
  'noauto',
  'user',
]);

export interface MountTools extends FileTools {
  readonly sources: BlockSources;
}

interface Backing {
  readonly image: NonNullable<ReturnType<BlockSources['loops']['get']>>['image'];
  readonly shown: string;
  release(): Promise<void>;
}

export class Mounter {
  /** What is to be let go after a mount. */
  private readonly backings = new Map<Mount, Backing>();

  constructor(private readonly tools: MountTools) {}

  programs(): Command[] {
    return [
      fileProgram({
        name: 'mount',
        description: 'mount a file system, or list what is mounted',
        options: [
          valued('type', '-t', '--types'),
          valued('options', '-o', '--options'),
          flag('readOnly', '-r', '--read-only'),
          flag('all', '-a', '--all'),
          flag('bind', '-B', '--bind'),
        ],
        usageStatus: 1,
        run: async (options, io) => {
          const given = (options.value('options') ?? '').split(',').filter((word) => word !== '');
          if (options.has('readOnly')) given.push('ro');
          if (options.has('bind')) given.push('bind');
          if (options.has('all')) return this.all(io);
          const type = options.value('type') ?? 'auto';
          const [source, place] = options.operands;
          if (source === undefined) {
            this.list(io, options.has('type') ? type : undefined);
            return 0;
          }
          if (given.includes('remount')) throw new ProgramError('remounting is not supported: unmount, and mount again', FAILED);
          const target = place === undefined ? await this.fromTable(source, io) : { source, place, type, given };
          await this.mount(target.source, resolvePath(io.directory, target.place), target.type, target.given, io);
          return 0;
        },
      }),
      fileProgram({
        name: 'umount',
        description: 'take a mounted file system away',
        options: [flag('lazy', '-l'), flag('force', '-f'), flag('detach', '-d')],
        usageStatus: 1,
        run: async (options, io) => {
          if (options.operands.length === 0) throw new ProgramError('bad usage: say what to unmount');
          let status = 0;
          for (const designation of options.operands) {
            try {
              await this.unmount(designation, io);
            } catch (error) {
              const text = error instanceof ProgramError ? error.message : sentenceOf(error);
              if (text === undefined) throw error;
              io.error(`umount: ${text}\n`);
              status = FAILED;
            }
          }
          return status;
        },
      }),
    ];
  }

  private list(io: CommandIo, type: string | undefined): void {
    for (const { source, path, fileSystem, options, readOnly } of this.tools.files.mounts.list()) {
      if (type !== undefined && fileSystem.type !== type) continue;
      io.out(`${source} on ${path} type ${fileSystem.type} (${[readOnly ? 'ro' : 'rw', ...options].join(',')})\n`);
    }
  }

  /** The lines of /etc/fstab. */
  private async table(): Promise<{ source: string; place: string; type: string; given: string[] }[]> {
    const { files } = this.tools;
    const text = (await files.exists('/etc/fstab')) ? decodeUtf8(await files.readFile('/etc/fstab')) : '';
    return text.split('\n').flatMap((line) => {
      const [source = '', place = '', type = 'auto', options = ''] = line.trim().split(/\s+/);
      return source.startsWith('#') || place === '' ? [] : [{ source, place, type, given: options.split(',') }];
    });
  }

  /** `mount /place` or `mount /dev/x`: the line of /etc/fstab. */
  private async fromTable(word: string, io: CommandIo): Promise<{ source: string; place: string; type: string; given: string[] }> {
    const found = (await this.table()).find(({ source, place }) => source === word || place === resolvePath(io.directory, word));
    if (found !== undefined) return found;
    throw new ProgramError(`can't find ${word} in /etc/fstab`);
  }

  /** Every line of /etc/fstab that is not mounted yet and does not say noauto. */
  private async all(io: CommandIo): Promise<number> {
    let status = 0;
    for (const { source, place, type, given } of await this.table()) {
      if (!place.startsWith('/') || given.includes('noauto')) continue;
      if (this.tools.files.mounts.list().some(({ path }) => path === place)) continue;
      try {
        await this.mount(source, place, type, given, io);
      } catch (error) {
        const text = error instanceof ProgramError ? error.message : sentenceOf(error);
        if (text === undefined) throw error;
        io.error(`mount: ${place}: ${text}\n`);
        status = FAILED;
      }
    }
    return status;
  }

  private async mount(source: string, place: string, type: string, given: readonly string[], io: CommandIo): Promise<void> {
    const { files } = this.tools;
    const [unknown] = given.filter((word) => !QUIET_OPTIONS.has(word) && !/^(loop|size|mode|errors|data)=/.test(word));
    if (unknown !== undefined) throw new ProgramError(`unsupported mount option "${unknown}"`, FAILED);
    if (given.includes('bind')) {
      if (given.includes('ro')) throw new ProgramError('read-only binding is not supported', FAILED);
      await files.bind(resolvePath(io.directory, source), place);
      return;
    }
    if (!(await files.exists(place))) throw new ProgramError(`mount point ${place} does not exist`, FAILED);
    if ((await files.stat(place)).kind !== 'directory') throw new ProgramError(`mount point ${place} is not a directory`, FAILED);
    if (type === 'nfs' || /^[\w.-]+:\//.test(source)) throw new ProgramError('NFS is not supported in domain 0', FAILED);
    const readOnly = given.includes('ro');
    if (type === 'tmpfs') {
      const { fileSystem } = await NativeFileSystem.open({ type: 'tmpfs', now: () => this.tools.clock.nowMs() });
      await files.mount(fileSystem, place, { source, readOnly });
      return;
    }
    if (!EXT_TYPES.has(type)) throw new ProgramError(`unknown filesystem type '${type}'`, FAILED);
    const loop = given.find((word) => word === 'loop' || word.startsWith('loop='));
    const backing = await this.backing(source, loop, readOnly, io);
    try {
      const fileSystem = await this.openExt(backing, source, type, readOnly, io);
      const options = backing.shown === source ? [] : [`loop=${backing.shown}`];
      const mount = await files.mount(fileSystem, place, { source: resolvePath(io.directory, source), readOnly, options });
      this.backings.set(mount, backing);
    } catch (error) {
      await backing.release();
      throw error;
    }
  }

  private async openExt(
    backing: Backing,
    source: string,
    type: string,
    readOnly: boolean,
    io: CommandIo,
  ): Promise<MountableFileSystem> {
    const now = (): bigint => BigInt(Math.floor(this.tools.clock.nowMs())) * NS_PER_MS;
    let fileSystem: ExtFileSystem;
    try {
      fileSystem = await ExtFileSystem.open(backing.image, { readOnly, now });
    } catch (error) {
      const reason = sentenceOf(error);
      if (reason === undefined) throw error;
      throw new ProgramError(`wrong fs type, bad option, bad superblock on ${source}: ${reason}`, FAILED);
    }
    const older = type === 'ext2' || (type === 'ext3' && fileSystem.type === 'ext4');
    if (older && fileSystem.type !== type && fileSystem.type === 'ext4') {
      await fileSystem.unmount();
      throw new ProgramError(`wrong fs type on ${source}: it is ${fileSystem.type}, not ${type}`, FAILED);
    }
    for (const warning of fileSystem.warnings) io.error(`mount: ${source}: ${warning}\n`);
    return fileSystem;
  }

  private async backing(source: string, loop: string | undefined, readOnly: boolean, io: CommandIo): Promise<Backing> {
    const { files, sources } = this.tools;
    const path = resolvePath(io.directory, source);
    if (!(await files.exists(path))) throw new ProgramError(`special device ${source} does not exist`, FAILED);
    const status = await files.stat(path);
    const realPath = await files.realPath(path);
    if (this.isMounted(realPath)) throw new ProgramError(`${source} is already mounted`, FAILED);
    if (status.kind === 'block-device') {
      const release = this.claim(realPath, !readOnly);
      const file = await files.open(path).catch((error: unknown) => {
        release();
        throw error;
      });
      const image = file.disk(readOnly);
      if (image === undefined) throw new ProgramError(`${source} is not a block device`, FAILED);
      return {
        image,
        shown: source,
        release: async () => {
          release();
          await file.close();
        },
      };
    }
    if (status.kind !== 'file' || loop === undefined)
      throw new ProgramError(`${source} is not a block device (maybe try \`-o loop'?)`, FAILED);
    const wanted = /^loop=\/dev\/loop(\d+)$/.exec(loop)?.[1];
    const release = this.claim(realPath, !readOnly);
    try {
      const device = await sources.loops.attach(realPath, {
        readOnly,
        automatic: true,
        ...(wanted === undefined ? {} : { number: Number(wanted) }),
      });
      return {
        image: device.image,
        shown: `/dev/loop${device.number}`,
        release: async () => {
          release();
          await sources.loops.detach(device.number);
        },
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  private claim(key: string, writes: boolean): () => void {
    const loop = /^\/dev\/loop(\d+)$/.exec(key)?.[1];
    const device = loop === undefined ? undefined : this.tools.sources.loops.get(Number(loop));
    const release = this.tools.sources.mounting(device?.path ?? key, writes);
    const free = device === undefined ? (): void => undefined : this.tools.sources.loops.use(device);
    return () => {
      release();
      free();
    };
  }

  private isMounted(realPath: string): boolean {
    return [...this.backings.keys()].some(({ source }) => source === realPath);
  }

  private async unmount(designation: string, io: CommandIo): Promise<void> {
    const { files } = this.tools;
    const path = resolvePath(io.directory, designation);
    const mounts = files.mounts.list();
    const mount = mounts.findLast((each) => each.path === path) ?? mounts.findLast((each) => each.source === path);
    if (mount === undefined) throw new ProgramError(`${designation}: not mounted`);
    if (io.directory === mount.path || io.directory.startsWith(`${mount.path}/`))
      throw new ProgramError(`${mount.path}: target is busy`);
    try {
      await files.unmount(mount);
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 'EBUSY') throw new ProgramError(`${mount.path}: target is busy`);
      throw error;
    } finally {
      if (!files.mounts.list().includes(mount)) {
        await this.backings.get(mount)?.release();
        this.backings.delete(mount);
      }
    }
  }
}
