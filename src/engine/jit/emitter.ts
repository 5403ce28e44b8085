/**
 * Emits the parts that every translated instruction is made of: registers in locals, operands, guest memory through the TLB,
 * and the ways out of the region.
 *
 * A region is a function (cpu, op) -> status. Inside it the general registers are locals; a way out sets RIP, the flag state and
 * the status and branches to the one epilogue, which writes registers and flags back. What the fast path of an access cannot do
 * (a fault, a store to marked memory, a page crossing) leaves with REDO *before* the instruction has had any effect: the
 * interpreter executes it.
 */
import {
  JUMP,
  PAGE_BYTES,
  REDO,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_READ,
  TLB_WRITE,
  VCPU_BUDGET,
  VCPU_LEFT_A,
  VCPU_LEFT_B,
  VCPU_LEFT_KIND,
  VCPU_LEFT_R,
  VCPU_LEFT_ROTATED,
  VCPU_PAGE,
  VCPU_REQUEST,
  VCPU_RIP,
  VCPU_ZERO,
} from '../cpu/layout.ts';
import {
  DEAD,
  DYNAMIC,
  EXIT_RETIRED_SHIFT,
  EXIT_STATE_MASK,
  EXIT_STATUS_SHIFT,
  IN_MEMORY,
  ROTATED,
  SPECIAL,
} from '../cpu/region-exit-state.ts';
import { AccessOrder } from './access-order.ts';
import type { FlagState } from './flags.ts';
import { type Access, type GroupedAccess, simpleAddress } from './access-groups.ts';
import { type Instruction, instructionPage } from './instruction.ts';
import { VECTOR_LOCALS, local } from './locals.ts';
import { Registers } from './registers.ts';
import { Vectors } from './vectors.ts';
import { service } from './wasm-module.ts';
import { FunctionWriter, type Label, memoryOp, op } from './wasm-writer.ts';

/** An operand whose 64 bits can be pushed more than once; of 32-bit operands the upper half is arbitrary. */
export type Value = { readonly local: number } | { readonly low: number; readonly high: number };

/** Instead of a status: it is in its local. */
const STATUS_LOCAL = -1;

/** What some way out leaves in VCPU_LEFT_*. */
const LEAVES_OPERANDS = 1;
const LEAVES_KIND = 2;
const LEAVES_ROTATED = 4;

/** From an address to the offset of its entry in the TLB: page number times the size of an entry. */
const TLB_INDEX_SHIFT = 12 - Math.log2(TLB_ENTRY_BYTES);
const TLB_INDEX_MASK = (TLB_ENTRIES - 1) * TLB_ENTRY_BYTES;

export class Emitter {
  readonly w = new FunctionWriter();
  readonly registers = new Registers(this.w);
  readonly vectors = new Vectors(this.w, VECTOR_LOCALS);
  readonly order: AccessOrder;
  /** Makes bytes part of the region's data; where they are there. */
  placeData: (bytes: Uint8Array) => number = () => 0;
  /** Flag state at this point of the code. */
  state: FlagState = DEAD;
  /** Instructions of the block executed before the present one. */
  retired = 0;
  /** Label of the epilogue, and of the way out behind it for exits that have nothing to write back any more. */
  epilogue: Label = 0;
  rawExit: Label = 0;
  /** LEAVES_* of the ways out so far. */
  leftBehind = 0;
  /** What the accesses of the present instruction are to do (access-groups.ts); they are noted as they are made. */
  plan: readonly (GroupedAccess | null)[] | null = null;
  accesses: Access[] = [];
  /** Ways out emitted so far, but for those of looks of the accesses above. */
  exits = 0;
  /** The local, and an offset from it, at which is what was made accessible last. */
  private host: number = local.host;
  private hostOffset = 0;
  /** The region's code lies in more than one page. */
  manyPages = false;
  /** A TLB miss is served here; else it is a way out, of which engines make much less. */
  refills = false;

  /** @param ordered with fences between guest accesses */
  constructor(ordered: boolean) {
    this.order = new AccessOrder(this.w, ordered);
  }

  // ---- calls of handlers ----------------------------------------------------------------------------------------------

  /** Pushes the parameters of a handler. */
  pushOperation(i: Instruction): void {
    const { w } = this;
    this.order.forget();
    const at = this.placeData(i.record);
    if (this.manyPages) {
      w.get(local.cpu);
      this.pushPosition(instructionPage(i));
      w.memory(memoryOp.i64Store, VCPU_PAGE);
    }
    w.get(local.cpu);
    w.get(local.data);
    w.i32(at);
    w.emit(op.i32Add);
  }

