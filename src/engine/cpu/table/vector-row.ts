/** Shorthand for the rows of vector instructions: a mandatory prefix always, and the kind of rm operand out of its letter. */
import type { Row } from './row.ts';

export type VectorPrefix = NonNullable<Row['prefix']>;

/** A row; `handler` is the mnemonic unless given. M (or U, N, R) among the operands restricts ModRM.rm to memory (a register). */
export function vectorRow(
  prefix: VectorPrefix,
  opcode: string,
  mnemonic: string,
  operands: string,
  handler: string = mnemonic,
  more: Partial<Pick<Row, 'extension' | 'mod' | 'rexw'>> = {},
): Row {
  const letters = operands.split(',').map((operand) => operand.charAt(0));
  const mod = letters.includes('M')
    ? 'memory'
    : letters.some((letter) => letter !== '' && 'UNR'.includes(letter))
      ? 'register'
      : undefined;
  return { opcode, prefix, ...(mod === undefined ? {} : { mod }), mnemonic, operands, handler, ...more };
}

/** Name of the handler of an instruction's MMX form. */
export function mmxHandler(mnemonic: string): string {
  return `mmx${mnemonic.charAt(0).toUpperCase()}${mnemonic.slice(1)}`;
}
