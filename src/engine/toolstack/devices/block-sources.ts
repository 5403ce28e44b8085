/**
 * Where the contents of virtual disks come from: `phy:` names a volume, `file:` and `tap:aio:` a file of domain 0, `tap:qcow2:` a file
 * or volume that is a qcow2 image (`tap:qcow:` is the same: version 1 of the format is not read). Keeps count
 * of who uses what, for the rules of sharing: a disk may be written by one or read by many, unless "w!" says otherwise, and what
 * domain 0 has mounted is no guest's.
 */
import type { BlockDescription, OpenedDisk } from '../../devices/block/block-device.ts';
import { ImageError } from '../../images/image-error.ts';
import { Qcow2Disk, qcow2FileOf } from '../../images/qcow2/disk.ts';
import type { ClusterDecoders } from '../../images/qcow2/reader.ts';
import { FileSystemError } from '../../storage/file-system-error.ts';
import type { FileSystem, OpenFile } from '../../storage/file-system.ts';
import { resolvePath } from '../../storage/path.ts';
import type { Volume } from '../../storage/volume.ts';
import type { BlockDeviceEntry } from '../../storage/block-devices.ts';
import type { VolumePool } from '../../storage/volume-pool.ts';
import { isInternalName } from '../../storage/volume-record.ts';
import type { DiskImage } from '../../storage/disk-image.ts';
import { XendError, messageOf } from '../xend-error.ts';
import type { HardDisks } from './hard-disks.ts';
import { LOOP_MAJOR, type LoopDevices } from './loop-devices.ts';

/** Major number of the device mapper, under which volumes appear. */
const VOLUME_MAJOR = 254;
const OWNER_MAY_WRITE = 0o200;

interface Use {
  readonly writes: boolean;
  readonly by: 'guest' | 'privileged';
}

export class BlockSources {
  private readonly uses = new Map<string, Set<Use>>();

  constructor(
    private readonly pool: VolumePool,
    private readonly files: FileSystem,
    readonly loops: LoopDevices,
    private readonly decoders: ClusterDecoders,
  ) {}

  private disks: HardDisks | undefined;

  /** Partitions and whole disks can be named from now on. */
  addDisks(disks: HardDisks): void {
    this.disks = disks;
  }

  /** Whether a domain has the device, "/dev/sda10", or domain 0 has mounted it. */
  isInUse(device: string): boolean {
    return this.uses.has(device);
  }

  /** Whether a domain has the volume, or domain 0 has mounted it. */
  isAttached(volume: Volume): boolean {
    return this.uses.has(`/dev/${volume.name}`);
  }

  /** Disks, partitions and volumes as devices of domain 0. */
  *entries(): Iterable<BlockDeviceEntry> {
    yield* this.disks?.entries() ?? [];
    for (const [minor, name] of this.pool.names().entries())
      yield { name, device: { major: VOLUME_MAJOR, minor }, image: this.pool.volume(name) };
  }

  /** Throws XendError with what the hotplug script would say. */
  async open(description: BlockDescription): Promise<OpenedDisk> {
    const { params, type } = description;
    if (type === 'phy') return this.openVolume(params, description.mode);
    if (type === 'file') return this.openFile(params, description.mode);
    const [, path] = /^(?:aio|sync):(.*)$/.exec(params) ?? [];
    if (type === 'tap' && path !== undefined) return this.openFile(path, description.mode);
    const [, image] = /^qcow2?:(.*)$/.exec(params) ?? [];
    if (type === 'tap' && image !== undefined) return this.openImage(image, description.mode);
    throw new XendError(`Disks of type ${type} are not supported.`);
  }

  /**
   * Domain 0 mounts a device, or a file through a loop device: no guest may write it meanwhile. `key` is the real path of the
   * file or the device. The function returned ends the use. XendError when a guest has it.
   */
  mounting(key: string, writes: boolean): () => void {
    const others = this.uses.get(key);
    const guest = [...(others ?? [])].find((use) => use.by === 'guest' && (use.writes || writes));
    if (guest !== undefined) throw new XendError(`${key} is in use by a guest domain`);
    return this.enter(key, { writes, by: 'privileged' });
  }

  private openVolume(params: string, mode: string): OpenedDisk {
    const name = params.replace(/^\/dev\/(mapper\/)?/, '');
    const device = `/dev/${name}`;
    const disk = this.disks?.find(name);
    if (disk !== undefined) {
      const release = this.use(device, mode, `Device ${device} is mounted`);
      const { image } = disk;
      const { major, minor } = disk.device;
      return {
        image: mode === 'r' ? readOnlyView(image, name) : image,
        nodes: { 'physical-device': `${major.toString(16)}:${minor.toString(16)}` },
        close: async () => {
          release();
          await image.flush();
        },
      };
    }
    const volume = isInternalName(name) ? undefined : this.pool.volume(name);
    if (volume === undefined) throw new XendError('Backend device not found.');
    if (mode !== 'r' && volume.readOnly)
      throw new XendError(`Volume ${name} is read-only, and so I will not\nmount it read-write in a guest domain.`);
    const release = this.use(device, mode, `Device ${device} is mounted`);
    const minor = this.pool.names().indexOf(name);
    return {
      image: mode === 'r' ? readOnlyView(volume, name) : volume,
      nodes: { 'physical-device': `${VOLUME_MAJOR.toString(16)}:${minor.toString(16)}` },
      close: async () => {
        release();
        await volume.flush();
      },
    };
  }