  // ---- registers -------------------------------------------------------------------------------------------------------

  /** Pushes a register's 64 bits. */
  getRegister(slot: number): void {
    this.w.get(this.registers.read(slot));
  }

  /** Pops the register's 64 bits. */
  setRegister(slot: number): void {
    this.registers.set(slot);
  }

  /** The register operand as a value: 4 and 8 bytes as they are, 1 and 2 sign-extended into `scratch`. */
  registerValue(slot: number, size: number, scratch: number): Value {
    if (size >= 4) return { local: this.registers.read(slot) };
    this.getRegister(slot);
    if (slot & 1) {
      this.w.i64(8);
      this.w.emit(op.i64ShrU);
    }
    this.w.emit(size === 1 ? op.i64Extend8S : op.i64Extend16S);
    this.w.set(scratch);
    return { local: scratch };
  }

  /** Pops the value to write into a register operand: of 4 bytes it must be zero-extended. */
  writeRegister(slot: number, size: number): void {
    const { w } = this;
    if (size >= 4) {
      this.setRegister(slot);
      return;
    }
    const shift = slot & 1 ? 8 : 0;
    const mask = size === 1 ? 0xff : 0xffff;
    w.i64(mask);
    w.emit(op.i64And);
    if (shift) {
      w.i64(shift);
      w.emit(op.i64Shl);
    }
    this.getRegister(slot);
    w.i64(~(mask << shift));
    w.emit(op.i64And, op.i64Or);
    this.setRegister(slot);
  }

  // ---- values ----------------------------------------------------------------------------------------------------------

  push(value: Value): void {
    if ('local' in value) this.w.get(value.local);
    else this.w.i64Halves(value.low, value.high);
  }

  push32(value: Value): void {
    if ('local' in value) {
      this.w.get(value.local);
      this.w.emit(op.i32WrapI64);
    } else this.w.i32(value.low);
  }

  /** Pushes it sign-extended to 64 bits. */
  pushExtended(value: Value, size: number): void {
    this.push(value);
    if (size === 4) this.w.emit(op.i64Extend32S);
  }

  /** Pushes it zero-extended to 64 bits; of 1 and 2 bytes the value is sign-extended before. */
  pushZeroExtended(value: Value, size: number): void {
    if (size === 8) this.push(value);
    else if (size === 4) {
      this.push32(value);
      this.w.emit(op.i64ExtendI32U);
    } else {
      this.push(value);
      this.w.i64(size === 1 ? 0xff : 0xffff);
      this.w.emit(op.i64And);
    }
  }

  copy(value: Value, to: number): void {
    if ('local' in value && value.local === to) return;
    this.push(value);
    this.w.set(to);
  }

  // ---- memory ----------------------------------------------------------------------------------------------------------

  /** Pushes base + index * scale + displacement, with the segment's base unless `offsetOnly`. */
  pushAddress(i: Instruction, offsetOnly = false): void {
    const { w } = this;
    let terms = 0;
    const add = (): void => {
      if (terms++ > 0) w.emit(op.i64Add);
    };
    let { displacement } = i;
    if (i.base === VCPU_PAGE) {
      w.get(local.page);
      add();
      displacement += instructionPage(i);
    } else if (i.base !== VCPU_ZERO) {
      this.getRegister(i.base);
      add();
    }
    if (i.index !== VCPU_ZERO) {
      this.getRegister(i.index);
      if (i.scale > 0) {
        w.i64(i.scale);
        w.emit(op.i64Shl);
      }
      add();
    }
    if (!offsetOnly && i.segment !== VCPU_ZERO) {
      w.get(local.cpu);
      w.memory(memoryOp.i64Load, i.segment);
      add();
    }
    if (displacement !== 0 || terms === 0) {
      w.i64(displacement);
      add();
    }
  }

  /** Pops the low half of an address, pushes its TLB entry. */
  pushTlbEntry(): void {
    const { w } = this;
    w.i32(TLB_INDEX_SHIFT);
    w.emit(op.i32ShrU);
    w.i32(TLB_INDEX_MASK);
    w.emit(op.i32And);
    w.get(local.tlb);
    w.emit(op.i32Add);
  }

  /** Pops an address; leaves in local `host` where its `bytes` can be read. */
  private access(bytes: number, tag: number, slow: number, position: number, host: number = local.host): void {
    this.order.across(() => {
      this.lookUp(bytes, tag, slow, position, host);
    });
    this.host = host;
    this.hostOffset = 0;
  }

