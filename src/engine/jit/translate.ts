/**
 * Turns a region into the body of a WebAssembly function. Blocks are nested by the dominator tree: a loop header opens a `loop`,
 * a block that several paths join at follows a `block` that they branch out of, any other block is placed where control comes
 * from. @see Ramsey, "Beyond Relooper" (2022). A jump back to a block that does not dominate it leaves the region.
 */
import { JUMP, REDO, VCPU_BUDGET, VCPU_CODE_EPOCH, VCPU_PAGE, VCPU_REQUEST, VCPU_RIP, VCPU_TLB } from '../cpu/layout.ts';
import { pushCondition } from './conditions.ts';
import { emitCall, emitIndirect, emitReturn } from './emit-control.ts';
import { emitterOf } from './emitters.ts';
import { Emitter, LOCAL_DECLARATIONS, local } from './emitter.ts';
import { type BlockFlags, DEAD, DYNAMIC, IN_MEMORY, analyseFlags, flagUse, stateBehind } from './flags.ts';
import { type Flow, type FlowBlock, analyseFlow, dominates } from './flow.ts';
import { isVectorRow, vectorRegisterUse, xmmUse } from './handlers.ts';
import type { Instruction } from './instruction.ts';
import type { Block, CodePage, Region, Target } from './region.ts';
import { analyseVectors } from './vector-flow.ts';
import { type Facts, NO_FACTS } from './vectors.ts';
import { service } from './wasm-module.ts';
import { ByteWriter, type Label, memoryOp, op } from './wasm-writer.ts';

const ALL_REGISTERS = 0xffff;

export interface Translation {
  /** Locals and code, as a `func` of the code section. */
  readonly body: Uint8Array;
}

/** Places an operation in the vCPU's region arena for handlers; its address, 0 = no room. */
export type PlaceOperation = (record: Uint8Array) => number;

export class ArenaFull extends Error {}

export class RegionTranslator {
  private readonly e = new Emitter();
  private flow: Flow = { blocks: [], of: new Map() };
  private flags: ReadonlyMap<Block, BlockFlags> = new Map();
  private facts: ReadonlyMap<Block, Facts> = new Map();
  private readonly loops = new Map<Block, Label>();
  private readonly joins = new Map<Block, Label>();

  constructor(placeOperation: PlaceOperation) {
    this.e.placeOperation = (record) => {
      const at = placeOperation(record);
      if (at === 0) throw new ArenaFull();
      return at;
    };
  }

  /** Throws ArenaFull when the arena has no room for an operation. */
  translate(region: Region): Translation {
    const { e } = this;
    this.flow = analyseFlow(region);
    this.flags = analyseFlags(this.flow);
    this.loops.clear();
    this.joins.clear();
    e.w.restart();
    e.state = DEAD;
    e.retired = 0;
    e.manyPages = region.pages.length > 1;
    this.facts = findRegisters(e, region, this.flow);
    this.prologue(region);
    e.rawExit = e.w.block();
    e.epilogue = e.w.block();
    this.verifyPages(region.pages, region.entry.start);
    const entry = this.flow.blocks[0];
    if (entry !== undefined) {
      e.state = IN_MEMORY;
      e.convertFlags(this.flags.get(entry.block)?.entry ?? DEAD);
      this.tree(entry);
    }
    e.w.end();
    this.epilogue();
    e.w.end();
    e.vectors.store(e.vectors.written);
    e.w.get(local.cpu);
    e.w.get(local.budget);
    e.w.memory(memoryOp.i32Store, VCPU_BUDGET);
    e.w.get(local.status);
    e.w.u8(op.end);
    return { body: this.body() };
  }

  private body(): Uint8Array {
    const out = new ByteWriter();
    const locals = [...LOCAL_DECLARATIONS, ...this.e.vectors.declarations];
    out.u32(locals.length);
    for (const [count, type] of locals) {
      out.u32(count);
      out.u8(type);
    }
    out.raw(this.e.w.bytes.subarray(0, this.e.w.length));
    return out.result();
  }

