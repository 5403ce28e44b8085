/**
 * Where a vCPU's time goes, by guest address: for `npm run bench -- --profile`. It stands between the core's `run` and its caller
 * and has runs end more often; the time and instructions of each are put down to the address where it ended. It times what the
 * translator makes the guest wait for, too. Nothing of it is there when it is off.
 */
import {
  EXIT_BUDGET,
  VCPU_BUDGET,
  VCPU_INSTRUCTIONS,
  VCPU_INSTRUCTIONS_TRANSLATED,
  VCPU_RIP,
  VCPU_SAMPLE_LEFT,
} from '../cpu/layout.ts';
import type { Block, Region } from './region.ts';

/** Guest instructions between samples: a prime, so as not to keep step with a loop. */
const SAMPLE_INSTRUCTIONS = 4999;
/** Addresses told apart between two takings at most; what is beyond counts for address 0. */
const ADDRESSES_MAXIMUM = 1 << 16;
const REGIONS_MAXIMUM = 1 << 14;
const ADDRESS_MASK = 0xffff_ffff_ffffn;

/** Low 48 bits of RIP, samples, ns, instructions interpreted, instructions translated. */
export type ProfileSample = [address: number, samples: number, ns: number, interpreted: number, translated: number];

/** A translated region: low 48 bits of its entry's address, its instructions' number, and where they lie: starts and ends of stretches. */
export type ProfileRegion = [entry: number, instructions: number, ...stretches: number[]];

/**
 * The guest stood still while regions were made: ns in all; of them for choosing the code, and for emitting it where the vCPU's
 * own thread does that. The rest is the engine's. `instructions` were chosen.
 */
export type ProfilePause = [ns: number, choosing: number, emitting: number, instructions: number];

export interface ProfilePart {
  readonly samples: readonly ProfileSample[];
  readonly regions: readonly ProfileRegion[];
  /** Runs by the reason they ended for, EXIT_*; those that a sample cut off are not counted. */
  readonly exits: readonly (readonly [reason: number, count: number])[];
  readonly pauses: readonly ProfilePause[];
}

interface Samples {
  readonly sampleInstructions: number;
  sample(): void;
}

interface Runnable {
  run(cpu: number, budget: number, period?: number): number;
}

export class CodeProfile {
  private readonly view: DataView;
  private samples = new Map<number, ProfileSample>();
  private regions: ProfileRegion[] = [];
  private exits = new Map<number, number>();
  private pauses: ProfilePause[] = [];
  /** Of the pause under way: when its last step began, and what it consists of so far. */
  private stepSince = 0;
  private pause: ProfilePause = [0, 0, 0, 0];
  private worked = false;

  constructor(
    memory: WebAssembly.Memory,
    private readonly cpu: number,
    private readonly nowNs: () => number,
  ) {
    this.view = new DataView(memory.buffer);
  }

  /** The core as it is, but for `run`, which samples. */
  around<Core extends Runnable>(core: Core): Core {
    return { ...core, run: (cpu: number, budget: number, period = 0) => this.run(core, cpu, budget, period) };
  }

  /** The translator as it is, but timed. */
  timed<Translator extends Samples>(translator: Translator): Samples {
    return {
      sampleInstructions: translator.sampleInstructions,
      sample: () => {
        const began = this.nowNs();
        this.stepSince = began;
        this.pause = [0, 0, 0, 0];
        this.worked = false;
        translator.sample();
        if (!this.worked || this.pauses.length >= REGIONS_MAXIMUM) return;
        this.pause[0] = this.nowNs() - began;
        this.pauses.push(this.pause);
      },
    };
  }

  private step(which: 1 | 2): void {
    const now = this.nowNs();
    this.pause[which] += now - this.stepSince;
    this.stepSince = now;
    this.worked = true;
  }

  /** For the translator to call with each module emitted. */
  readonly moduleMade = (): void => {
    this.step(2);
  };

  /** For the translator to call when the engine has made code of the module. */
  readonly installed = (): void => {
    this.stepSince = this.nowNs();
  };

