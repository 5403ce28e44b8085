/**
 * Samples of where the interpreter was, counted together by stretches of code. A path through a kernel is long and flat: it comes by
 * thousands of blocks, each of which is too short to be hot in itself, and a function's pieces would become so one by one, each with
 * the entries to the others between them. What is worth a region is the stretch, so that is what becomes hot, and the region made
 * there is entered at all places in it that were sampled often: its start, and where functions that it calls return to.
 */

/** Bytes of a stretch, as a shift: some 120 instructions, as many as a region often has. */
const STRETCH_SHIFT = 9;
/** A place is one to enter with at least this part of the samples that make a stretch hot. */
const PLACE_PART = 16;

interface Stretch {
  samples: number;
  readonly places: Map<number, number>;
}

export class SampledPlaces {
  private readonly stretches = new Map<number, Stretch>();

  /**
   * @param threshold samples that make a stretch hot
   * @param maximum stretches kept at most before all are forgotten: rarely sampled ones never become hot
   */
  constructor(
    private readonly threshold: number,
    private readonly maximum: number,
  ) {}

  /** Counts a sample at a host address. When that makes its stretch hot, that is forgotten: the places in it to enter, `host` first. */
  add(host: number): readonly number[] | undefined {
    const key = host >>> STRETCH_SHIFT;
    let stretch = this.stretches.get(key);
    if (stretch === undefined) {
      if (this.stretches.size >= this.maximum) this.stretches.clear();
      stretch = { samples: 0, places: new Map() };
      this.stretches.set(key, stretch);
    }
    stretch.samples += 1;
    stretch.places.set(host, (stretch.places.get(host) ?? 0) + 1);
    if (stretch.samples < this.threshold) return undefined;
    this.stretches.delete(key);
    const least = this.threshold / PLACE_PART;
    const others = [...stretch.places].filter(([place, samples]) => place !== host && samples >= least);
    return [host, ...others.map(([place]) => place)];
  }

  clear(): void {
    this.stretches.clear();
  }
}
