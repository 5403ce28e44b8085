/** Control flow of a region: order of its blocks, dominators, and which blocks are loop headers or joins. */
import type { Block, Region } from './region.ts';

/** Targets a region has room for: a number of 8 bits each. */
const TARGETS_MAXIMUM = 255;

export interface FlowBlock {
  readonly block: Block;
  /** Position in reverse postorder. */
  readonly order: number;
  /** Immediate dominator's order; the entry's own is itself. */
  dominator: number;
  /** Blocks immediately dominated, ascending. */
  readonly dominated: FlowBlock[];
  readonly predecessors: FlowBlock[];
  /** Edges from blocks before it. */
  forwardEdges: number;
  loopHeader: boolean;
}

export interface Flow {
  /** In reverse postorder. The first is the entry, or the block without instructions that stands in front of several targets. */
  readonly blocks: readonly FlowBlock[];
  /** Blocks reached by number; empty when there is only the entry. */
  readonly targets: readonly Block[];
  readonly of: ReadonlyMap<Block, FlowBlock>;
}

/** Blocks that control may go on at. */
export function successors(block: Block): Block[] {
  const list: Block[] = block.dispatch === undefined ? [] : [...block.dispatch];
  if (block.taken?.block) list.push(block.taken.block);
  if (block.next?.block) list.push(block.next.block);
  return list;
}

function postorder(entry: Block): Block[] {
  const seen = new Set<Block>([entry]);
  const order: Block[] = [];
  const stack: { block: Block; rest: Block[] }[] = [{ block: entry, rest: successors(entry) }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.rest.shift();
    if (next === undefined) {
      order.push(top.block);
      stack.pop();
    } else if (!seen.has(next)) {
      seen.add(next);
      stack.push({ block: next, rest: successors(next) });
    }
  }
  return order;
}

export function dominates(blocks: readonly FlowBlock[], a: FlowBlock, b: FlowBlock): boolean {
  let at = b.order;
  while (at > a.order) at = blocks[at]?.dominator ?? 0;
  return at === a.order;
}

/** Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm" (2001). */
function findDominators(blocks: readonly FlowBlock[]): void {
  const UNKNOWN = -1;
  for (const block of blocks) block.dominator = block.order === 0 ? 0 : UNKNOWN;
  const meet = (a: number, b: number): number => {
    let x = a;
    let y = b;
    while (x !== y) {
      while (x > y) x = blocks[x]?.dominator ?? 0;
      while (y > x) y = blocks[y]?.dominator ?? 0;
    }
    return x;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const block of blocks) {
      if (block.order === 0) continue;
      let dominator = UNKNOWN;
      for (const predecessor of block.predecessors) {
        if (predecessor.dominator === UNKNOWN) continue;
        dominator = dominator === UNKNOWN ? predecessor.order : meet(dominator, predecessor.order);
      }
      if (dominator !== block.dominator) {
        block.dominator = dominator;
        changed = true;
      }
    }
  }
}

/**
 * Of a region with several targets a block in front leads to all of them. Where a jump goes back to a block that does not dominate
 * it, that block becomes a target too: it can be gone to by its number from everywhere.
 */
export function analyseFlow(region: Region): Flow {
  const targets = [...region.targets];
  for (;;) {
    const flow = analyse(targets);
    const missing = irreducibleTargets(flow);
    if (missing.length === 0 || targets.length + missing.length > TARGETS_MAXIMUM) return flow;
    targets.push(...missing);
  }
}

/** Blocks that are jumped back to from where they do not dominate, and are not targets. */
function irreducibleTargets({ blocks, targets }: Flow): Block[] {
  return blocks
    .filter(
      (flow) =>
        !targets.includes(flow.block) &&
        flow.predecessors.some((from) => from.order >= flow.order && !dominates(blocks, flow, from)),
    )
    .map(({ block }) => block);
}

function analyse(targets: readonly Block[]): Flow {
  const [only] = targets;
  if (only === undefined) return { blocks: [], of: new Map(), targets: [] };
  const front: Block =
    targets.length === 1
      ? only
      : { start: only.start, context: null, instructions: [], next: null, taken: null, dispatch: targets };
  const ordered = postorder(front).reverse();
  const blocks = ordered.map((block, order): FlowBlock => ({
    block,
    order,
    dominator: 0,
    dominated: [],
    predecessors: [],
    forwardEdges: 0,
    loopHeader: false,
  }));
  const of = new Map(blocks.map((flow) => [flow.block, flow]));
  for (const flow of blocks) {
    for (const successor of successors(flow.block)) of.get(successor)?.predecessors.push(flow);
  }
  findDominators(blocks);
  for (const flow of blocks) {
    if (flow.order > 0) blocks[flow.dominator]?.dominated.push(flow);
    for (const predecessor of flow.predecessors) {
      if (predecessor.order < flow.order) flow.forwardEdges++;
      else if (dominates(blocks, flow, predecessor)) flow.loopHeader = true;
    }
  }
  return { blocks, of, targets: targets.length === 1 ? [] : targets };
}
