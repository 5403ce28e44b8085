/**
 * Where the contents of virtual disks come from: `phy:` names a volume, `file:` and `tap:aio:` a file of domain 0. Keeps count
 * of who uses what, for the rules of sharing: a disk may be written by one or read by many, unless "w!" says otherwise.
 */
import type { BlockDescription, OpenedDisk } from '../../devices/block/block-device.ts';
import type { FileSystem } from '../../storage/file-system.ts';
import { resolvePath } from '../../storage/path.ts';
import type { Volume } from '../../storage/volume.ts';
import type { VolumePool } from '../../storage/volume-pool.ts';
import type { DiskImage } from '../../storage/disk-image.ts';
import { XendError } from '../xend-error.ts';
import { FileDisk } from './file-disk.ts';

/** Major number of the device mapper, under which volumes appear; the loop driver's for files. */
const VOLUME_MAJOR = 254;
const LOOP_MAJOR = 7;
const OWNER_MAY_WRITE = 0o200;

interface Use {
  readonly writes: boolean;
}

export class BlockSources {
  private readonly uses = new Map<string, Set<Use>>();
  private readonly loops = new Set<number>();

  constructor(
    private readonly pool: VolumePool,
    private readonly files: FileSystem,
  ) {}

  /** Whether a domain has the volume. */
  isAttached(volume: Volume): boolean {
    return this.uses.has(`/dev/${volume.name}`);
  }

  /** Throws XendError with what the hotplug script would say. */
  async open(description: BlockDescription): Promise<OpenedDisk> {
    const { params, type } = description;
    if (type === 'phy') return this.openVolume(params, description.mode);
    if (type === 'file') return this.openFile(params, description.mode);
    const [, path] = /^(?:aio|sync):(.*)$/.exec(params) ?? [];
    if (type === 'tap' && path !== undefined) return this.openFile(path, description.mode);
    throw new XendError(`Disks of type ${type} are not supported.`);
  }

  private openVolume(params: string, mode: string): OpenedDisk {
    const name = params.replace(/^\/dev\/(mapper\/)?/, '');
    const device = `/dev/${name}`;
    const volume = this.pool.volume(name);
    if (volume === undefined) throw new XendError('Backend device not found.');
    if (mode !== 'r' && volume.readOnly)
      throw new XendError(`Volume ${name} is read-only, and so I will not\nmount it read-write in a guest domain.`);
    const release = this.use(device, mode, `Device ${device} is mounted`);
    const minor = this.pool.names().indexOf(name);
    return {
      image: mode === 'r' ? readOnlyView(volume) : volume,
      nodes: { 'physical-device': `${VOLUME_MAJOR.toString(16)}:${minor.toString(16)}` },
      close: async () => {
        release();
        await volume.flush();
      },
    };
  }

  private async openFile(given: string, mode: string): Promise<OpenedDisk> {
    const path = resolvePath('/', given.replace(/^\/\//, '/'));
    if (!this.files.exists(path)) throw new XendError(`${path} does not exist.`);
    const status = this.files.stat(path);
    if (status.kind !== 'file') throw new XendError(`${path} is not a file.`);
    const writes = mode !== 'r';
    if (writes && (status.mode & OWNER_MAY_WRITE) === 0) {
      throw new XendError(`File ${path} is read-only, and so I will not\nmount it read-write in a guest domain.`);
    }
    let loop = 0;
    while (this.loops.has(loop)) loop += 1;
    const release = this.use(
      this.files.realPath(path),
      mode,
      `File ${path} is loopback-mounted through /dev/loop${loop},\nwhich is mounted`,
    );
    this.loops.add(loop);
    try {
      const image = await FileDisk.open(this.files, path, !writes);
      return {
        image,
        nodes: { node: `/dev/loop${loop}`, 'physical-device': `${LOOP_MAJOR.toString(16)}:${loop.toString(16)}` },
        close: async () => {
          this.loops.delete(loop);
          release();
          await image.flush();
        },
      };
    } catch (error) {
      this.loops.delete(loop);
      release();
      throw error;
    }
  }

  /** Notes a use, or refuses it by the rules of sharing; the function returned ends it. */
  private use(key: string, mode: string, busy: string): () => void {
    const others = this.uses.get(key) ?? new Set();
    const use: Use = { writes: mode !== 'r' };
    if (mode === 'r' && [...others].some(({ writes }) => writes)) {
      throw new XendError(
        `${busy.replace(/mounted$/, 'mounted read-write')} in a guest domain,\nand so cannot be mounted read-only now.`,
      );
    }
    if (mode === 'w' && others.size > 0) throw new XendError(`${busy} in a guest domain,\nand so cannot be mounted now.`);
    others.add(use);
    this.uses.set(key, others);
    return () => {
      others.delete(use);
      if (others.size === 0) this.uses.delete(key);
    };
  }
}

/** A volume that this user may not write. */
function readOnlyView(volume: Volume): DiskImage {
  return {
    get sectors() {
      return volume.sectors;
    },
    readOnly: true,
    sectorBytes: volume.sectorBytes,
    discardGranularity: 0,
    read: (sector, into) => volume.read(sector, into),
    write: () => Promise.reject(new XendError(`Volume ${volume.name} is attached read-only.`)),
    flush: () => volume.flush(),
    discard: () => Promise.resolve(),
    onResize: (listener) => volume.onResize(listener),
  };
}
