/**
 * How many samples make code hot. While most is interpreted, as in a boot, there is always something better to translate than what was
 * sampled a few times, and most of that never comes again. Once next to everything runs translated, few samples are taken, the paths
 * that are left are long and flat, and an instruction of them takes several times as long as the others: then few are enough.
 */

/** From this part of the instructions on that are interpreted, the threshold is the higher one. */
const MOSTLY_INTERPRETED = 0.25;
/** The part is that of about so many samples: half a second of a guest that reads from its disk. What lasts less is not worth more code. */
const SAMPLES = 128;

export interface ThresholdBounds {
  /** Samples that make a stretch of code hot while most is interpreted, and while next to nothing is. */
  readonly threshold: number;
  readonly lowThreshold: number;
}

export class HotThreshold {
  private interpretedPart = 1;
  private executedBefore = 0;

  /** @param sampleInstructions interpreted from one sample to the next */
  constructor(
    private readonly sampleInstructions: number,
    private readonly bounds: ThresholdBounds,
  ) {}

  /** To be told at each sample how many instructions have been executed in all; samples that make a stretch hot now. */
  next(executed: number): number {
    const part = Math.min(1, this.sampleInstructions / Math.max(1, executed - this.executedBefore));
    this.executedBefore = executed;
    this.interpretedPart += (part - this.interpretedPart) / SAMPLES;
    const { lowThreshold, threshold } = this.bounds;
    return Math.max(lowThreshold, Math.min(threshold, threshold * (this.interpretedPart / MOSTLY_INTERPRETED)));
  }
}
