/** Which facts about XMM registers (vectors.ts) hold where each block of a region starts. */
import type { Emitter } from './emitter.ts';
import type { Flow, FlowBlock } from './flow.ts';
import { isVectorRow } from './handlers.ts';
import type { Instruction } from './instruction.ts';
import type { Block } from './region.ts';
import { ALL_FACTS, type Facts, NO_FACTS, meetFacts, sameFacts } from './vectors.ts';

/** Emits an instruction into nowhere: the emitters know best what they leave. */
export type Probe = (e: Emitter, i: Instruction) => void;

function behind(block: Block, facts: Facts, e: Emitter, probe: Probe): Facts {
  e.vectors.assume(facts);
  for (const i of block.instructions) {
    if (isVectorRow(i.row)) probe(e, i);
  }
  return e.vectors.known;
}

export function analyseVectors(flow: Flow, e: Emitter, probe: Probe): Map<Block, Facts> {
  const entries = new Map<Block, Facts>();
  const touched = (block: Block): boolean => block.instructions.some((i) => isVectorRow(i.row));
  if (!flow.blocks.some(({ block }) => touched(block))) return entries;
  const exits = new Map<Block, Facts>();
  const entryOf = ({ order, predecessors }: FlowBlock): Facts => {
    if (order === 0) return NO_FACTS;
    return predecessors.map(({ block }) => exits.get(block) ?? ALL_FACTS).reduce(meetFacts, ALL_FACTS);
  };
  // Optimistic: what is not known yet holds everything, and only ever loses.
  for (let changed = true; changed;) {
    changed = false;
    for (const block of flow.blocks) {
      const entry = entryOf(block);
      const known = entries.get(block.block);
      if (known !== undefined && sameFacts(known, entry)) continue;
      entries.set(block.block, entry);
      exits.set(block.block, touched(block.block) ? behind(block.block, entry, e, probe) : entry);
      changed = true;
    }
  }
  return entries;
}
