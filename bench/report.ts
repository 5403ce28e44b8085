/** What the bench found: kept as JSON in build/bench, shown as tables, compared with an earlier run. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { ProfilePause } from '../src/engine/jit/code-profile.ts';
import type { RunnerName } from './guest.ts';

const FOLDER = 'build/bench';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** Columns as wide as they need be, the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One measurement of a program; seconds. */
export interface Sample {
  /** By the guest's clock. */
  readonly elapsed: number;
  /** Processor time by the guest's account. */
  readonly cpu: number;
  /** Processor time of all the threads on the host that were at it. */
  readonly hostCpu: number;
  readonly instructions?: number;
  /** Of them, by translated code. */
  readonly translated?: number;
  /** Of those, by handlers of the interpreter. */
  readonly handled?: number;
}

export type Column = 'native' | RunnerName;

export interface Row {
  readonly name: string;
  readonly what: string;
  readonly samples: Partial<Record<Column, readonly Sample[]>>;
}

/** Keys typed in a guest's terminal, and what the page drew meanwhile. */
export interface Feeling {
  readonly beside: string;
  /** From the key to its letter in the terminal's picture. */
  readonly echoMs: readonly number[];
  /** From the page to the guest and back to domain 0, without the terminal. */
  readonly roundTripMs: readonly number[];
  readonly framesPerSecond: number;
  /** Between two frames. */
  readonly longestFrameMs: number;
}

/** The same work of two processes with one vCPU and with two, round by round; seconds. */
export interface Scaling {
  readonly one: readonly ScalingSample[];
  readonly two: readonly ScalingSample[];
  /** On this machine's own processors, one or all of them. */
  readonly native: readonly { readonly one: number; readonly two: number }[];
}

export interface ScalingSample {
  /** By the guest's clock. */
  readonly elapsed: number;
  /** Processor time of all of the browser, of the page's workers alone, and of the busiest of those. */
  readonly hostCpu: number;
  readonly workers: number;
  readonly busiestWorker: number;
  /** What the workers were ready to run but without a processor of the host. */
  readonly waited: number;
  /** Share of the host's processors that other programs used. */
  readonly others: number;
  readonly threads: string;
}

/** A machine with a guest (0 vCPUs: none) that has nothing to do, watched for so many seconds. */
export interface Idle {
  readonly vcpus: number;
  readonly seconds: number;
  /** Processor time of all of the browser, and of the page's workers alone. */
  readonly hostCpu: number;
  readonly workers: number;
  /** How often threads went on from a sleep. */
  readonly wakes: number;
  readonly workerWakes: number;
  readonly instructions: number;
  readonly others: number;
  readonly threads: string;
}

/** What the translator made a guest wait for, one by one. */
export interface Pauses {
  readonly name: string;
  readonly pauses: readonly ProfilePause[];
}

export interface Result {
  readonly date: string;
  readonly machine: { readonly processor: string; readonly processors: number; readonly node: string };
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: { readonly rounds: number; readonly translator: string; readonly memoryOrder?: string };
  /** Why a column is missing, where one is. */
  readonly notes: readonly string[];
  readonly boot: readonly Row[];
  readonly programs: readonly Row[];
  readonly whole: readonly Row[];
  readonly feel: readonly Feeling[];
  readonly smp?: Scaling | undefined;
  readonly idle?: readonly Idle[] | undefined;
  readonly pauses?: readonly Pauses[] | undefined;
}

export function thisMachine(): Result['machine'] {
  return { processor: cpus()[0]?.model ?? 'unknown', processors: cpus().length, node: process.versions.node };
}

/** Writes the result under its date and as the latest; the first path. */
export function keep(result: Result): string {
  mkdirSync(FOLDER, { recursive: true });
  const text = `${JSON.stringify(result, null, 1)}\n`;
  const path = `${FOLDER}/${result.date.replaceAll(/[:.]/g, '-')}.json`;
  writeFileSync(path, text);
  writeFileSync(`${FOLDER}/latest.json`, text);
  return path;
}

export function readResult(path: string): Result {
  return JSON.parse(readFileSync(path, 'utf8')) as Result;
}

/** Median of a figure over the samples of a column; undefined when there are none. */
export function typical(row: Row, column: Column, figure: (sample: Sample) => number | undefined): number | undefined {
  const values = (row.samples[column] ?? []).map(figure).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : median(values);
}

export function geometricMean(values: readonly (number | undefined)[]): number | undefined {
  const logs = values.flatMap((value) => (value !== undefined && value > 0 ? [Math.log(value)] : []));
  return logs.length === 0 ? undefined : Math.exp(logs.reduce((sum, value) => sum + value, 0) / logs.length);
}

export function shown(value: number | undefined, digits = 2): string {
  return value === undefined ? '-' : value.toFixed(digits);
}