  // ---- around the code -------------------------------------------------------------------------------------------------

  private prologue(region: Region): void {
    const { e } = this;
    const { w } = e;
    e.loadRegisters(e.used);
    e.vectors.prepare();
    w.get(local.cpu);
    w.memory(memoryOp.i64Load, VCPU_PAGE);
    w.set(local.page);
    for (const [to, offset] of [
      [local.tlb, VCPU_TLB],
      [local.budget, VCPU_BUDGET],
    ] as const) {
      w.get(local.cpu);
      w.memory(memoryOp.i32Load, offset);
      w.set(to);
    }
    if (region.blocks.some((block) => block.instructions.some((i) => i.treatment === 'handler' || i.treatment === 'vector'))) {
      w.get(local.cpu);
      w.memory(memoryOp.i32Load, VCPU_CODE_EPOCH);
      w.set(local.epoch);
    }
  }

  /** Leaves unless the other pages still are where they were when the region was made. */
  private verifyPages(pages: readonly CodePage[], entry: number): void {
    const { e } = this;
    const { w } = e;
    for (const { position, host } of pages) {
      if (position === 0) continue;
      w.get(local.cpu);
      e.pushPosition(position);
      w.i32(host);
      w.call(service.sameCodePage);
      w.emit(op.i32Eqz);
      w.if();
      e.exit(entry, REDO);
      w.end();
    }
  }

  private epilogue(): void {
    const { e } = this;
    const { w } = e;
    e.storeRegisters(e.written);
    e.unpackExit();
    w.get(local.cpu);
    w.get(local.rip);
    w.memory(memoryOp.i64Store, VCPU_RIP);
  }

  // ---- blocks ----------------------------------------------------------------------------------------------------------

  private tree(flow: FlowBlock): void {
    const { w } = this.e;
    if (flow.loopHeader) this.loops.set(flow.block, w.loop());
    const joins = flow.dominated.filter((child) => child.forwardEdges > 1);
    this.within(flow, joins);
    if (flow.loopHeader) {
      this.loops.delete(flow.block);
      w.end();
    }
  }

  /** The block with the joins it dominates behind it, the last one outermost. */
  private within(flow: FlowBlock, joins: readonly FlowBlock[]): void {
    const { w } = this.e;
    const last = joins.at(-1);
    if (last === undefined) {
      this.block(flow);
      return;
    }
    this.joins.set(last.block, w.block());
    this.within(flow, joins.slice(0, -1));
    w.end();
    this.joins.delete(last.block);
    this.tree(last);
  }

  private block(flow: FlowBlock): void {
    const { e } = this;
    const { block } = flow;
    const flags = this.flags.get(block);
    if (flags === undefined) return;
    e.state = flags.entry;
    e.retired = 0;
    e.vectors.assume(this.facts.get(block) ?? NO_FACTS);
    const last = block.instructions.length - 1;
    for (let n = 0; n <= last; n++) {
      const instruction = block.instructions[n];
      if (instruction === undefined) continue;
      const needed = flags.needed[n] === true;
      if (n === last && this.transfer(flow, instruction)) return;
      this.instruction(instruction, needed);
      e.state = this.stateNow(instruction, needed);
      e.retired++;
    }
    this.finishBlock();
    if (block.next !== null) this.edge(flow, block.next);
  }

  private stateNow(instruction: Instruction, needed: boolean): number {
    return stateBehind(instruction, this.e.state, needed);
  }

  private finishBlock(): void {
    this.e.countRetired(this.e.retired);
    this.e.retired = 0;
  }

  private instruction(i: Instruction, needed: boolean): void {
    if (i.treatment === 'native') {
      const emit = emitterOf(i);
      if (emit === undefined) throw new Error(`no emitter for ${i.handler}`);
      emit(this.e, i, needed);
    } else if (i.treatment === 'vector') this.callVectorHandler(i);
    else this.callHandler(i);
  }

