/** What the translator does with each row of the instruction table, form by form: the text of docs/translator-coverage.md. */
import { OPF_LOCK, OPF_MEMORY, OPF_REP, OP_BYTES, VCPU_ZERO } from '../cpu/layout.ts';
import { rows } from '../cpu/table/index.ts';
import type { Row } from '../cpu/table/row.ts';
import type { Fields, Treatment } from './instruction.ts';
import { treatmentOf } from './treatment.ts';

interface Form {
  readonly name: string;
  readonly fields: Fields;
}

const SIZES: Readonly<Record<string, readonly number[]>> = {
  b: [1],
  w: [2],
  d: [4],
  q: [8],
  v: [2, 4, 8],
  z: [2, 4],
  y: [4, 8],
  x: [16],
};
const STRINGS = new Set(['movs', 'stos', 'lods', 'scas', 'cmps']);

function sizesOf(row: Row): readonly number[] {
  const first = row.operands.split(',')[0] ?? '';
  const sizes = SIZES[first.slice(-1)] ?? [8];
  // Stack and near branches are 8 bytes but for the operand-size prefix.
  return row.default64 === true ? sizes.filter((size) => size !== 4) : sizes;
}

function placesOf(row: Row): readonly boolean[] {
  if (row.mod !== undefined) return [row.mod === 'memory'];
  const letters = row.operands.split(',').map((operand) => operand.charAt(0));
  return letters.some((letter) => 'EWQM'.includes(letter) && letter !== '') ? [false, true] : [false];
}

function formsOf(row: Row): Form[] {
  const forms: Form[] = [];
  const add = (size: number, flags: number, low: number, words: readonly string[]): void => {
    const operands = { reg: 0, rm: 0, base: VCPU_ZERO, index: VCPU_ZERO, segment: VCPU_ZERO, scale: 0, displacement: 0 };
    const rest = { position: 0, length: 1, record: new Uint8Array(OP_BYTES), low, high: 0 };
    forms.push({
      name: words.filter((word) => word !== '').join(' '),
      fields: { row, handler: row.handler, size, flags, aux: row.aux ?? 0, ...operands, ...rest },
    });
  };
  const rotates = row.handler === 'shiftImmediate' && (row.aux === 2 || row.aux === 3);
  for (const size of sizesOf(row)) {
    for (const memory of placesOf(row)) {
      const flags = memory ? OPF_MEMORY : 0;
      const words = [`${size * 8} bits`, memory ? 'memory' : ''];
      if (!(rotates && row.operands.endsWith('Ib'))) add(size, flags, 1, words);
      if (rotates && !row.operands.endsWith('1')) {
        add(size, flags, 1, [...words, 'by 1']);
        add(size, flags, 3, [...words, 'by more']);
      }
      if (row.lock === true && memory) add(size, flags | OPF_LOCK, 1, [...words, 'locked']);
      if (STRINGS.has(row.handler)) add(size, flags | OPF_REP, 1, [...words, 'repeated']);
    }
  }
  return forms;
}

const WORDS: Readonly<Record<Treatment, string>> = {
  native: 'native',
  vector: 'handler',
  handler: 'handler, all registers',
  stop: 'interpreter',
};

/** What is done with the row's forms: one word, or the forms that are not native. */
function treatmentText(row: Row): string {
  const forms = formsOf(row).map(({ name, fields }) => ({ name, treatment: treatmentOf(fields) }));
  const kinds = new Set(forms.map(({ treatment }) => treatment));
  const [only = 'stop'] = kinds;
  if (kinds.size === 1) return WORDS[only];
  const others = forms.filter(({ treatment }) => treatment !== 'native');
  return `native but: ${others.map(({ name, treatment }) => `${name} (${WORDS[treatment]})`).join('; ')}`;
}

const encodingOf = (row: Row): string =>
  [row.prefix ?? '', row.opcode, row.extension === undefined ? '' : `/${row.extension}`, row.mod ?? '']
    .filter((part) => part !== '')
    .join(' ');

/** The document, as Markdown. */
export function coverageDocument(): string {
  const lines = rows.map((row) => ({ row, text: treatmentText(row) }));
  const count = (test: (text: string) => boolean): number => lines.filter(({ text }) => test(text)).length;
  return [
    '# What the translator covers',
    '',
    'Written by `npm run coverage` out of the instruction table (`src/engine/cpu/table`) and the translator (`src/engine/jit`).',
    '',
    '* **native**: emitted as WebAssembly. Rare operands still go to the handler or the interpreter: faults, unaligned locked',
    '  operands, floating-point results with something to report.',
    "* **handler**: inside a region the row's handler is called, with the registers it names in memory;",
    '  **all registers**: with all of them.',
    '* **interpreter**: a region ends before it.',
    '',
    `Of ${rows.length} rows ${count((text) => text === 'native')} are native, ${count((text) => text.startsWith('native but'))} in most of their forms, ` +
      `${count((text) => text.startsWith('handler'))} call their handler and ${count((text) => text === 'interpreter')} end a region.`,
    '',
    '| encoding | instruction | operands | treatment |',
    '| --- | --- | --- | --- |',
    ...lines.map(({ row, text }) => `| ${encodingOf(row)} | ${row.mnemonic} | ${row.operands} | ${text} |`),
    '',
  ].join('\n');
}
