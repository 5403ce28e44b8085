/** A sub-command of xm, and what sub-commands share. */
import type { FileSystem } from '../../storage/file-system.ts';
import type { CommandIo } from '../command.ts';
import type { ScriptEvaluator } from '../configuration/script.ts';
import type { OptionSpecification, ParsedOptions } from '../getopt.ts';
import { UsageError, parseOptions } from '../getopt.ts';
import type { Clock } from '../services.ts';
import type { Consoles } from '../xend/consoles.ts';
import type { Xend } from '../xend/xend.ts';

export interface XmServices {
  readonly xend: Xend;
  readonly files: FileSystem;
  readonly scripts: ScriptEvaluator;
  readonly consoles: Consoles;
  readonly clock: Clock;
  /** Name of domain 0 as a host. */
  hostName(): string;
}

export interface XmCall extends XmServices {
  /** "xm", or "xl" when it was called by that name. */
  readonly program: string;
  readonly io: CommandIo;
  readonly words: readonly string[];
}

export interface XmCommand {
  readonly name: string;
  /** What follows the name in the help; a second element goes on a line of its own. */
  readonly synopsis: readonly string[];
  readonly description: string;
  /** Status; nothing means 0. Throws XendError, or UsageError when the words are wrong. */
  run(call: XmCall): Promise<number | undefined> | number | undefined;
}

/** Options taken out, operands counted: "'xm pause' requires 1 argument." */
export function takeOperands(
  call: XmCall,
  name: string,
  lowest: number,
  highest = lowest,
  options: readonly OptionSpecification[] = [],
): ParsedOptions {
  const parsed = parseOptions(call.words, options);
  const count = parsed.operands.length;
  if (count >= lowest && count <= highest) return parsed;
  const amount =
    highest === Number.POSITIVE_INFINITY
      ? `at least ${lowest} ${lowest === 1 ? 'argument' : 'arguments'}`
      : lowest === highest
        ? `${lowest} ${lowest === 1 ? 'argument' : 'arguments'}`
        : `between ${lowest} and ${highest} arguments`;
  throw new UsageError(`'${call.program} ${name}' requires ${amount}.`);
}

export function operand(parsed: ParsedOptions, index: number): string {
  return parsed.operands[index] ?? '';
}

/** A decimal number, else UsageError. */
export function wholeNumber(text: string): number {
  if (!/^[+-]?\d{1,9}$/.test(text)) throw new UsageError('Invalid argument.');
  return Number(text);
}