  private lookUp(bytes: number, tag: number, slow: number, position: number, host: number): void {
    const { exits, w } = this;
    w.tee(local.address);
    w.emit(op.i32WrapI64);
    this.pushTlbEntry();
    w.tee(local.entry);
    w.memory(memoryOp.i64Load, tag);
    // What it differs in from the tag must be an offset with room for the access (cpu/banks.ts).
    w.get(local.address);
    w.emit(op.i64Xor);
    w.i64(PAGE_BYTES - bytes);
    w.emit(op.i64GtU);
    w.ifUnlikely();
    if (this.refills) {
      w.get(local.cpu);
      w.get(local.address);
      w.i32(bytes);
      w.call(slow);
      w.tee(host);
      w.emit(op.i32Eqz);
      w.ifUnlikely();
      this.exit(position, REDO);
      w.end();
      w.else();
      this.hostByEntry(host);
      w.end();
    } else {
      this.exit(position, REDO);
      w.end();
      this.hostByEntry(host);
    }
    this.exits = exits;
  }

  /** Leaves in `host` where the address is by its TLB entry. */
  private hostByEntry(host: number): void {
    const { w } = this;
    w.get(local.entry);
    w.memory(memoryOp.i32Load, TLB_ADDEND);
    w.get(local.address);
    w.emit(op.i32WrapI64, op.i32Add);
    w.set(host);
  }

  /** As readable and writable, for an access that may belong to a group; `push` pushes its address. */
  private grouped(position: number, access: Access, push: () => void): void {
    this.accesses.push(access);
    const planned = this.plan?.[this.accesses.length - 1] ?? null;
    if (planned === null) {
      push();
      if (access.write) this.access(access.bytes, TLB_WRITE, service.writableForRegion, position);
      else this.access(access.bytes, TLB_READ, service.readableSlow, position);
      return;
    }
    const host = local.groups + planned.group;
    if (planned.first !== null) {
      const { bytes, write } = planned.first;
      push();
      if (planned.offset !== 0) {
        this.w.i64(planned.offset);
        this.w.emit(op.i64Sub);
      }
      if (write) this.access(bytes, TLB_WRITE, service.writableForRegion, position, host);
      else this.access(bytes, TLB_READ, service.readableForRegion, position, host);
    }
    this.host = host;
    this.hostOffset = planned.offset;
  }

  /** Makes the memory operand accessible for loadHost. */
  readOperand(i: Instruction, bytes = i.size): void {
    this.grouped(i.position, { address: simpleAddress(i), bytes, write: false }, () => {
      this.pushAddress(i);
    });
  }

  /** Makes the memory operand accessible for loadHost and storeHost. */
  writeOperand(i: Instruction): void {
    this.grouped(i.position, { address: simpleAddress(i), bytes: i.size, write: true }, () => {
      this.pushAddress(i);
    });
  }

  /** Makes 8 bytes at a register's value plus a constant accessible. */
  accessStack(i: Instruction, slot: number, displacement: number, write: boolean): void {
    this.grouped(i.position, { address: { slot, displacement }, bytes: 8, write }, () => {
      this.getRegister(slot);
      if (displacement === 0) return;
      this.w.i64(displacement);
      this.w.emit(op.i64Add);
    });
  }

  /** Pops an address; `host` is where it can be read. The instruction at `position` must have had no effect yet. */
  readable(bytes: number, position: number): void {
    this.access(bytes, TLB_READ, service.readableSlow, position);
    this.exits++;
  }

  writable(bytes: number, position: number): void {
    this.access(bytes, TLB_WRITE, service.writableForRegion, position);
    this.exits++;
  }

  /** Pushes what was made accessible last: 8 and 4 bytes as they are (zero-extended), 1 and 2 sign-extended. */
  loadHost(bytes: number): void {
    // Of a load that extends the sign V8 makes two instructions that both load.
    const [opcode, extend] =
      bytes === 8
        ? [memoryOp.i64Load]
        : bytes === 4
          ? [memoryOp.i64Load32U]
          : bytes === 2
            ? [memoryOp.i64Load16U, op.i64Extend16S]
            : [memoryOp.i64Load8U, op.i64Extend8S];
    this.loadHostBy(opcode);
    if (extend !== undefined) this.w.emit(extend);
  }

  loadHostBy(opcode: number): void {
    this.order.beforeLoad();
    this.w.get(this.host);
    this.w.memory(opcode, this.hostOffset);
  }

  storeHost(bytes: number, value: Value): void {
    this.order.beforeStore();
    this.w.get(this.host);
    this.push(value);
    const opcode =
      bytes === 8 ? memoryOp.i64Store : bytes === 4 ? memoryOp.i64Store32 : bytes === 2 ? memoryOp.i64Store16 : memoryOp.i64Store8;
    this.w.memory(opcode, this.hostOffset);
  }

