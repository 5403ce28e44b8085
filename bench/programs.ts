/** Runs the programs in every guest there is, taking turns, and on this machine's own processor. */
import { type Built, expectedChecksum, GUEST_PATH, onHost } from './build-programs.ts';
import { type Guest, instructionsBetween, type Runner } from './guest.ts';
import type { Column, Row, Sample } from './report.ts';
import { parseResult, type Program } from './set.ts';

const PROGRAM_MS = 180_000;

function sampleOf(output: string, expected: string, hostCpu: number): Sample {
  const { checksum, userUs, systemUs, elapsedUs, name } = parseResult(output);
  if (checksum !== expected) throw new Error(`${name} computed ${checksum}; this machine's processor computes ${expected}`);
  return { elapsed: elapsedUs / 1e6, cpu: (userUs + systemUs) / 1e6, hostCpu };
}

async function inGuest(guest: Guest, program: Program, expected: string): Promise<Sample> {
  const before = await guest.instructions();
  const cpuBefore = await guest.cpuSeconds();
  const { output, exitCode } = await guest.run(`${GUEST_PATH} ${program.name} ${program.size}`, PROGRAM_MS);
  const cpu = (await guest.cpuSeconds()) - cpuBefore;
  const after = await guest.instructions();
  if (exitCode !== 0) throw new Error(`${program.name} ended with ${exitCode}: ${output}`);
  const sample = sampleOf(output, expected, cpu);
  if (before === undefined || after === undefined) return sample;
  return { ...sample, ...instructionsBetween(before, after) };
}

export interface ProgramRun {
  readonly programs: readonly Program[];
  readonly rounds: number;
  /** On this machine's own processor too. */
  readonly native: boolean;
  readonly runners: readonly Runner[];
  readonly onProgress: (what: string) => void;
}

/** A failure in one guest is a note and an empty place, not the end of the run. */
export async function runPrograms(
  built: Built,
  { programs, rounds, native, runners, onProgress }: ProgramRun,
): Promise<{ rows: Row[]; notes: string[] }> {
  const notes: string[] = [];
  const samples = new Map<string, Partial<Record<Column, Sample[]>>>(programs.map(({ name }) => [name, {}]));
  const add = (program: Program, column: Column, sample: Sample): void => {
    const all = samples.get(program.name);
    if (all !== undefined) (all[column] ??= []).push(sample);
  };
  for (let round = 0; round < rounds; round++) {
    for (const program of programs) {
      const expected = expectedChecksum(built, program);
      if (native) {
        const sample = sampleOf(onHost(built, program), expected, 0);
        add(program, 'native', { ...sample, hostCpu: sample.cpu });
      }
      // Who comes first changes, so that nobody always follows the same neighbour.
      for (let n = 0; n < runners.length; n++) {
        const runner = runners[(n + round) % runners.length];
        if (runner === undefined) continue;
        onProgress(`round ${round + 1} of ${rounds}: ${program.name} in ${runner.name}`);
        try {
          add(program, runner.name, await inGuest(await runner.guest(program.guest), program, expected));
        } catch (error) {
          notes.push(`${program.name} in ${runner.name}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
  }
  return { rows: programs.map(({ name, what }) => ({ name, what, samples: samples.get(name) ?? {} })), notes };
}
