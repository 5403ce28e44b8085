/** What LVM's tools have in common: errors of one indented line and status 5, usage errors with 3, tables, questions. */
import { StorageError } from '../../../storage/chunk-store.ts';
import type { Command, CommandIo } from '../../command.ts';
import { parseOptions, UsageError, type OptionSpecification, type ParsedOptions } from '../../getopt.ts';

/** Something that the user got wrong, or that the storage refused. */
export class LvmError extends Error {}

export type Run = (options: ParsedOptions, io: CommandIo) => Promise<void> | void;

const FAILED = 5;
const INVALID_USE = 3;

export const FORCE: OptionSpecification = { name: 'force', spellings: ['-f', '--force', '-y', '--yes'] };

export function tool(name: string, description: string, specifications: readonly OptionSpecification[], run: Run): Command {
  return {
    name,
    description,
    async run(words, io) {
      try {
        await run(parseOptions(words, specifications), io);
        return 0;
      } catch (error) {
        const known =
          error instanceof LvmError || error instanceof UsageError || error instanceof StorageError || error instanceof RangeError;
        if (!known) throw error;
        for (const line of error.message.split('\n')) io.error(`  ${line}\n`);
        return error instanceof UsageError ? INVALID_USE : FAILED;
      }
    },
  };
}

/** Columns as wide as what is in them. */
export function printTable(io: CommandIo, rows: readonly (readonly string[])[]): void {
  if (rows.length < 2) return;
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  for (const row of rows) io.out(`  ${row.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join(' ')}\n`);
}

/** As the display commands print: a title, then a name and a value a line. */
export function printDetails(io: CommandIo, title: string, rows: readonly (readonly [string, string])[]): void {
  io.out(`  --- ${title} ---\n`);
  for (const [name, value] of rows) io.out(`  ${name.padEnd(22)} ${value}\n`);
  io.out('\n');
}

/** Asks on the terminal, or takes what was piped in; no without either. */
export async function confirmed(io: CommandIo, question: string): Promise<boolean> {
  const ask = `${question} [y/n]: `;
  if (io.terminal === undefined) {
    io.out(ask);
    const answer = io.stdin ?? '';
    io.out('\n');
    return /^y/i.test(answer);
  }
  io.terminal.write(ask);
  const keys = await io.terminal.read();
  const answer = new TextDecoder().decode(keys ?? new Uint8Array(0));
  io.terminal.write(`${answer.replace(/[^yn]/gi, '')}\r\n`);
  return /^y/i.test(answer);
}