  private async openFile(given: string, mode: string): Promise<OpenedDisk> {
    const path = resolvePath('/', given.replace(/^\/\//, '/'));
    if (!(await this.files.exists(path))) throw new XendError(`${path} does not exist.`);
    const status = await this.files.stat(path);
    if (status.kind !== 'file') throw new XendError(`${path} is not a file.`);
    const writes = mode !== 'r';
    if (writes && (status.mode & OWNER_MAY_WRITE) === 0) {
      throw new XendError(`File ${path} is read-only, and so I will not\nmount it read-write in a guest domain.`);
    }
    const realPath = await this.files.realPath(path);
    const loop = await this.loops.attach(path, { readOnly: !writes, automatic: true }).catch((error: unknown) => {
      throw error instanceof FileSystemError ? new XendError(`${path}: ${error.sentence}`) : error;
    });
    const node = `/dev/loop${loop.number}`;
    try {
      const other = this.loops.list().find((device) => device.path === realPath && device !== loop);
      const shown = other === undefined ? node : `/dev/loop${other.number}`;
      const release = this.use(realPath, mode, `File ${path} is loopback-mounted through ${shown},\nwhich is mounted`);
      await this.requireReadable(path, loop.image).catch((error: unknown) => {
        release();
        throw error;
      });
      return {
        image: loop.image,
        nodes: { node, 'physical-device': `${LOOP_MAJOR.toString(16)}:${loop.number.toString(16)}` },
        close: async () => {
          release();
          await this.loops.detach(loop.number);
        },
      };
    } catch (error) {
      await this.loops.detach(loop.number);
      throw error;
    }
  }

  /** A file of the site is fetched, a disk made, before the guest begins to wait for it; what fails is told to who attaches it. */
  private async requireReadable(path: string, image: DiskImage): Promise<void> {
    if (image.sectors === 0) return;
    await image.read(0, new Uint8Array(image.sectorBytes)).catch((error: unknown) => {
      throw new XendError(`${path} cannot be read: ${messageOf(error)}`);
    });
  }

  /** The disk that a qcow2 image is of. Its tables are in one place only, so a writer is alone whatever the mode says. */
  private async openImage(given: string, mode: string): Promise<OpenedDisk> {
    const path = resolvePath('/', given.replace(/^\/\//, '/'));
    if (!(await this.files.exists(path))) throw new XendError(`${path} does not exist.`);
    const { kind, mode: permissions } = await this.files.stat(path);
    if (kind !== 'file' && kind !== 'block-device') throw new XendError(`${path} is neither a file nor a block device.`);
    const readOnly = mode === 'r';
    if (!readOnly && kind === 'file' && (permissions & OWNER_MAY_WRITE) === 0)
      throw new XendError(`File ${path} is read-only, and so I will not\nmount it read-write in a guest domain.`);
    const release = this.use(await this.files.realPath(path), readOnly ? 'r' : 'w', `Image ${path} is mounted`);
    let file: OpenFile | undefined;
    try {
      file = await this.files.open(path);
      const opened = file;
      const image = await Qcow2Disk.open(await qcow2FileOf(opened), this.decoders, readOnly);
      return {
        image,
        nodes: {},
        close: async () => {
          try {
            await image.flush();
          } finally {
            release();
            await opened.close();
          }
        },
      };
    } catch (error) {
      release();
      await file?.close();
      if (error instanceof ImageError) throw new XendError(`${path}: ${error.message}`);
      throw error instanceof FileSystemError ? new XendError(`${path}: ${error.sentence}`) : error;
    }
  }

  /** Notes a guest's use, or refuses it by the rules of sharing; the function returned ends it. */
  private use(key: string, mode: string, busy: string): () => void {
    const others = this.uses.get(key) ?? new Set<Use>();
    const writers = [...others].filter(({ writes }) => writes);
    const whose = (use: Use): string => (use.by === 'privileged' ? 'the privileged domain' : 'a guest domain');
    const whom = (use: Use): string => (use.by === 'privileged' ? ' by a guest' : '');
    const end = (use: Use): string => (use.by === 'privileged' ? '' : ' now');
    const [writer] = writers;
    const [other] = others;
    if (mode === 'r' && writer !== undefined) {
      throw new XendError(
        `${busy.replace(/mounted$/, 'mounted read-write')} in ${whose(writer)},\nand so cannot be mounted read-only${whom(writer)}${end(writer)}.`,
      );
    }
    if (mode === 'w' && other !== undefined)
      throw new XendError(`${busy} in ${whose(other)},\nand so cannot be mounted${whom(other)}${end(other)}.`);
    return this.enter(key, { writes: mode !== 'r', by: 'guest' });
  }

  private enter(key: string, use: Use): () => void {
    const others = this.uses.get(key) ?? new Set<Use>();
    others.add(use);
    this.uses.set(key, others);
    return () => {
      others.delete(use);
      if (others.size === 0) this.uses.delete(key);
    };
  }
}

/** A disk that this user may not write. */
function readOnlyView(volume: DiskImage, name: string): DiskImage {
  return {
    get sectors() {
      return volume.sectors;
    },
    readOnly: true,
    sectorBytes: volume.sectorBytes,
    discardGranularity: 0,
    read: (sector, into) => volume.read(sector, into),
    ready: async (sector, bytes) => {
      await volume.ready?.(sector, bytes, false);
    },
    readNow: (sector, pieces) => volume.readNow?.(sector, pieces) ?? false,
    write: () => Promise.reject(new XendError(`${name} is attached read-only.`)),
    flush: () => volume.flush(),
    discard: () => Promise.resolve(),
    onResize: (listener) => volume.onResize(listener),
  };
}