  // ---- ways out --------------------------------------------------------------------------------------------------------

  /** Pushes the virtual address of a position. */
  pushPosition(position: number): void {
    this.w.get(local.page);
    if (position !== 0) {
      this.w.i64(position);
      this.w.emit(op.i64Add);
    }
  }

  countRetired(count: number): void {
    if (count === 0) return;
    this.w.get(local.budget);
    this.w.i32(count);
    this.w.emit(op.i32Sub);
    this.w.set(local.budget);
  }

  /**
   * Pushes whether the budget is used up or something was asked of the vCPU. That by a plain load, since an atomic one comes with a
   * check of its alignment: an engine that hoists it out of a loop would be late by what the budget allows at most.
   */
  pushInterrupted(): void {
    const { w } = this;
    w.get(local.budget);
    w.i32(1);
    w.emit(op.i32Sub);
    w.i32(0);
    w.get(local.cpu);
    w.memory(memoryOp.i32Load, VCPU_REQUEST);
    w.emit(op.i32Sub, op.i32Or);
    w.i32(0);
    w.emit(op.i32LtS);
  }

  /** Leaves, by the epilogue, at an address relative to that in the local `base`. */
  private leave(base: number, position: number, status: number): void {
    const { w } = this;
    this.exits++;
    const known = status === STATUS_LOCAL ? 0 : status << EXIT_STATUS_SHIFT;
    if (base !== local.page) {
      w.get(base);
      w.set(local.page);
    }
    if ((this.state & DYNAMIC) === DYNAMIC) this.leftBehind |= LEAVES_KIND;
    if (this.state & ROTATED) this.leftBehind |= LEAVES_ROTATED;
    if ((this.state & (SPECIAL | DYNAMIC)) !== SPECIAL) this.leftBehind |= LEAVES_OPERANDS;
    w.i64Halves(known | (this.retired << EXIT_RETIRED_SHIFT) | (this.state & EXIT_STATE_MASK), position);
    if (status === STATUS_LOCAL) {
      w.get(local.status);
      w.i32(EXIT_STATUS_SHIFT);
      w.emit(op.i32Shl, op.i64ExtendI32U, op.i64Or);
    }
    w.set(local.exit);
    w.br(this.epilogue);
  }

  /** Leaves at a position. */
  exit(position: number, status: number): void {
    this.leave(local.page, position, status);
  }

  /** Leaves with RIP in its local. */
  exitToRip(): void {
    this.leave(local.rip, 0, JUMP);
  }

  /** Leaves with RIP and status in their locals. */
  exitWithStatus(): void {
    this.leave(local.rip, 0, STATUS_LOCAL);
  }

  /** What ways out go to: writes registers, budget and RIP back and what flags are made of; leaves the result on the stack. */
  writeBack(): void {
    const { w } = this;
    this.registers.settle(this.registers.written);
    this.store(VCPU_BUDGET, memoryOp.i32Store, local.budget);
    if (this.leftBehind & LEAVES_OPERANDS) {
      this.store(VCPU_LEFT_A, memoryOp.i64Store, local.ccA);
      this.store(VCPU_LEFT_B, memoryOp.i64Store, local.ccB);
      this.store(VCPU_LEFT_R, memoryOp.i64Store, local.ccR);
    }
    if (this.leftBehind & LEAVES_KIND) this.store(VCPU_LEFT_KIND, memoryOp.i32Store, local.kind);
    if (this.leftBehind & LEAVES_ROTATED) this.store(VCPU_LEFT_ROTATED, memoryOp.i64Store, local.rotated);
    w.get(local.cpu);
    w.get(local.page);
    w.get(local.exit);
    w.i64(32);
    w.emit(op.i64ShrS, op.i64Add);
    w.memory(memoryOp.i64Store, VCPU_RIP);
    w.get(local.exit);
    w.emit(op.i32WrapI64);
  }

  /** The way out behind that, with the status in its local: all else is in memory already. */
  writeBudget(): void {
    const { w } = this;
    this.store(VCPU_BUDGET, memoryOp.i32Store, local.budget);
    w.get(local.status);
    w.i32(EXIT_STATUS_SHIFT);
    w.emit(op.i32Shl);
    w.i32(IN_MEMORY);
    w.emit(op.i32Or);
  }

  private store(offset: number, opcode: number, from: number): void {
    this.w.get(local.cpu);
    this.w.get(from);
    this.w.memory(opcode, offset);
  }
}
