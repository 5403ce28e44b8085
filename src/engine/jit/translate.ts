/**
 * Turns a region into the body of a WebAssembly function. Blocks are nested by the dominator tree: a loop header opens a `loop`,
 * a block that several paths join at follows a `block` that they branch out of, any other block is placed where control comes
 * from. @see Ramsey, "Beyond Relooper" (2022). Blocks that
 * are gone to by number (a region's targets) hang on a loop around a `br_table`.
 */
import { JUMP, VCPU_BUDGET, VCPU_CODE_EPOCH, VCPU_RIP, VCPU_TLB } from '../cpu/layout.ts';
import { type AccessPlan, type Behaviour, planAccesses } from './access-groups.ts';
import { pushCondition } from './conditions.ts';
import { emitCall, emitIndirect, emitReturn } from './emit-control.ts';
import { emitterOf } from './emitters.ts';
import { convertFlags, flagsToMemory } from './emit-flags.ts';
import { Emitter } from './emitter.ts';
import { LOCAL_DECLARATIONS, local } from './locals.ts';
import { DEAD, DYNAMIC, IN_MEMORY } from '../cpu/region-exit-state.ts';
import { type BlockFlags, analyseFlags, flagUse, stateBehind } from './flags.ts';
import { type Flow, type FlowBlock, analyseFlow, dominates } from './flow.ts';
import { isVectorRow, vectorRegisterUse, xmmUse } from './handlers.ts';
import type { Instruction } from './instruction.ts';
import type { Block, Region, Target } from './region.ts';
import { type TargetLookup, placeLookup } from './target-lookup.ts';
import { analyseVectors } from './vector-flow.ts';
import { type TranslatedCode, dataOfPages } from './translation.ts';
import { type RegisterState, Registers } from './registers.ts';
import { type Facts, NO_FACTS } from './vectors.ts';
import { type FunctionBody, service } from './wasm-module.ts';
import { ByteWriter, type Label, memoryOp, op } from './wasm-writer.ts';

const ALL_REGISTERS = 0xffff;

export class RegionTranslator {
  private readonly e: Emitter;
  private readonly probe: Emitter;
  private flow: Flow = { blocks: [], of: new Map(), targets: [] };
  private flags: ReadonlyMap<Block, BlockFlags> = new Map();
  private facts: ReadonlyMap<Block, Facts> = new Map();
  private readonly loops = new Map<Block, Label>();
  private readonly joins = new Map<Block, Label>();
  /** What is known of registers on all ways so far to each join. */
  private readonly arrivals = new Map<Block, RegisterState>();
  /** The loop around a region with several targets, and the numbers of those. */
  private dispatch: Label | null = null;
  private readonly numbers = new Map<Block, number>();
  private readonly behaviours = new Map<Instruction, Behaviour>();
  private plans: ReadonlyMap<Block, AccessPlan> = new Map();
  private lookup: TargetLookup | null = null;
  private data = new ByteWriter();

  /** @param ordered with fences between guest accesses */
  constructor(ordered = false) {
    this.e = new Emitter(ordered);
    this.probe = new Emitter(ordered);
    this.e.placeData = (bytes) => {
      const at = this.data.length;
      this.data.raw(bytes);
      return at;
    };
  }

  /** @param thorough code for a region that much is executed in; else code that takes little to compile */
  translate(region: Region, thorough: boolean): TranslatedCode {
    const { e } = this;
    e.refills = thorough;
    this.data = new ByteWriter();
    this.data.raw(dataOfPages(region.pages));
    this.flow = analyseFlow(region);
    this.flags = analyseFlags(this.flow);
    this.loops.clear();
    this.joins.clear();
    this.arrivals.clear();
    this.dispatch = null;
    this.numbers.clear();
    this.flow.targets.forEach((block, number) => this.numbers.set(block, number));
    this.lookup = this.flow.targets.length === 0 ? null : placeLookup(this.flow.targets, (bytes) => e.placeData(bytes));
    e.w.restart();
    e.state = DEAD;
    e.retired = 0;
    e.leftBehind = 0;
    e.manyPages = region.pages.length > 1;
    this.behaviours.clear();
    this.facts = findRegisters(e, this.probe, region, this.flow, this.behaviours);
    this.plans = planAccesses(this.flow, (i) => this.behaviours.get(i));
    e.registers.writesThrough = !thorough || !this.flow.blocks.some(({ loopHeader }) => loopHeader);
    this.prologue(region);
    e.rawExit = e.w.block();
    e.epilogue = e.w.block();
    const entry = this.flow.blocks[0];
    if (entry !== undefined) {
      e.state = IN_MEMORY;
      convertFlags(e, this.flags.get(entry.block)?.entry ?? DEAD);
      this.tree(entry);
    }
    e.w.end();
    e.vectors.store(e.vectors.written);
    e.writeBack();
    e.w.u8(op.return);
    e.w.end();
    e.vectors.store(e.vectors.written);
    e.writeBudget();
    e.w.u8(op.end);
    return { body: this.body(), data: this.data.result() };
  }

