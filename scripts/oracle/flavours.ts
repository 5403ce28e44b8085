/** Which kind of values suits the operands of a row: floating-point instructions want floats, string compares want text. */
import type { Row } from '../../src/engine/cpu/table/row.ts';
import { isVector, rmOperand } from '../../src/engine/cpu/testing/forms.ts';
import type { Random } from '../../src/engine/cpu/testing/random.ts';
import type { Flavour } from '../../src/engine/cpu/testing/values.ts';

export function isX87(row: Row): boolean {
  return /^(D[89A-F]\b|9B\b)/.test(row.opcode);
}

/** Kind of an SSE or MMX row's elements by the endings of its name: the source's for conversions. */
function vectorFlavour(row: Row): Flavour {
  const name = row.mnemonic.toLowerCase();
  if (/^pcmp[ei]str/.test(name)) return 'text';
  const conversion = /^cvtt?(ps|ss|pd|sd|dq|pi|si)2/.exec(name);
  if (conversion) {
    const source = conversion[1];
    return source === 'ps' || source === 'ss' ? 'f32' : source === 'pd' || source === 'sd' ? 'f64' : 'int32';
  }
  if (name.startsWith('p') || name.startsWith('movq') || name.startsWith('movd')) {
    if (/b[wdq]?$|bw$|sb$/.test(name)) return 'int8';
    if (/w[dq]?$|wb$|sw$/.test(name)) return 'int16';
    if (/d[q]?$|dw$/.test(name)) return 'int32';
    return 'int64';
  }
  if (/(ss|ps)$|^(dpps|roundp?s|movs[hl]dup|insertps)/.test(name)) return 'f32';
  if (/(sd|pd)$/.test(name)) return 'f64';
  return 'int32';
}

const INTEGER_FLAVOURS: readonly Flavour[] = ['int8', 'int16', 'int32', 'int64'];

/** Kind of the register contents of one case. */
export function stateFlavour(row: Row, random: Random): Flavour {
  if (isX87(row)) return 'f80';
  if (!isVector(row)) return 'int64';
  const own = vectorFlavour(row);
  if (own.startsWith('f')) return random.oneIn(8) ? random.pick(['f32', 'f64']) : own;
  return random.oneIn(4) ? random.pick(INTEGER_FLAVOURS) : own;
}

/** Kind of the memory operand of one case. */
export function memoryFlavour(row: Row, state: Flavour): Flavour {
  if (!isX87(row)) return state;
  const name = row.mnemonic.toLowerCase();
  const type = rmOperand(row)?.type;
  if (name === 'fbld' || name === 'fbstp') return 'bcd';
  if (name.startsWith('fi')) return type === 'w' ? 'int16' : type === 'q' ? 'int64' : 'int32';
  switch (type) {
    case 't':
      return 'f80';
    case 'q':
      return 'f64';
    case 'd':
      return 'f32';
    default:
      return 'int16';
  }
}
