/**
 * Arithmetic flags of translated code. An instruction that sets flags leaves its operands in locals; a *state* says at
 * translation time how the flags follow from them, so that a branch behind a comparison is one comparison and flags that nobody
 * looks at cost nothing. Where paths with different states meet, the flags take the DYNAMIC form: as the core's VCPU_CC_* fields,
 * in locals.
 */
import { CC_ADC, CC_ADD, CC_DEC, CC_EXPLICIT, CC_IMUL, CC_INC, CC_LOGIC, CC_MUL, CC_SBB, CC_SHL, CC_SUB } from '../cpu/layout.ts';
import {
  DEAD,
  DYNAMIC,
  IN_MEMORY,
  NARROW,
  RESULT_IS_DIFFERENCE,
  RESULT_IS_SUM,
  ROTATED,
  ROTATED_NARROW,
  ROTATED_RIGHT,
} from '../cpu/region-exit-state.ts';
import { isVectorRow, writesFlags } from './handlers.ts';
import { type Instruction, inMemory } from './instruction.ts';
import { successors } from './flow.ts';
import type { Flow, FlowBlock } from './flow.ts';
import type { Block } from './region.ts';

/** KIND_MASK and its neighbours: cpu/region-exit-state.ts. */
export type FlagState = number;

const ROTATE_BITS = ROTATED | ROTATED_RIGHT | ROTATED_NARROW;

export const withoutRotate = (state: FlagState): FlagState => state & ~ROTATE_BITS;

/** Count of a shift by a constant. */
export const shiftCount = (i: Instruction): number => i.low & (i.size === 8 ? 63 : 31);

/** RCL and RCR. */
export const isThroughCarry = (i: Instruction): boolean => i.aux === 2 || i.aux === 3;

/** How an instruction treats the flags. */
interface Use {
  /** Looks at them. */
  readonly reads: boolean;
  /** Replaces all of them. */
  readonly replaces: boolean;
  /** Replaces some of them. */
  readonly changes: boolean;
  /** May leave the region with the flags as they were before it. */
  readonly mayLeave: boolean;
}

const use = (reads: boolean, replaces: boolean, changes: boolean, mayLeave: boolean): Use => ({
  reads,
  replaces,
  changes,
  mayLeave,
});

export function flagUse(i: Instruction): Use {
  const memory = inMemory(i);
  if (i.treatment === 'handler') return use(true, false, true, true);
  if (i.treatment === 'vector') return use(false, false, writesFlags(i.row), true);
  if (isVectorRow(i.row)) return use(false, writesFlags(i.row), writesFlags(i.row), true);
  switch (i.handler) {
    case 'aluEG':
    case 'aluGE':
    case 'aluEI':
      return use(i.aux === 2 || i.aux === 3, true, true, memory);
    case 'testEG':
    case 'testEI':
    case 'multiplyRegister':
    case 'multiplyAccumulator':
    case 'bitScan':
    case 'populationCount':
      return use(false, true, true, memory);
    case 'unaryE':
      if (i.aux === 10) return use(false, false, false, memory);
      return use(false, i.aux === 11, true, memory);
    case 'shiftImmediate':
      if (shiftCount(i) === 0) return use(false, false, false, memory);
      return use(isThroughCarry(i), i.aux >= 4, true, memory);
    case 'shiftDoubleImmediate':
      return shiftCount(i) === 0 ? use(false, false, false, memory) : use(false, true, true, memory);
    case 'xadd':
    case 'cmpxchg':
      return use(false, true, true, memory);
    case 'cmpxchgPair':
      return use(true, false, true, true);
    case 'shiftByCl':
    case 'shiftDoubleByCl':
    case 'bitTestRegister':
    case 'bitTestImmediate':
      return use(false, false, true, memory);
    case 'setcc':
    case 'cmovcc':
    case 'jcc':
      return use(true, false, false, memory);
    case 'divideAccumulator':
    case 'movs':
    case 'stos':
    case 'lods':
    case 'pushRm':
    case 'pushImmediate':
    case 'popRm':
    case 'leave':
    case 'callRelative':
    case 'callIndirect':
    case 'jmpIndirect':
    case 'ret':
      return use(false, false, false, true);
    default:
      return use(false, false, false, memory);
  }
}

const ALU_STATES = [CC_ADD, CC_LOGIC, CC_ADC, CC_SBB, CC_LOGIC, CC_SUB, CC_LOGIC, CC_SUB] as const;

function aluState(kind: number, size: number): FlagState {
  const narrow = size === 4 ? NARROW : 0;
  if (size >= 4 && kind === CC_ADD) return kind | narrow | RESULT_IS_SUM;
  if (size >= 4 && kind === CC_SUB) return kind | narrow | RESULT_IS_DIFFERENCE;
  return kind | narrow;
}

