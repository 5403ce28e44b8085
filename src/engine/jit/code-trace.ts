/**
 * What a vCPU's core answered while a region was chosen, so that the same region can be chosen again where the vCPU is not: on the
 * thread that makes code of regions. The builder asks in an order that depends on the answers alone.
 *
 * A trace is a row of 32-bit words: a host address for each page asked for, 0 or 1 for each look for a block, and for each
 * instruction the decoder's bits, then, unless those are 0, its operation and the bytes it was decoded from.
 */
import { OP_BYTES, VCPU_FETCH_BUFFER, VCPU_STEP_BLOCK } from '../cpu/layout.ts';
import type { TranslatorCore } from './core.ts';

/** What a region is chosen from. */
export type CodeReader = Pick<TranslatorCore, 'codePointer' | 'decodeForRegion' | 'hasBlock'>;

/** Where decodeForRegion's bits say how many operations it wrote. */
const OPERATIONS_SHIFT = 8;
const OPERATIONS_MASK = 3;
/** The fetch buffer holds the longest instruction, of 15 bytes. */
const FETCHED_BYTES = 16;
const WORDS_AT_FIRST = 4096;

/** Of the operations an instruction was decoded to the last, which is the instruction's own. */
export const lastOperation = (bits: number): number =>
  VCPU_STEP_BLOCK + (((bits >> OPERATIONS_SHIFT) & OPERATIONS_MASK) - 1) * OP_BYTES;

/** Answers as the core does, and writes it down. */
export class CodeRecorder implements CodeReader {
  private words = new Uint32Array(WORDS_AT_FIRST);
  private length = 0;

  constructor(
    private readonly core: CodeReader,
    private readonly view: DataView,
  ) {}

  /** All answers since the last time. */
  take(): Uint32Array<ArrayBuffer> {
    const trace = this.words.slice(0, this.length);
    this.length = 0;
    return trace;
  }

  codePointer(cpu: number, address: bigint): number {
    const host = this.core.codePointer(cpu, address);
    this.put(host);
    return host;
  }

  hasBlock(cpu: number, host: number): number {
    const known = this.core.hasBlock(cpu, host);
    this.put(known);
    return known;
  }

  decodeForRegion(cpu: number, host: number, operation: number, next: number): number {
    const bits = this.core.decodeForRegion(cpu, host, operation, next);
    this.put(bits);
    if (bits !== 0) {
      this.copy(cpu + lastOperation(bits), OP_BYTES);
      this.copy(cpu + VCPU_FETCH_BUFFER, FETCHED_BYTES);
    }
    return bits;
  }

  private copy(at: number, bytes: number): void {
    for (let offset = 0; offset < bytes; offset += 4) this.put(this.view.getUint32(at + offset, true));
  }

  private put(word: number): void {
    if (this.length === this.words.length) {
      const longer = new Uint32Array(2 * this.length);
      longer.set(this.words);
      this.words = longer;
    }
    this.words[this.length++] = word;
  }
}

/** Answers as it was written down; its operations are those of a vCPU block at 0 of its view. */
export class CodeReplay implements CodeReader {
  readonly view = new DataView(new ArrayBuffer(VCPU_STEP_BLOCK + (OPERATIONS_MASK + 1) * OP_BYTES));
  private at = 0;

  constructor(private readonly trace: Uint32Array) {}

  codePointer(): number {
    return this.next();
  }

  hasBlock(): number {
    return this.next();
  }

  decodeForRegion(): number {
    const bits = this.next();
    if (bits === 0) return 0;
    this.paste(lastOperation(bits), OP_BYTES);
    this.paste(VCPU_FETCH_BUFFER, FETCHED_BYTES);
    return bits;
  }

  private paste(at: number, bytes: number): void {
    for (let offset = 0; offset < bytes; offset += 4) this.view.setUint32(at + offset, this.next(), true);
  }

  /** @throws RangeError behind the end: the trace is of another region */
  private next(): number {
    const word = this.trace[this.at++];
    if (word === undefined) throw new RangeError('the trace of a region ends before the region');
    return word;
  }
}
