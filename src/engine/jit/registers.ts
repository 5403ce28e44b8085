/**
 * General registers in locals. In a region that much is executed in they stay there: read on the way in, written back on the way
 * out. Elsewhere memory has them wherever the region may be left, and locals are copies: read when first needed, written before the
 * next instruction that may leave. There is a way out for every four instructions, and few are executed between two of
 * them: so the code is smaller by far and cheaper to compile; loops take up to half as long again.
 */
import { local } from './locals.ts';
import { type FunctionWriter, memoryOp } from './wasm-writer.ts';

const REGISTERS = 16;

/** What is known of the locals at a point of the code. */
export interface RegisterState {
  /** Those that hold what their register does. */
  readonly available: number;
  /** Where each of them was written last: different numbers mean different places. */
  readonly places: readonly number[];
}

export class Registers {
  /** Registers that the region writes, and those it uses at all. */
  written = 0;
  used = 0;
  /** Registers that are read, or written on some ways through the present instruction only. */
  needed = 0;
  /** Nesting at which a write is on all ways through the instruction. */
  nesting = 0;
  /** Memory has them wherever the region may be left. */
  writesThrough = false;
  /** Writes of the present instruction need not be in memory behind it: it does not leave after them. */
  defers = false;
  private available = 0;
  /** Registers that memory does not have yet. */
  private dirty = 0;
  private places = new Array<number>(REGISTERS).fill(0);
  private writes = 0;

  constructor(private readonly w: FunctionWriter) {}

  /** Emits what makes registers locals at the start of a region. */
  begin(): void {
    if (!this.writesThrough) this.load(this.used);
    this.available = 0;
    this.dirty = 0;
  }

  load(mask: number): void {
    for (let n = 0; n < REGISTERS; n++) {
      if (!(mask & (1 << n))) continue;
      this.w.get(local.cpu);
      this.w.memory(memoryOp.i64Load, n * 8);
      this.w.set(local.registers + n);
      this.places[n] = ++this.writes;
    }
  }

  private store(mask: number): void {
    for (let n = 0; n < REGISTERS; n++) {
      if (!(mask & (1 << n))) continue;
      this.w.get(local.cpu);
      this.w.get(local.registers + n);
      this.w.memory(memoryOp.i64Store, n * 8);
    }
  }

  /** The local of a register that is read. */
  read(slot: number): number {
    const bit = 1 << (slot >> 3);
    this.used |= bit;
    this.needed |= bit;
    return local.registers + (slot >> 3);
  }

  /** Pops the register's 64 bits. */
  set(slot: number): void {
    const n = slot >> 3;
    const bit = 1 << n;
    this.used |= bit;
    this.written |= bit;
    if (this.w.nesting !== this.nesting) this.needed |= bit;
    this.w.set(local.registers + n);
    this.places[n] = ++this.writes;
    if (!this.writesThrough) return;
    if (this.defers) this.dirty |= bit;
    else this.store(bit);
  }

  /** Before an instruction that needs and writes these registers. */
  fetch(needed: number, written: number): void {
    if (!this.writesThrough) return;
    this.load(needed & ~this.available);
    this.available |= needed | written;
  }

  /** Writes what memory does not have yet: before anything that may leave, or that control goes on from elsewhere. */
  flush(): void {
    this.store(this.dirty);
    this.dirty = 0;
  }

  /** Gives memory those of these registers that it may not have. */
  settle(mask: number): void {
    if (this.writesThrough) this.flush();
    else this.store(mask & this.written);
  }

  /** A handler has written these registers. */
  refetch(written: number): void {
    if (this.writesThrough) this.available &= ~written;
    else this.load(written & this.used);
  }

  // ---- where control goes on and comes together ------------------------------------------------------------------------

  get state(): RegisterState {
    return { available: this.available, places: [...this.places] };
  }

  /** Goes on as at the point where the state was taken; undefined: nothing is known. */
  resume(state: RegisterState | undefined): void {
    this.available = state?.available ?? 0;
    if (state !== undefined) this.places = [...state.places];
  }

  /**
   * What two ways have in common. Of a register written on one of them the local is right as well, but engines would have to bring it to
   * one place on both: reading it again where it is needed is no more code.
   */
  static meet(one: RegisterState | undefined, other: RegisterState): RegisterState {
    if (one === undefined) return other;
    let available = one.available & other.available;
    one.places.forEach((place, n) => {
      if (place !== other.places[n]) available &= ~(1 << n);
    });
    return { available, places: other.places };
  }
}
