/**
 * Looks for differences beyond the committed vectors: `npm run oracle:fuzz [rounds] [first round] [pattern of form keys, or "programs"]` makes tests
 * with other operands, runs them on this host's CPU and in the core at once, and prints what differs. Nothing is written.
 */
import { rows } from '../../src/engine/cpu/table/index.ts';
import { formsOf } from '../../src/engine/cpu/testing/forms.ts';
import { GROUPS, groupOf } from '../../src/engine/cpu/testing/groups.ts';
import { Random } from '../../src/engine/cpu/testing/random.ts';
import { PATHS, runVectors } from '../../src/engine/cpu/testing/run-vectors.ts';
import { SlotAllocator } from './cases.ts';
import { type KeyedDrafts, draftRows, runDrafts } from './generate.ts';
import { NativeMachine } from './native.ts';
import { draftPrograms } from './programs.ts';

const rounds = Number(process.argv[2] ?? 1);
const firstRound = Number(process.argv[3] ?? 1);
const chosen = process.argv[4];
const pattern = new RegExp(chosen ?? '');
/** The group of whole programs. */
const PROGRAM_GROUP = 'programs';
const PROGRAMS = 500;
const SHOWN = 10;

function draftsOfRound(group: (typeof GROUPS)[number], round: number): KeyedDrafts[] {
  if (group === 'specials') return [];
  if (group === PROGRAM_GROUP) {
    if (chosen !== undefined && chosen !== PROGRAM_GROUP) return [];
    const drafts = draftPrograms(rows, new Random(0x66757a7a + round), PROGRAMS, new SlotAllocator());
    return drafts.map((encoding, number) => ({ key: `program ${number}`, encodings: [encoding] }));
  }
  const wanted = rows.filter((row) => groupOf(row) === group && formsOf(row).some((form) => pattern.test(form.key)));
  return draftRows(wanted, Math.imul(round, 0x9e3779b1) >>> 0);
}

const machine = new NativeMachine();
let failed = 0;
try {
  for (let round = firstRound; round < firstRound + rounds; round++) {
    for (const group of GROUPS) {
      const drafts = draftsOfRound(group, round);
      if (drafts.length === 0) continue;
      const file = runDrafts(machine, drafts);
      for (const path of PATHS) {
        const { cases, failures } = runVectors(file, path);
        failed += failures.length;
        process.stdout.write(`round ${round}, ${group}, ${path}: ${cases} cases, ${failures.length} differ\n`);
        const shown = new Set<string>();
        for (const { key, code, seed, lines } of failures) {
          if (shown.has(key) || shown.size >= SHOWN) continue;
          shown.add(key);
          process.stdout.write(`  ${key} [${code}] seed ${seed}\n    ${lines.join('\n    ')}\n`);
        }
      }
    }
  }
} finally {
  machine.close();
}
process.exitCode = failed === 0 ? 0 : 1;