  // ---- transfers of control --------------------------------------------------------------------------------------------

  /** Emits the instruction and the ways on from it if it transfers control. */
  private transfer(flow: FlowBlock, i: Instruction): boolean {
    if (i.treatment !== 'native') return false;
    const { e } = this;
    const { block } = flow;
    switch (i.handler) {
      case 'jcc':
        this.branch(flow, i);
        return true;
      case 'jmpRelative':
        break;
      case 'callRelative':
        emitCall(e, i);
        break;
      case 'ret':
        emitReturn(e, i, block.next?.position ?? null);
        if (block.next === null) {
          e.w.get(local.t0);
          e.w.set(local.rip);
          e.retired++;
          e.exitToRip();
          return true;
        }
        break;
      case 'jmpIndirect':
      case 'callIndirect':
        emitIndirect(e, i);
        return true;
      default:
        return false;
    }
    e.retired++;
    this.finishBlock();
    if (block.next !== null) this.edge(flow, block.next);
    return true;
  }

  private branch(flow: FlowBlock, i: Instruction): void {
    const { e } = this;
    const { taken, next } = flow.block;
    if (taken === null || next === null) return;
    e.retired++;
    this.finishBlock();
    const { state } = e;
    pushCondition(e, i.aux);
    const label = this.plainLabel(flow, taken);
    if (label !== null) e.w.brIf(label);
    else {
      e.w.if();
      this.edge(flow, taken);
      e.w.end();
    }
    e.state = state;
    e.retired = 0;
    this.edge(flow, next);
  }

  /** Label of a join that can be gone to just so. */
  private plainLabel(flow: FlowBlock, target: Target): Label | null {
    if (target.block === null) return null;
    const to = this.flow.of.get(target.block);
    const label = this.joins.get(target.block);
    if (to === undefined || label === undefined || to.order <= flow.order) return null;
    const wanted = this.flags.get(target.block)?.entry ?? DEAD;
    return wanted === DYNAMIC && this.e.state !== DYNAMIC ? null : label;
  }

  private edge(flow: FlowBlock, target: Target): void {
    const { e } = this;
    const { w } = e;
    const to = target.block === null ? undefined : this.flow.of.get(target.block);
    if (target.block === null || to === undefined) {
      e.exit(target.position, JUMP);
      return;
    }
    const wanted = this.flags.get(target.block)?.entry ?? DEAD;
    if (to.order > flow.order) {
      e.convertFlags(wanted);
      const label = this.joins.get(target.block);
      if (label === undefined) this.tree(to);
      else w.br(label);
      return;
    }
    const loop = this.loops.get(target.block);
    if (loop === undefined || !dominates(this.flow.blocks, to, flow)) {
      e.exit(target.position, JUMP);
      return;
    }
    w.get(local.budget);
    w.i32(1);
    w.emit(op.i32LtS);
    w.get(local.cpu);
    w.atomicLoad32(VCPU_REQUEST);
    w.emit(op.i32Or);
    w.if();
    e.exit(target.position, JUMP);
    w.end();
    e.convertFlags(wanted);
    w.br(loop);
  }

  // ---- handlers --------------------------------------------------------------------------------------------------------

  /** Leaves, with the state behind the instruction, if code was dropped. */
  private leaveIfDropped(i: Instruction): void {
    const { e } = this;
    const { w } = e;
    w.get(local.cpu);
    w.memory(memoryOp.i32Load, VCPU_CODE_EPOCH);
    w.get(local.epoch);
    w.emit(op.i32Ne);
    w.if();
    const { retired } = e;
    e.retired++;
    e.exit(i.position + i.length, JUMP);
    e.retired = retired;
    w.end();
  }

