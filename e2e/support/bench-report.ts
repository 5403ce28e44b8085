/** Results of the bench: gathered in build/bench/result.json, and shown as a table. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

const FOLDER = 'build/bench';
const FILE = `${FOLDER}/result.json`;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Puts one part into the result; parts of earlier runs stay. */
export function record(part: string, content: object, browser: string): void {
  mkdirSync(FOLDER, { recursive: true });
  let result: Record<string, unknown> = {};
  try {
    result = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, unknown>;
  } catch {
    // The first part.
  }
  const [cpu] = cpus();
  const machine = { processor: cpu?.model ?? '', processors: cpus().length, browser, node: process.versions.node };
  writeFileSync(FILE, `${JSON.stringify({ ...result, machine, [part]: content }, null, 2)}\n`);
}

/** Columns as wide as they need be, the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '))
    .join('\n');
}
