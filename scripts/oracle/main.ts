/**
 * Makes the instruction vectors: `npm run oracle` on an x86-64 Linux host with gcc; afterwards `npm test` checks the core against
 * them on any host. Arguments name the groups to make; none = all.
 */
import { type Row } from '../../src/engine/cpu/table/row.ts';
import { rows } from '../../src/engine/cpu/table/index.ts';
import { GROUPS, type Group, groupOf } from '../../src/engine/cpu/testing/groups.ts';
import { Random } from '../../src/engine/cpu/testing/random.ts';
import { SlotAllocator } from './cases.ts';
import { draftRows, runDrafts, writeVectors } from './generate.ts';
import { NativeMachine } from './native.ts';
import { draftPrograms } from './programs.ts';
import { draftSpecials } from './specials.ts';

const PROGRAMS = 300;

function draftsOf(group: Group): ReturnType<typeof draftRows> {
  if (group === 'programs') {
    const drafts = draftPrograms(rows, new Random(0x70726f67), PROGRAMS, new SlotAllocator());
    return drafts.map((encoding, number) => ({ key: `program ${number}`, encodings: [encoding] }));
  }
  if (group === 'specials') return draftSpecials(new SlotAllocator());
  return draftRows(rows.filter((row: Row) => groupOf(row) === group));
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(GROUPS as readonly string[]).includes(name));
if (unknown.length > 0) throw new Error(`unknown groups ${unknown.join(', ')}; there are ${GROUPS.join(', ')}`);
const machine = new NativeMachine();
try {
  for (const group of GROUPS) {
    if (asked.length > 0 && !asked.includes(group)) continue;
    const drafts = draftsOf(group);
    if (drafts.length > 0) writeVectors(group, runDrafts(machine, drafts));
  }
} finally {
  machine.close();
}
