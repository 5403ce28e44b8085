/**
 * Chooses the code of a region: the blocks reachable from its entries by direct branches, calls and the returns that match them.
 *
 * Addresses are positions relative to the page of the first entry, so that a region serves every address its frames are mapped at.
 * A function called is followed in a context of its own (the return addresses that are pending), so a return goes to one place;
 * deeper calls and recursion go to one copy without a context, whose returns look for their place among the region's targets.
 * Code that control has not come to is left out where that is known: the target of a branch that was never decoded.
 */
import { LONGEST_INSTRUCTION, PAGE_BYTES, VCPU_FETCH_BUFFER, VCPU_STEP_BLOCK } from '../cpu/layout.ts';
import { type CodeReader, lastOperation } from './code-trace.ts';
import { type Instruction, branchPosition, nextPosition, pageOf, readInstruction } from './instruction.ts';
import { treatmentOf } from './treatment.ts';

/** Pending return addresses of followed calls, innermost first. */
export interface Context {
  readonly id: number;
  readonly returnPosition: number;
  readonly parent: Context | null;
  readonly depth: number;
}

export interface Target {
  readonly position: number;
  /** null: the region is left. */
  block: Block | null;
}

export interface Block {
  readonly start: number;
  readonly context: Context | null;
  instructions: Instruction[];
  /** Where control goes on, or goes when a conditional branch is not taken; null: the last instruction leaves the region. */
  next: Target | null;
  /** Where a conditional branch taken goes. */
  taken: Target | null;
  /** Of the block that stands in front of a region with several targets: those. */
  readonly dispatch?: readonly Block[];
}

export interface CodePage {
  /** Position of its first byte, a multiple of the page size. */
  readonly position: number;
  readonly host: number;
}

export interface Region {
  /** Blocks that control comes to by their number: first the entries, then places that indirect transfers go to. */
  readonly targets: readonly Block[];
  readonly entries: number;
  /** In the order found. */
  readonly blocks: readonly Block[];
  /** The entry's page first. */
  readonly pages: readonly CodePage[];
  readonly instructions: number;
  /** The bytes that each instruction was decoded from, by position: memory may have changed since. */
  readonly code: ReadonlyMap<number, Uint8Array>;
}

export interface RegionLimits {
  readonly instructions: number;
  readonly pages: number;
  readonly callDepth: number;
  /** Follow branches that were never taken too. */
  readonly everything: boolean;
}

export const DEFAULT_LIMITS: RegionLimits = { instructions: 200, pages: 6, callDepth: 1, everything: false };

/** A block's number among the targets has a byte in the operation that enters it. */
const TARGETS_MAXIMUM = 200;

/** The interpreter looks an instruction of two pages up each time: none that is entered can begin with one. */
const canBeEntered = (block: Block | undefined): boolean => {
  const [first] = block?.instructions ?? [];
  return first !== undefined && pageOf(first.position) === pageOf(nextPosition(first) - 1);
};

export class RegionBuilder {
  private readonly blocks: Block[] = [];
  private readonly pages = new Map<number, CodePage | null>();
  private readonly usedPages: CodePage[] = [];
  private readonly decoded = new Map<number, Instruction | null>();
  private readonly code = new Map<number, Uint8Array>();
  /** By the context's number, 0 = none, and by position: the block that holds the instruction, and its index there. */
  private readonly owners = [new Map<number, { block: Block; index: number }>()];
  /** By parent likewise, and by return position. */
  private readonly contexts: Map<number, Context>[] = [];
  private contextCount = 0;
  private readonly targets: Block[] = [];
  private readonly queue: Block[] = [];
  private count = 0;

  constructor(
    private readonly core: CodeReader,
    /** Of the memory that has the vCPU's block. */
    private readonly view: DataView,
    private readonly cpu: number,
    /** Virtual address of the page of the entry. */
    private readonly page: bigint,
    private readonly limits: RegionLimits,
  ) {}

  /** The region entered at these positions, the first within the page; null: nothing there can be translated. */
  build(entries: readonly number[]): Region | null {
    if (this.pageAt(0) === null) return null;
    for (const position of entries) this.target(position);
    for (let block = this.queue.shift(); block !== undefined; block = this.queue.shift()) this.fill(block);
    if (entries.some((_, n) => !canBeEntered(this.targets[n]))) return null;
    return {
      targets: this.targets,
      entries: entries.length,
      blocks: this.blocks,
      pages: this.usedPages,
      instructions: this.count,
      code: this.code,
    };
  }

  /** Makes the block that starts there one that indirect transfers can go to. */
  private target(position: number): void {
    const block = this.blockAt(position, null);
    if (!this.targets.includes(block)) this.targets.push(block);
  }

  private pageAt(position: number): CodePage | null {
    const start = pageOf(position);
    const known = this.pages.get(start);
    if (known !== undefined) return known;
    let page: CodePage | null = null;
    if (this.usedPages.length < this.limits.pages) {
      const host = this.core.codePointer(this.cpu, BigInt.asIntN(64, this.page + BigInt(start))) >>> 0;
      if (host !== 0) {
        page = { position: start, host };
        this.usedPages.push(page);
      }
    }
    this.pages.set(start, page);
    return page;
  }

  private hostAt(position: number): number {
    const page = this.pageAt(position);
    return page === null ? 0 : page.host + (position - page.position);
  }

