/** A booted guest that takes commands on its shell, whatever runs it. */
import { retired } from '../e2e/support/machine.ts';
import type { VcpuCounters } from '../src/workers/protocol.ts';
import type { Sample } from './report.ts';

export interface CommandResult {
  readonly output: string;
  readonly exitCode: number;
}

/** Instructions that a guest has retired since its start; of those by translated code, and of these by handlers of the interpreter. */
export interface Instructions {
  readonly retired: number;
  readonly translated: number;
  readonly handled: number;
}

/** Of all vCPUs of a domain. */
export function instructionsOf(counters: readonly VcpuCounters[]): Instructions {
  const sum = (of: (one: VcpuCounters) => number): number => counters.reduce((total, one) => total + of(one), 0);
  return {
    retired: sum(retired),
    translated: sum((one) => one.instructionsTranslated),
    handled: sum((one) => one.instructionsHandled),
  };
}

/** What a sample says of the instructions between two readings. */
export function instructionsBetween(
  before: Instructions,
  after: Instructions,
): Required<Pick<Sample, 'instructions' | 'translated' | 'handled'>> {
  return {
    instructions: after.retired - before.retired,
    translated: after.translated - before.translated,
    handled: after.handled - before.handled,
  };
}

export interface Guest {
  run(command: string, timeoutMs: number): Promise<CommandResult>;
  /** Processor time that all the host's threads of this machine have used, s. */
  cpuSeconds(): Promise<number>;
  instructions(): Promise<Instructions | undefined>;
}

/** Something that guests run on. */
export interface Runner {
  readonly name: RunnerName;
  /** A guest with the programs, logged in. The same one when asked again. */
  guest(kind: GuestKind): Promise<Guest>;
  close(): Promise<void>;
}

/** One or two processors and a small ramdisk; or one processor, and a ramdisk with programs of Debian. */
export type GuestKind = 'one' | 'two' | 'debian';

/** A runner's fixed properties of each kind of guest. */
export const GUEST_VCPUS: Readonly<Record<GuestKind, number>> = { one: 1, two: 2, debian: 1 };

/** `interpreter` is webxen with the translator off. */
export type RunnerName = 'webxen' | 'interpreter' | 'qemu' | 'v86';
