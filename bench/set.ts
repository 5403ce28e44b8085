/** The set that the bench runs: programs of bench/programs with their sizes, some 0.1 to 0.2 s of this decade's processors each. */

import type { GuestKind } from './guest.ts';

export interface Program {
  /** As bench/programs/main.c knows it. */
  readonly name: string;
  readonly size: number;
  readonly what: string;
  readonly guest: GuestKind;
}

function program(name: string, size: number, what: string, guest: GuestKind = 'one'): Program {
  return { name, size, what, guest };
}

export const PROGRAMS: readonly Program[] = [
  program('mix', 1200, 'lists, 16-bit matrices, a state machine, CRC'),
  program('sieve', 150, 'strided byte stores'),
  program('sha256', 20_000, 'SHA-256 of 20 MB'),
  program('bytecode', 30_000, 'an interpreter of bytecode'),
  program('calls', 10_000, 'calls through tables'),
  program('quicksort', 20, 'sorting 64 Ki random numbers'),
  program('matrix', 200, 'product of matrices of doubles, packed'),
  program('nbody', 150_000, 'bodies in double precision, scalar'),
  program('memcpy', 4000, 'copies of 64 bytes to 1 MiB'),
  program('memset', 8000, 'fills of 64 bytes to 1 MiB'),
  program('getpid', 500_000, 'system calls that do nothing'),
  program('fork', 300, 'fork and wait'),
  program('exec', 150, 'fork, exec and wait'),
  program('pipe', 8000, 'bytes between two processes and back'),
  program('mmap', 8, '4096 pages mapped, touched, given back'),
  program('parallel2', 600, 'integer work of two processes', 'two'),
  program('parallel4', 300, 'integer work of four processes', 'two'),
];

/** The programs of a list of names separated by commas; all without one. @throws Error for a name that is none */
export function chosenPrograms(names: string | undefined): readonly Program[] {
  if (names === undefined) return PROGRAMS;
  return names.split(',').map((name) => {
    const found = PROGRAMS.find((program) => program.name === name);
    if (found === undefined)
      throw new Error(`There is no program ${name}; there are ${PROGRAMS.map((one) => one.name).join(', ')}.`);
    return found;
  });
}

/** One line that a program printed: what it computed, and microseconds. */
export interface ProgramResult {
  readonly name: string;
  readonly checksum: string;
  readonly userUs: number;
  readonly systemUs: number;
  readonly elapsedUs: number;
}

const LINE = /^(\w+) ([0-9a-f]{16}) user (\d+) system (\d+) elapsed (\d+)$/m;

/** @throws Error with the output when it holds no such line */
export function parseResult(output: string): ProgramResult {
  const [, name, checksum, user, system, elapsed] = LINE.exec(output.replaceAll('\r', '')) ?? [];
  if (name === undefined || checksum === undefined) throw new Error(`not a result of a program: ${output.slice(-500)}`);
  return { name, checksum, userUs: Number(user), systemUs: Number(system), elapsedUs: Number(elapsed) };
}
