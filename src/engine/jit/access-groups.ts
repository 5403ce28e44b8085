/**
 * Accesses that lie close together: pushes and pops, fields of one structure. The first of a group looks into the TLB for all of
 * them, the others use the host address it found. That saves most of their code, which is what engines take long to compile.
 * A group may go on in the blocks that follow, if it was open on all ways there.
 *
 * Addresses are compared as a value of a register, known only as the region runs, plus a constant: copies of registers and
 * additions of constants are followed, any other change makes a new value. A group spans at most GROUP_BYTES. Where it does not lie
 * in one page, or an access of it would fault, even one that control is not to come to, its first instruction is given back to the
 * interpreter before it has had any effect: the others have not been reached then. Between the first and the last nothing is executed that could change translations: no
 * handler, no look at requests.
 */
import { VCPU_PAGE, VCPU_R15, VCPU_RBP, VCPU_RSP, VCPU_ZERO } from '../cpu/layout.ts';
import { isVectorRow } from './handlers.ts';
import { type Instruction, inMemory, instructionPage, isLocked } from './instruction.ts';
import type { Flow, FlowBlock } from './flow.ts';
import type { Block } from './region.ts';

/** An access as an emitter makes it: relative to a slot (a register, a segment's base, VCPU_PAGE, VCPU_ZERO); null = no such simple address. */
export interface Access {
  readonly address: { readonly slot: number; readonly displacement: number } | null;
  readonly bytes: number;
  readonly write: boolean;
}

/** What emitting an instruction showed: its accesses in order, and the general registers it writes. */
export interface Behaviour {
  readonly accesses: readonly Access[];
  /** Registers that are read or may keep their value, and those that are written. */
  readonly needed: number;
  readonly written: number;
  /** It may leave the region otherwise than by a look of its accesses, which come before all it does. */
  readonly leaves: boolean;
}

/** What an access of a group is to do. */
export interface GroupedAccess {
  /** Which local holds the host address of the group's lowest byte. */
  readonly group: number;
  /** From there. */
  readonly offset: number;
  /** Of the group's first access: all of the group's bytes, and whether they are to be writable. */
  readonly first: { readonly bytes: number; readonly write: boolean } | null;
}

/** By instruction of a block and by access of the instruction; null = the access is on its own. */
export type AccessPlan = readonly (readonly (GroupedAccess | null)[] | undefined)[];

/** Locals there are for groups of a block. */
export const GROUP_LOCALS = 8;
/** What spans more is more often cut by a page's end than it is worth. */
const GROUP_BYTES = 64;

/** Handlers whose emitters call nothing that could change a translation or wait. */
const PLAIN = new Set([
  'nop',
  'movEG',
  'movGE',
  'movEI',
  'movzx',
  'movsx',
  'lea',
  'aluEG',
  'aluGE',
  'aluEI',
  'unaryE',
  'testEG',
  'testEI',
  'bswap',
  'convertAccumulator',
  'extendAccumulator',
  'setcc',
  'cmovcc',
  'multiplyRegister',
  'multiplyAccumulator',
  'bitScan',
  'populationCount',
  'pushRm',
  'pushImmediate',
  'popRm',
  'leave',
  'shiftImmediate',
  'shiftByCl',
  'bitTestImmediate',
  'jcc',
  'jmpRelative',
  'callRelative',
  'ret',
]);

/** In place of a slot: the address of the region's first page plus the base of a segment whose slot this is added to. */
const PAGE_IN_SEGMENT = 0x1000;

/** The instruction's memory operand as slot and displacement. */
export function simpleAddress(i: Instruction): Access['address'] {
  const inSegment = i.segment !== VCPU_ZERO;
  if (i.index !== VCPU_ZERO) return null;
  if (i.base === VCPU_PAGE) {
    const slot = inSegment ? PAGE_IN_SEGMENT + i.segment : VCPU_PAGE;
    return { slot, displacement: i.displacement + instructionPage(i) };
  }
  if (inSegment) return i.base === VCPU_ZERO ? { slot: i.segment, displacement: i.displacement } : null;
  return i.base <= VCPU_R15 || i.base === VCPU_ZERO ? { slot: i.base, displacement: i.displacement } : null;
}