  /** A handler that may touch every register: they are in memory meanwhile. */
  private callHandler(i: Instruction): void {
    const { e } = this;
    const { w } = e;
    const touchesVectors = isVectorRow(i.row);
    e.flagsToMemory();
    e.storeRegisters(e.written);
    if (touchesVectors) e.vectors.store(e.vectors.written);
    e.pushOperation(i);
    w.call(service.callHandler);
    w.set(local.status);
    if (touchesVectors) {
      e.vectors.load(e.vectors.used);
      e.vectors.refresh();
      e.vectors.forgetAll();
    }
    w.get(local.status);
    w.if();
    // The core has set RIP. An instruction that jumped counts as retired.
    const { retired } = e;
    e.countRetired(retired);
    w.get(local.budget);
    w.get(local.status);
    w.i32(JUMP);
    w.emit(op.i32Eq, op.i32Sub);
    w.set(local.budget);
    w.br(e.rawExit);
    w.end();
    e.loadRegisters(e.used);
    e.state = IN_MEMORY;
    this.leaveIfDropped(i);
  }

  /** A handler of a vector or x87 instruction: only the general registers it names go through memory. */
  private callVectorHandler(i: Instruction): void {
    const { e } = this;
    const { w } = e;
    const { reads, writes } = vectorRegisterUse(i);
    const xmm = xmmUse(i);
    e.storeRegisters(reads & e.written);
    e.vectors.store(xmm.reads & e.vectors.written);
    e.pushOperation(i);
    w.call(service.callHandler);
    w.tee(local.status);
    w.if();
    w.get(local.cpu);
    w.memory(memoryOp.i64Load, VCPU_RIP);
    w.set(local.rip);
    e.exitWithStatus();
    w.end();
    e.loadRegisters(writes);
    e.vectors.load(xmm.writes & e.vectors.used);
    for (let n = 0; n < 16; n++) if (xmm.writes & (1 << n)) e.vectors.forget(n);
    if (i.handler === 'ldmxcsr') {
      e.vectors.refresh();
      e.vectors.forgetAll();
    }
    if (flagUse(i).changes) e.state = IN_MEMORY;
    if (i.flags & 1) this.leaveIfDropped(i);
  }
}

/** Which registers the region writes and which it uses, and the facts about vector registers at each block. */
function findRegisters(e: Emitter, region: Region, flow: Flow): ReadonlyMap<Block, Facts> {
  let all = false;
  const probe = new Emitter();
  probe.state = IN_MEMORY;
  for (const block of region.blocks) {
    for (const i of block.instructions) {
      if (i.treatment === 'handler') all = true;
      // With no facts every check is made that could be.
      probe.vectors.assume(NO_FACTS);
      probeRegisters(probe, i);
    }
  }
  e.used = all ? ALL_REGISTERS : probe.used;
  e.written = all ? ALL_REGISTERS : probe.written;
  e.vectors.restart();
  e.vectors.adopt(probe.vectors);
  return analyseVectors(flow, probe, probeRegisters);
}

/** Notes the registers that an instruction uses, and the facts it leaves, by emitting it into nowhere. */
function probeRegisters(probe: Emitter, i: Instruction): void {
  probe.w.restart();
  probe.epilogue = probe.w.block();
  if (i.treatment === 'handler' && isVectorRow(i.row)) probe.vectors.forgetAll();
  if (i.treatment === 'vector') {
    const { reads, writes } = vectorRegisterUse(i);
    probe.used |= reads | writes;
    probe.written |= writes;
    const xmm = xmmUse(i);
    for (let n = 0; n < 16; n++) if (xmm.writes & (1 << n)) probe.vectors.forget(n);
    if (i.handler === 'ldmxcsr') probe.vectors.forgetAll();
    return;
  }
  if (i.treatment !== 'native') return;
  switch (i.handler) {
    case 'callRelative':
      emitCall(probe, i);
      return;
    case 'ret':
      emitReturn(probe, i, null);
      return;
    case 'jmpIndirect':
    case 'callIndirect':
      emitIndirect(probe, i);
      return;
    default:
      emitterOf(i)?.(probe, i, true);
  }
}