  private body(): FunctionBody {
    const { w } = this.e;
    const out = new ByteWriter();
    const locals = [...LOCAL_DECLARATIONS, ...this.e.vectors.declarations];
    out.u32(locals.length);
    for (const [count, type] of locals) {
      out.u32(count);
      out.u8(type);
    }
    const unlikely = w.unlikely.map((at) => at + out.length);
    out.raw(w.bytes.subarray(0, w.length));
    return { bytes: out.result(), unlikely };
  }

  // ---- around the code -------------------------------------------------------------------------------------------------

  private prologue(region: Region): void {
    const { e } = this;
    const { w } = e;
    e.registers.begin();
    e.vectors.prepare();
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

  // ---- blocks ----------------------------------------------------------------------------------------------------------

  private tree(flow: FlowBlock): void {
    const { w } = this.e;
    if (flow.block.dispatch !== undefined) {
      this.front(flow, flow.block.dispatch);
      return;
    }
    if (flow.loopHeader) {
      this.loops.set(flow.block, w.loop());
      this.e.registers.resume(undefined);
    }
    const joins = flow.dominated.filter((child) => child.forwardEdges > 1);
    this.within(flow, joins);
    if (flow.loopHeader) {
      this.loops.delete(flow.block);
      w.end();
    }
  }

  /** The loop that goes to a target by its number, with all that follow from them. */
  private front(flow: FlowBlock, targets: readonly Block[]): void {
    const { w } = this.e;
    this.dispatch = w.loop();
    const inside = [...flow.dominated];
    const open = (rest: readonly FlowBlock[]): void => {
      const last = rest.at(-1);
      if (last === undefined) {
        const labels = targets.map((block) => this.joins.get(block));
        w.get(local.target);
        w.brTable(labels.filter((label) => label !== undefined));
        return;
      }
      this.joins.set(last.block, w.block());
      open(rest.slice(0, -1));
      w.end();
      this.join(last, this.numbers.has(last.block));
    };
    open(inside);
    w.end();
    this.dispatch = null;
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
    this.join(last, false);
  }

  /** Goes on with a block that all ways to have been emitted, but for those `byNumber`. */
  private join(flow: FlowBlock, byNumber: boolean): void {
    this.joins.delete(flow.block);
    this.e.registers.resume(byNumber ? undefined : this.arrivals.get(flow.block));
    this.tree(flow);
  }

  /** Notes a way to a join from here. */
  private arrive(block: Block): void {
    this.arrivals.set(block, Registers.meet(this.arrivals.get(block), this.e.registers.state));
  }

  private block(flow: FlowBlock): void {
    const { e } = this;
    const { block } = flow;
    const flags = this.flags.get(block);
    if (flags === undefined) return;
    e.state = flags.entry;
    e.retired = 0;
    e.order.forget();
    e.vectors.assume(this.facts.get(block) ?? NO_FACTS);
    const last = block.instructions.length - 1;
    const plan = this.plans.get(block);
    for (let n = 0; n <= last; n++) {
      const instruction = block.instructions[n];
      if (instruction === undefined) continue;
      e.accesses = [];
      e.plan = plan?.[n] ?? null;
      const needed = flags.needed[n] === true;
      this.prepareRegisters(instruction);
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
    this.e.registers.flush();
    this.e.countRetired(this.e.retired);
    this.e.retired = 0;
  }

  private prepareRegisters(i: Instruction): void {
    const { plan, registers } = this.e;
    const behaviour = i.treatment === 'native' ? this.behaviours.get(i) : undefined;
    registers.defers = behaviour?.leaves === false;
    const looks = behaviour?.accesses.some((_, n) => plan?.[n]?.first !== null) === true;
    if (!registers.defers || looks) registers.flush();
    registers.fetch(behaviour?.needed ?? 0, behaviour?.written ?? 0);
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
          this.goToRip();
          return true;
        }
        break;
      case 'jmpIndirect':
      case 'callIndirect':
        emitIndirect(e, i);
        this.goToRip();
        return true;
      default:
        return false;
    }
    e.retired++;
    this.finishBlock();
    if (block.next !== null) this.edge(flow, block.next);
    return true;
  }

  /** Goes on at RIP behind an indirect transfer: within the region if that is one of its targets. */
  private goToRip(): void {
    const { e, lookup, dispatch } = this;
    const { w } = e;
    e.registers.flush();
    e.retired++;
    if (lookup !== null && dispatch !== null) {
      const { state, retired } = e;
      lookup.pushSlot(e);
      w.memory(memoryOp.i64Load, lookup.at);
      w.tee(local.t3);
      w.i64(32);
      w.emit(op.i64ShrS);
      w.get(local.page);
      w.emit(op.i64Add);
      w.get(local.rip);
      w.emit(op.i64Eq);
      w.if();
      this.finishBlock();
      this.e.pushInterrupted();
      w.ifUnlikely();
      e.exitToRip();
      w.end();
      convertFlags(e, DYNAMIC);
      w.get(local.t3);
      w.emit(op.i32WrapI64);
      w.set(local.target);
      w.br(dispatch);
      w.end();
      e.state = state;
      e.retired = retired;
    }
    e.exitToRip();
  }