interface Value {
  readonly id: number;
  readonly offset: number;
}

/** The region's: values that are made on different ways are different ones where these meet. */
interface Values {
  next: number;
}

interface Member {
  /** Number of its instruction, through all blocks in reverse postorder: no way from a group's first access to its last leads back. */
  readonly place: number;
  readonly block: Block;
  readonly instruction: number;
  readonly access: number;
  readonly offset: number;
}

interface Group {
  readonly id: number;
  readonly write: boolean;
  low: number;
  high: number;
  readonly members: Member[];
}

/** What registers hold, as values plus constants, and the groups that further accesses may join. */
class State {
  constructor(
    private readonly values: Values,
    private readonly of = new Map<number, Value>(),
    public open: readonly Group[] = [],
  ) {}

  /** What all of them have in common. */
  static meet(states: readonly State[], values: Values): State {
    const [first, ...others] = states;
    if (first === undefined) return new State(values);
    const common = [...first.of].filter(([slot, { id, offset }]) =>
      others.every(({ of }) => {
        const value = of.get(slot);
        return value?.id === id && value.offset === offset;
      }),
    );
    const open = first.open.filter((group) => others.every((other) => other.open.includes(group)));
    return new State(values, new Map(common), open);
  }

  at(slot: number): Value {
    let value = this.of.get(slot);
    if (value === undefined) {
      value = { id: this.values.next++, offset: 0 };
      this.of.set(slot, value);
    }
    return value;
  }

  /** Something else is executed: groups end, and bases of segments may change. */
  interrupt(): void {
    this.open = [];
    for (const slot of this.of.keys()) if (slot > VCPU_PAGE) this.of.delete(slot);
  }

  private set(slot: number, from: number, distance: number): void {
    const { id, offset } = this.at(from);
    this.of.set(slot, { id, offset: (offset + distance) | 0 });
  }

  /** Executes the instruction. */
  follow(i: Instruction, written: number): void {
    const known = this.known(i);
    const rest = known === null ? written : written & ~(1 << (known.slot >> 3));
    // The value is taken before a register it comes from is forgotten.
    if (known !== null) this.set(known.slot, known.from, known.distance);
    for (let n = 0; n < 16; n++) if (rest & (1 << n)) this.of.delete(n * 8);
  }

  /** The register whose new value is that of another one, or its own, plus a constant. */
  private known(i: Instruction): { slot: number; from: number; distance: number } | null {
    switch (i.handler) {
      case 'pushRm':
      case 'pushImmediate':
      case 'callRelative':
        return { slot: VCPU_RSP, from: VCPU_RSP, distance: -8 };
      case 'popRm':
        return i.rm === VCPU_RSP ? null : { slot: VCPU_RSP, from: VCPU_RSP, distance: 8 };
      case 'ret':
        return { slot: VCPU_RSP, from: VCPU_RSP, distance: 8 + (i.low & 0xffff) };
      case 'leave':
        return { slot: VCPU_RSP, from: VCPU_RBP, distance: 8 };
      case 'aluEI':
        if (i.size !== 8 || inMemory(i) || (i.aux !== 0 && i.aux !== 5)) return null;
        return { slot: i.rm, from: i.rm, distance: i.aux === 0 ? i.low : -i.low };
      case 'movEG':
        return i.size === 8 && !inMemory(i) ? { slot: i.rm, from: i.reg, distance: 0 } : null;
      case 'movGE':
        return i.size === 8 && !inMemory(i) ? { slot: i.reg, from: i.rm, distance: 0 } : null;
      case 'lea': {
        // An address without its segment.
        const from = i.size === 8 && i.segment === VCPU_ZERO ? simpleAddress(i) : null;
        return from === null ? null : { slot: i.reg, from: from.slot, distance: from.displacement };
      }
      default:
        return null;
    }
  }
}