/** State behind an instruction whose flags somebody will look at. */
export function stateAfter(i: Instruction, before: FlagState): FlagState {
  const narrow = i.size === 4 ? NARROW : 0;
  if (i.treatment === 'handler') return IN_MEMORY;
  if (i.treatment === 'vector') return writesFlags(i.row) ? IN_MEMORY : before;
  if (isVectorRow(i.row)) return writesFlags(i.row) ? CC_EXPLICIT : before;
  switch (i.handler) {
    case 'aluEG':
    case 'aluGE':
    case 'aluEI':
      return aluState(ALU_STATES[i.aux & 7] ?? CC_LOGIC, i.size);
    case 'testEG':
    case 'testEI':
    case 'bitScan':
      return CC_LOGIC | narrow;
    case 'unaryE':
      if (i.aux === 10) return before;
      if (i.aux === 11) return CC_SUB | narrow | (i.size >= 4 ? RESULT_IS_DIFFERENCE : 0);
      return (i.aux === 8 ? CC_INC : CC_DEC) | narrow;
    case 'shiftImmediate': {
      if (shiftCount(i) === 0) return before;
      if (isThroughCarry(i)) return IN_MEMORY;
      if (i.aux < 2)
        return withoutRotate(before) | ROTATED | (i.aux === 1 ? ROTATED_RIGHT : 0) | (i.size === 4 ? ROTATED_NARROW : 0);
      return (i.aux === 5 ? CC_DEC : i.aux === 7 ? CC_INC : CC_SHL) | narrow;
    }
    case 'shiftByCl':
      return i.aux < 2 ? IN_MEMORY : DYNAMIC;
    case 'shiftDoubleImmediate':
      return shiftCount(i) === 0 ? before : CC_EXPLICIT;
    case 'shiftDoubleByCl':
      return DYNAMIC;
    case 'cmpxchgPair':
      return IN_MEMORY;
    case 'xadd':
      return aluState(CC_ADD, i.size);
    case 'cmpxchg':
      return aluState(CC_SUB, i.size);
    case 'multiplyRegister':
      return CC_IMUL | narrow;
    case 'multiplyAccumulator':
      return CC_MUL | narrow;
    case 'bitTestRegister':
    case 'bitTestImmediate':
      return CC_INC;
    case 'populationCount':
      return CC_EXPLICIT;
    default:
      return before;
  }
}

export interface BlockFlags {
  /** State at its start. */
  entry: FlagState;
  /** Whether anybody looks at the flags that each instruction leaves. */
  readonly needed: boolean[];
  /** Whether anybody looks at the flags the block starts with. */
  neededAtEntry: boolean;
}

/** Whether leaving the block looks at its flags: it always may, but where control only goes on to blocks that replace them. */
function neededAtExit(block: Block, flow: Flow, known: ReadonlyMap<Block, BlockFlags>): boolean {
  if (block.next === null || block.next.block === null || block.taken?.block === null) return true;
  const here = flow.of.get(block)?.order ?? 0;
  return successors(block).some((successor) => {
    const order = flow.of.get(successor)?.order ?? 0;
    return order <= here || known.get(successor)?.neededAtEntry !== false;
  });
}

function findNeeds(flow: Flow): Map<Block, BlockFlags> {
  const known = new Map<Block, BlockFlags>();
  // Back edges always need the flags, so one pass from the end knows every successor it asks for.
  for (let n = flow.blocks.length - 1; n >= 0; n--) {
    const block = flow.blocks[n]?.block;
    if (block === undefined) continue;
    let needed = neededAtExit(block, flow, known);
    const list: boolean[] = [];
    for (let at = block.instructions.length - 1; at >= 0; at--) {
      const instruction = block.instructions[at];
      if (instruction === undefined) continue;
      list[at] = needed;
      const { reads, replaces, mayLeave } = flagUse(instruction);
      needed = reads || mayLeave || (needed && !replaces);
    }
    known.set(block, { entry: DEAD, needed: list, neededAtEntry: needed });
  }
  return known;
}

function stateAtEnd(block: Block, flags: BlockFlags): FlagState {
  let state = flags.entry;
  block.instructions.forEach((instruction, n) => {
    state = stateBehind(instruction, state, flags.needed[n] === true);
  });
  return state;
}

/** State behind an instruction. */
export function stateBehind(instruction: Instruction, before: FlagState, needed: boolean): FlagState {
  const { replaces, changes } = flagUse(instruction);
  if (needed) return stateAfter(instruction, before);
  return replaces || changes || instruction.treatment === 'handler' ? DEAD : before;
}

const UNKNOWN = -1;

/** Flag states at the start of every block, and what is needed of each instruction. */
export function analyseFlags(flow: Flow): Map<Block, BlockFlags> {
  const known = findNeeds(flow);
  for (const flags of known.values()) flags.entry = UNKNOWN;
  const meet = (a: FlagState, b: FlagState): FlagState => (a === UNKNOWN ? b : b === UNKNOWN || a === b ? a : DYNAMIC);
  for (let changed = true; changed;) {
    changed = false;
    for (const { block, predecessors, order } of flow.blocks) {
      const flags = known.get(block);
      if (flags === undefined) continue;
      let entry: FlagState = DEAD;
      if (flags.neededAtEntry) {
        entry = order > 0 ? UNKNOWN : block.dispatch === undefined ? IN_MEMORY : DYNAMIC;
        for (const predecessor of predecessors) entry = meet(entry, endOf(predecessor, known));
      }
      if (entry !== flags.entry) {
        flags.entry = entry;
        changed = true;
      }
    }
  }
  return known;
}

function endOf(flow: FlowBlock, known: ReadonlyMap<Block, BlockFlags>): FlagState {
  const flags = known.get(flow.block);
  if (flags === undefined || (flags.entry === UNKNOWN && flags.neededAtEntry)) return UNKNOWN;
  return stateAtEnd(flow.block, flags);
}