  private instructionAt(position: number): Instruction | null {
    const known = this.decoded.get(position);
    if (known !== undefined) return known;
    const host = this.hostAt(position);
    let instruction: Instruction | null = null;
    if (host !== 0) {
      const bits = this.decode(position, host);
      if (bits !== 0) {
        const operation = lastOperation(bits);
        const fields = readInstruction(this.view, this.cpu + operation, position, bits & 0xff);
        // What the decoder had to make two operations of is left to the interpreter.
        instruction = { ...fields, treatment: operation === VCPU_STEP_BLOCK ? treatmentOf(fields) : 'stop' };
        const buffer = this.cpu + VCPU_FETCH_BUFFER;
        this.code.set(position, new Uint8Array(this.view.buffer, buffer, bits & 0xff).slice());
      }
    }
    this.decoded.set(position, instruction);
    return instruction;
  }

  /** decodeForRegion's bits; takes the following page in if the instruction goes on there. */
  private decode(position: number, host: number): number {
    const { core, cpu } = this;
    const bits = core.decodeForRegion(cpu, host, cpu + VCPU_STEP_BLOCK, 0);
    const following = pageOf(position) + PAGE_BYTES;
    if (bits !== 0 || position + LONGEST_INSTRUCTION <= following) return bits;
    const next = this.hostAt(following);
    return next === 0 ? 0 : core.decodeForRegion(cpu, host, cpu + VCPU_STEP_BLOCK, next);
  }

  private ownersIn(context: Context | null): Map<number, { block: Block; index: number }> {
    return (this.owners[context?.id ?? 0] ??= new Map());
  }

  /** The block that starts there; made, or split off the one that runs through it, as needed. */
  private blockAt(position: number, context: Context | null): Block {
    const owners = this.ownersIn(context);
    const owner = owners.get(position);
    if (owner !== undefined) {
      if (owner.index === 0) return owner.block;
      return this.split(owner.block, owner.index, position);
    }
    const block: Block = { start: position, context, instructions: [], next: null, taken: null };
    owners.set(position, { block, index: 0 });
    this.blocks.push(block);
    this.queue.push(block);
    return block;
  }

  private split(block: Block, index: number, position: number): Block {
    const tail: Block = {
      start: position,
      context: block.context,
      instructions: block.instructions.slice(index),
      next: block.next,
      taken: block.taken,
    };
    block.instructions = block.instructions.slice(0, index);
    block.next = { position, block: tail };
    block.taken = null;
    const owners = this.ownersIn(block.context);
    tail.instructions.forEach((instruction, n) => {
      owners.set(instruction.position, { block: tail, index: n });
    });
    this.blocks.push(tail);
    return tail;
  }

  private worthFollowing(position: number): boolean {
    const host = this.hostAt(position);
    if (host === 0 || this.count >= this.limits.instructions) return false;
    return this.limits.everything || this.core.hasBlock(this.cpu, host) !== 0;
  }

  private fill(block: Block): void {
    const { context } = block;
    const owners = this.ownersIn(context);
    let position = block.start;
    for (;;) {
      const known = block.instructions.length > 0 ? owners.get(position) : undefined;
      if (known !== undefined) {
        block.next = { position, block: this.blockAt(position, context) };
        return;
      }
      const instruction = this.count < this.limits.instructions ? this.instructionAt(position) : null;
      if (instruction === null || instruction.treatment === 'stop') {
        block.next = { position, block: null };
        return;
      }
      owners.set(position, { block, index: block.instructions.length });
      block.instructions.push(instruction);
      this.count++;
      position = nextPosition(instruction);
      if (this.transfer(block, instruction, position)) return;
    }
  }

  /** Ends the block if the instruction transfers control; `after` is the position behind it. */
  private transfer(block: Block, instruction: Instruction, after: number): boolean {
    if (instruction.treatment !== 'native') return false;
    const { context } = block;
    switch (instruction.handler) {
      case 'jcc': {
        const position = branchPosition(instruction);
        const taken: Target = { position, block: null };
        block.taken = taken;
        const next: Target = { position: after, block: null };
        block.next = next;
        if (this.count < this.limits.instructions) next.block = this.blockAt(after, context);
        // Making a block may have split this one: the targets are those of its tail by reference.
        if (this.worthFollowing(position)) taken.block = this.blockAt(position, context);
        return true;
      }
      case 'jmpRelative': {
        const position = branchPosition(instruction);
        const next: Target = { position, block: null };
        block.next = next;
        if (this.hostAt(position) !== 0 && this.count < this.limits.instructions) next.block = this.blockAt(position, context);
        return true;
      }
      case 'callRelative': {
        const position = branchPosition(instruction);
        const next: Target = { position, block: null };
        block.next = next;
        const depth = context?.depth ?? 0;
        if (!this.worthFollowing(position)) return true;
        if (depth < this.limits.callDepth) next.block = this.blockAt(position, this.contextOf(after, context));
        else if (this.targets.length < TARGETS_MAXIMUM) {
          next.block = this.blockAt(position, null);
          this.target(after);
        }
        return true;
      }
      case 'ret':
        if (context === null) return true;
        block.next = { position: context.returnPosition, block: this.blockAt(context.returnPosition, context.parent) };
        return true;
      case 'jmpIndirect':
      case 'callIndirect':
        return true;
      default:
        return false;
    }
  }

  private contextOf(returnPosition: number, parent: Context | null): Context {
    const siblings = (this.contexts[parent?.id ?? 0] ??= new Map<number, Context>());
    let context = siblings.get(returnPosition);
    if (context === undefined) {
      context = { id: ++this.contextCount, returnPosition, parent, depth: (parent?.depth ?? 0) + 1 };
      siblings.set(returnPosition, context);
    }
    return context;
  }
}