type BehaviourOf = (i: Instruction) => Behaviour | undefined;

/** Groups the accesses of a region's blocks; a block that is missing has none in groups. */
export function planAccesses(flow: Flow, behaviourOf: BehaviourOf): ReadonlyMap<Block, AccessPlan> {
  return assignLocals(new Grouping(behaviourOf).groupsOf(flow), behaviourOf);
}

/** Goes through the blocks in reverse postorder. Of the way round a loop nothing is known yet at its header, which begins anew. */
class Grouping {
  private readonly groups: Group[] = [];
  private readonly values: Values = { next: 0 };
  private readonly ends = new Map<FlowBlock, State>();
  private places = 0;

  constructor(private readonly behaviourOf: BehaviourOf) {}

  /** In the order of their first accesses. */
  groupsOf({ blocks }: Flow): readonly Group[] {
    for (const flow of blocks) {
      const state = this.stateBefore(flow);
      this.visit(flow.block, state);
      this.ends.set(flow, state);
    }
    return this.groups;
  }

  private stateBefore({ order, predecessors }: FlowBlock): State {
    const known = predecessors.every((from) => from.order < order && from.block.dispatch === undefined);
    const states = known ? predecessors.map((from) => this.ends.get(from)) : [];
    return State.meet(
      states.filter((state) => state !== undefined),
      this.values,
    );
  }

  private visit(block: Block, state: State): void {
    block.instructions.forEach((i, instruction) => {
      this.places++;
      const behaviour = this.behaviourOf(i);
      const plain = i.treatment === 'native' && !isLocked(i) && !isVectorRow(i.row) && PLAIN.has(i.handler);
      if (behaviour === undefined || !plain) state.interrupt();
      else {
        behaviour.accesses.forEach((each, access) => {
          if (each.address === null) return;
          const value = state.at(each.address.slot);
          const offset = value.offset + each.address.displacement;
          this.join(state, value.id, each, { place: this.places, block, instruction, access, offset });
        });
      }
      state.follow(i, behaviour === undefined ? 0xffff : behaviour.written);
    });
  }

  /** Makes an access part of an open group, or opens one for it. */
  private join(state: State, id: number, { bytes, write }: Access, member: Member): void {
    const { offset } = member;
    const fits = (group: Group): boolean =>
      group.id === id &&
      (group.write || !write) &&
      Math.max(group.high, offset + bytes) - Math.min(group.low, offset) <= GROUP_BYTES;
    const group = state.open.find(fits);
    if (group === undefined) {
      const opened = { id, write, low: offset, high: offset + bytes, members: [member] };
      state.open = [...state.open, opened];
      this.groups.push(opened);
      return;
    }
    group.low = Math.min(group.low, offset);
    group.high = Math.max(group.high, offset + bytes);
    group.members.push(member);
  }
}

/** Gives each group of several accesses a local that no other needs from its first place to its last; one that finds none is dropped. */
function assignLocals(groups: readonly Group[], behaviourOf: BehaviourOf): ReadonlyMap<Block, AccessPlan> {
  const plans = new Map<Block, (GroupedAccess | null)[][]>();
  const busyUntil = new Array<number>(GROUP_LOCALS).fill(-1);
  for (const { members, low, high, write } of groups) {
    const [first] = members;
    const last = members.at(-1);
    if (members.length < 2 || first === undefined || last === undefined) continue;
    const local = busyUntil.findIndex((until) => until < first.place);
    if (local < 0) continue;
    busyUntil[local] = last.place;
    members.forEach(({ access, block, instruction, offset }, n) => {
      let plan = plans.get(block);
      if (plan === undefined) plans.set(block, (plan = []));
      const i = block.instructions[instruction];
      const count = i === undefined ? 0 : (behaviourOf(i)?.accesses.length ?? 0);
      const accesses = (plan[instruction] ??= new Array<GroupedAccess | null>(count).fill(null));
      accesses[access] = { group: local, offset: offset - low, first: n === 0 ? { bytes: high - low, write } : null };
    });
  }
  return plans;
}
