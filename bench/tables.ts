/** The tables of the bench. */
import { feelTable } from './feel.ts';
import { idleTable } from './idle.ts';
import { pausesTable } from './pauses.ts';
import { type Column, geometricMean, type Result, type Row, type Sample, shown, table, typical } from './report.ts';
import { scalingTable } from './smp.ts';

const COLUMNS: readonly Column[] = ['native', 'webxen', 'interpreter', 'qemu', 'v86'];

function ratio(row: Row, of: Column, to: Column, figure: (sample: Sample) => number | undefined): number | undefined {
  const above = typical(row, of, figure);
  const below = typical(row, to, figure);
  return above === undefined || below === undefined || below === 0 ? undefined : above / below;
}

/** Medians of one figure for every runner, and what webxen's are beside the others'. */
function comparison(title: string, rows: readonly Row[], figure: (sample: Sample) => number | undefined): string {
  const present = COLUMNS.filter((column) => rows.some((row) => row.samples[column] !== undefined));
  const others = present.filter((column) => column !== 'webxen');
  const means = others.map((other) => shown(geometricMean(rows.map((row) => ratio(row, 'webxen', other, figure)))));
  return table([
    [title, ...present, ...others.map((other) => `/ ${other}`)],
    ...rows.map((row) => [
      row.name,
      ...present.map((column) => shown(typical(row, column, figure), 3)),
      ...others.map((other) => shown(ratio(row, 'webxen', other, figure))),
    ]),
    ...(others.length === 0 ? [] : [['geometric mean', ...present.map(() => ''), ...means]]),
  ]);
}

/** How webxen came to its times. */
function inside(rows: readonly Row[]): string {
  return table([
    ['in webxen', 'million instructions', 'million a second', 'translated', 'of all by handlers'],
    ...rows.map((row) => {
      const instructions = typical(row, 'webxen', (sample) => sample.instructions);
      const rate = typical(row, 'webxen', (sample) =>
        sample.instructions === undefined ? undefined : sample.instructions / sample.elapsed,
      );
      const share = (part: (sample: Sample) => number | undefined, digits: number): string => {
        const found = typical(row, 'webxen', (sample) => {
          const counted = part(sample);
          return sample.instructions === undefined || counted === undefined ? undefined : counted / sample.instructions;
        });
        return found === undefined ? '-' : `${(found * 100).toFixed(digits)} %`;
      };
      return [
        row.name,
        shown(instructions === undefined ? undefined : instructions / 1e6, 0),
        shown(rate === undefined ? undefined : rate / 1e6, 0),
        share((sample) => sample.translated, 1),
        share((sample) => sample.handled, 2),
      ];
    }),
  ]);
}

export function tables(result: Result): string {
  const { boot, programs, whole, machine, versions, date, settings, notes } = result;
  const all = rowsOf(result);
  const parts = [
    `${date}, ${machine.processors} x ${machine.processor}, ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}, ${settings.rounds} rounds, translator ${settings.translator}, memory order ${settings.memoryOrder ?? 'host'}`,
    ...notes.map((note) => `note: ${note}`),
  ];
  for (const rows of [boot, programs, whole]) {
    if (rows.length === 0) continue;
    parts.push(comparison('seconds elapsed', rows, (sample) => sample.elapsed));
    parts.push(comparison('seconds on the host’s processors', rows, (sample) => sample.hostCpu));
  }
  if (all.length > 0) parts.push(inside(all));
  if (result.feel.length > 0) parts.push(feelTable(result.feel));
  if (result.smp !== undefined) parts.push(scalingTable(result.smp));
  if (result.idle !== undefined) parts.push(idleTable(result.idle));
  if (result.pauses !== undefined) parts.push(pausesTable(result.pauses));
  return parts.join('\n\n');
}

function rowsOf({ boot, programs, whole }: Result): readonly Row[] {
  return [...boot, ...programs, ...whole];
}

/** What changed since an earlier run: below 1 is faster now. */
export function changes(now: Result, before: Result): string {
  const rows = rowsOf(now).flatMap((row) => {
    const old = rowsOf(before).find(({ name }) => name === row.name);
    if (old === undefined) return [];
    const both = (figure: (sample: Sample) => number): [number | undefined, number | undefined] => [
      typical(old, 'webxen', figure),
      typical(row, 'webxen', figure),
    ];
    return [{ name: row.name, elapsed: both((sample) => sample.elapsed), cpu: both((sample) => sample.hostCpu) }];
  });
  const quotient = ([old, present]: [number | undefined, number | undefined]): number | undefined =>
    old === undefined || present === undefined || old === 0 ? undefined : present / old;
  return table([
    [`webxen since ${before.date}`, 'before', 'now', 'now / before', 'on processors'],
    ...rows.map(({ name, elapsed, cpu }) => [
      name,
      shown(elapsed[0], 3),
      shown(elapsed[1], 3),
      shown(quotient(elapsed)),
      shown(quotient(cpu)),
    ]),
    [
      'geometric mean',
      '',
      '',
      shown(geometricMean(rows.map(({ elapsed }) => quotient(elapsed)))),
      shown(geometricMean(rows.map(({ cpu }) => quotient(cpu)))),
    ],
  ]);
}
