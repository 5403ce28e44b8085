/**
 * Samples of where the interpreter was, counted together by stretches of code. A path through a kernel is long and flat: it comes by
 * thousands of blocks, each of which is too short to be hot in itself, and a function's pieces would become so one by one, each with
 * the entries to the others between them. What is worth a region is the stretch, so that is what becomes hot, and the region made
 * there is entered at all places in it that were sampled often: its start, and where functions that it calls return to.
 */

/** Bytes of a stretch, as a shift: some 120 instructions, as many as a region often has. */
const STRETCH_SHIFT = 9;
/** A place is one to enter with at least this part of the samples that make a stretch hot, and more than one if it can be. */
const PLACE_PART = 16;

/** Samples after which all counts are halved: what was executed once and never again does not become hot. */
const HALF_LIFE = 4096;

interface Stretch {
  samples: number;
  readonly places: Map<number, number>;
}

export class SampledPlaces {
  private readonly stretches = new Map<number, Stretch>();
  private untilHalved = HALF_LIFE;

  /** @param maximum stretches kept at most before all are forgotten: rarely sampled ones never become hot */
  constructor(private readonly maximum: number) {}

  /**
   * Counts a sample at a host address. When its stretch now has `threshold` of them it is hot, and forgotten: the places in it to
   * enter, `host` first.
   */
  add(host: number, threshold: number): readonly number[] | undefined {
    this.untilHalved -= 1;
    if (this.untilHalved === 0) this.halve();
    const key = host >>> STRETCH_SHIFT;
    let stretch = this.stretches.get(key);
    if (stretch === undefined) {
      if (this.stretches.size >= this.maximum) this.stretches.clear();
      stretch = { samples: 0, places: new Map() };
      this.stretches.set(key, stretch);
    }
    stretch.samples += 1;
    stretch.places.set(host, (stretch.places.get(host) ?? 0) + 1);
    if (stretch.samples < threshold) return undefined;
    this.stretches.delete(key);
    const least = Math.max(stretch.samples / PLACE_PART, Math.min(2, threshold));
    const others = [...stretch.places].filter(([place, samples]) => place !== host && samples >= least);
    return [host, ...others.map(([place]) => place)];
  }

  clear(): void {
    this.stretches.clear();
  }

  private halve(): void {
    this.untilHalved = HALF_LIFE;
    for (const [key, stretch] of this.stretches) {
      stretch.samples = Math.floor(stretch.samples / 2);
      if (stretch.samples === 0) this.stretches.delete(key);
      for (const [place, samples] of stretch.places) stretch.places.set(place, samples / 2);
    }
  }
}