  /** For the translator to call with the page of the entry and the region made. */
  readonly regionMade = (page: bigint, { blocks, instructions }: Pick<Region, 'blocks' | 'instructions'>): void => {
    this.step(1);
    this.pause[3] += instructions;
    if (this.regions.length >= REGIONS_MAXIMUM) return;
    const place = (position: number): number => Number((page + BigInt(position)) & ADDRESS_MASK);
    const [first] = blocks;
    if (first !== undefined) this.regions.push([place(first.start), instructions, ...stretchesOf(blocks).map(place)]);
  };

  /** What was gathered since the last time; undefined when that is nothing. */
  take(): ProfilePart | undefined {
    if (this.samples.size === 0 && this.regions.length === 0) return undefined;
    const part = { samples: [...this.samples.values()], regions: this.regions, exits: [...this.exits], pauses: this.pauses };
    this.pauses = [];
    this.samples = new Map();
    this.regions = [];
    this.exits = new Map();
    return part;
  }

  private run(core: Runnable, cpu: number, budget: number, period: number): number {
    let left = budget;
    for (;;) {
      const turn = Math.min(left, SAMPLE_INSTRUCTIONS);
      const began = this.nowNs();
      const retired = this.count(VCPU_INSTRUCTIONS);
      const translated = this.count(VCPU_INSTRUCTIONS_TRANSLATED);
      const reason = core.run(cpu, turn, period);
      this.put(
        this.nowNs() - began,
        this.count(VCPU_INSTRUCTIONS) - retired,
        this.count(VCPU_INSTRUCTIONS_TRANSLATED) - translated,
      );
      left -= turn - this.view.getInt32(cpu + VCPU_BUDGET, true);
      this.view.setInt32(cpu + VCPU_BUDGET, left, true);
      const sample = period > 0 && this.view.getInt32(cpu + VCPU_SAMPLE_LEFT, true) <= 0;
      if (reason === EXIT_BUDGET && left > 0 && !sample) continue;
      if (!(reason === EXIT_BUDGET && sample)) this.exits.set(reason, (this.exits.get(reason) ?? 0) + 1);
      return reason;
    }
  }

  private count(offset: number): number {
    return Number(this.view.getBigUint64(this.cpu + offset, true));
  }

  private put(ns: number, retired: number, translated: number): void {
    let address = Number(this.view.getBigUint64(this.cpu + VCPU_RIP, true) & ADDRESS_MASK);
    if (this.samples.size >= ADDRESSES_MAXIMUM && !this.samples.has(address)) address = 0;
    const sample = this.samples.get(address);
    if (sample === undefined) {
      this.samples.set(address, [address, 1, ns, retired - translated, translated]);
      return;
    }
    sample[1] += 1;
    sample[2] += ns;
    sample[3] += retired - translated;
    sample[4] += translated;
  }
}

/** Positions where stretches of instructions begin and end, in turn. */
function stretchesOf(blocks: readonly Pick<Block, 'instructions'>[]): number[] {
  const instructions = blocks.flatMap((block) => block.instructions).sort((a, b) => a.position - b.position);
  const stretches: number[] = [];
  for (const { position, length } of instructions) {
    const end = stretches.at(-1);
    if (end !== undefined && position <= end) stretches[stretches.length - 1] = Math.max(end, position + length);
    else stretches.push(position, position + length);
  }
  return stretches;
}

/** Adds up parts, of several takings or several vCPUs. */
export function addProfiles(parts: readonly ProfilePart[]): ProfilePart {
  const samples = new Map<number, ProfileSample>();
  const exits = new Map<number, number>();
  for (const part of parts) {
    for (const [address, count, ns, interpreted, translated] of part.samples) {
      const sum = samples.get(address) ?? [address, 0, 0, 0, 0];
      samples.set(address, [address, sum[1] + count, sum[2] + ns, sum[3] + interpreted, sum[4] + translated]);
    }
    for (const [reason, count] of part.exits) exits.set(reason, (exits.get(reason) ?? 0) + count);
  }
  return {
    samples: [...samples.values()],
    regions: parts.flatMap(({ regions }) => regions),
    exits: [...exits],
    pauses: parts.flatMap(({ pauses }) => pauses),
  };
}
