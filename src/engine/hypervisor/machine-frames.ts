/**
 * Machine frame numbers: each domain gets one contiguous range of its largest size, so that a frame's owner follows from its
 * number. Numbers start above any pseudo-physical one that matters: a missing translation shows at once.
 */
import { HypervisorError } from './control.ts';
import { ENOMEM } from '../abi/errno.ts';

/** First number given out. */
export const LOWEST_MFN = 0x10000;
/** Ranges start at multiples of this, as pages of the machine-to-physical table do. */
const ALIGNMENT = 512;

export interface FrameRange {
  readonly first: number;
  readonly count: number;
}

export class MachineFrames {
  /** Ranges given out, by first frame. */
  private readonly used: FrameRange[] = [];

  /** @param total frames of the machine, domain 0's apart */
  constructor(readonly total: number) {}

  get free(): number {
    return this.used.reduce((left, range) => left - range.count, this.total);
  }

  /** Takes the lowest gap of `count` frames; at `at` exactly if given (a domain that comes back). */
  allocate(count: number, at?: number): FrameRange {
    if (count > this.free) {
      throw new HypervisorError(ENOMEM, `the machine has ${this.free} free frames of memory, ${count} are needed`);
    }
    let first = at ?? LOWEST_MFN;
    let index = 0;
    for (const range of this.used) {
      if (range.first >= first + count) break;
      const end = range.first + range.count;
      if (end > first) {
        if (at !== undefined) throw new HypervisorError(ENOMEM, `machine frames from 0x${at.toString(16)} on are in use`);
        first = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      }
      index += 1;
    }
    const range = { first, count };
    this.used.splice(index, 0, range);
    return range;
  }

  release(range: FrameRange): void {
    const index = this.used.indexOf(range);
    if (index >= 0) this.used.splice(index, 1);
  }
}
