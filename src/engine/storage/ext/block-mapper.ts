import type { Allocator } from './allocator.ts';
import type { ExtVolume } from './ext-volume.ts';
import { ExtentMapper } from './extent-mapper.ts';
import { IndirectMapper } from './indirect-mapper.ts';
import type { Inode } from './inode.ts';
import type { BlockMapper } from './mapping.ts';

/** The mapper of each of the two ways; an inode's flag tells which. */
export class Mappers {
  private readonly extents: ExtentMapper;
  private readonly indirect: IndirectMapper;

  constructor(volume: ExtVolume, allocator: Allocator) {
    this.extents = new ExtentMapper(volume, allocator);
    this.indirect = new IndirectMapper(volume, allocator);
  }

  of(inode: Inode): BlockMapper {
    return inode.hasExtents ? this.extents : this.indirect;
  }
}