  private branch(flow: FlowBlock, i: Instruction): void {
    const { e } = this;
    const { taken, next } = flow.block;
    if (taken === null || next === null) return;
    e.retired++;
    this.finishBlock();
    const { state } = e;
    pushCondition(e, i.aux);
    const known = e.registers.state;
    const label = this.plainLabel(flow, taken);
    if (label !== null) {
      if (taken.block !== null) this.arrive(taken.block);
      e.w.brIf(label);
    } else {
      e.w.if();
      this.edge(flow, taken);
      e.w.end();
    }
    e.state = state;
    e.registers.resume(known);
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
      convertFlags(e, wanted);
      const label = this.joins.get(target.block);
      if (label === undefined) this.tree(to);
      else {
        this.arrive(target.block);
        w.br(label);
      }
      return;
    }
    const back = dominates(this.flow.blocks, to, flow) ? this.loops.get(target.block) : undefined;
    const number = back === undefined && this.dispatch !== null ? this.numbers.get(target.block) : undefined;
    if (back === undefined && number === undefined) {
      e.exit(target.position, JUMP);
      return;
    }
    this.e.pushInterrupted();
    w.ifUnlikely();
    e.exit(target.position, JUMP);
    w.end();
    if (back !== undefined) {
      convertFlags(e, wanted);
      w.br(back);
    } else if (number !== undefined && this.dispatch !== null) {
      convertFlags(e, DYNAMIC);
      w.i32(number);
      w.set(local.target);
      w.br(this.dispatch);
    }
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
    w.ifUnlikely();
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
    flagsToMemory(e);
    e.registers.settle(ALL_REGISTERS);
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
    w.ifUnlikely();
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
    e.registers.refetch(ALL_REGISTERS);
    e.state = IN_MEMORY;
    this.leaveIfDropped(i);
  }

  /** A handler of a vector or x87 instruction: only the general registers it names go through memory. */
  private callVectorHandler(i: Instruction): void {
    const { e } = this;
    const { w } = e;
    const { reads, writes } = vectorRegisterUse(i);
    const xmm = xmmUse(i);
    e.registers.settle(reads);
    e.vectors.store(xmm.reads & e.vectors.written);
    e.pushOperation(i);
    w.call(service.callHandler);
    w.tee(local.status);
    w.ifUnlikely();
    w.get(local.cpu);
    w.memory(memoryOp.i64Load, VCPU_RIP);
    w.set(local.rip);
    e.exitWithStatus();
    w.end();
    e.registers.refetch(writes);
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

/** Which registers the region writes and which it uses, what its instructions do, and the facts about vector registers at each block. */
function findRegisters(
  e: Emitter,
  probe: Emitter,
  region: Region,
  flow: Flow,
  behaviours: Map<Instruction, Behaviour>,
): ReadonlyMap<Block, Facts> {
  let all = false;
  probe.registers.used = 0;
  probe.registers.written = 0;
  probe.vectors.restart();
  probe.state = IN_MEMORY;
  for (const block of region.blocks) {
    for (const i of block.instructions) {
      if (behaviours.has(i)) continue;
      if (i.treatment === 'handler') all = true;
      // With no facts every check is made that could be.
      probe.vectors.assume(NO_FACTS);
      const before = probe.registers.written;
      probe.registers.written = 0;
      probe.registers.needed = 0;
      probe.accesses = [];
      probe.exits = 0;
      probeRegisters(probe, i);
      const written = i.treatment === 'handler' ? ALL_REGISTERS : probe.registers.written;
      behaviours.set(i, { accesses: probe.accesses, needed: probe.registers.needed, written, leaves: probe.exits > 0 });
      probe.registers.written |= before;
    }
  }
  e.registers.used = all ? ALL_REGISTERS : probe.registers.used;
  e.registers.written = all ? ALL_REGISTERS : probe.registers.written;
  e.vectors.restart();
  e.vectors.adopt(probe.vectors);
  return analyseVectors(flow, probe, probeRegisters);
}

/** Notes the registers that an instruction uses, and the facts it leaves, by emitting it into nowhere. */
function probeRegisters(probe: Emitter, i: Instruction): void {
  probe.w.restart();
  probe.epilogue = probe.w.block();
  probe.registers.nesting = probe.w.nesting;
  if (i.treatment === 'handler' && isVectorRow(i.row)) probe.vectors.forgetAll();
  if (i.treatment === 'vector') {
    const { reads, writes } = vectorRegisterUse(i);
    probe.registers.used |= reads | writes;
    probe.registers.written |= writes;
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
