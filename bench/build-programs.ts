/** Compiles bench/programs for a word size. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseResult, type Program } from './set.ts';

const SOURCES = 'bench/programs';
const FOLDER = 'build/bench';

export type WordSize = 32 | 64;

/** One place of the file system for all guests. */
export const GUEST_PATH = '/bench';

const FLAGS = ['-O2', '-static', '-fno-pie', '-no-pie', '-std=gnu11', '-ffp-contract=off', '-Wall', '-Wextra', '-Werror'];

/** What every x86-64 has; and what a 32-bit processor of the same age has. */
const TARGET: Readonly<Record<WordSize, readonly string[]>> = {
  64: ['-m64', '-march=x86-64'],
  32: ['-m32', '-march=pentium4', '-mfpmath=sse'],
};

export interface Absent {
  readonly absent: string;
}

export interface Built {
  /** A static program for Linux. */
  readonly path: string;
}

/** Compiles unless that was done; says what is missing where it cannot. */
export function buildPrograms(wordSize: WordSize): Built | Absent {
  const path = `${FOLDER}/programs-${wordSize}`;
  const sources = readdirSync(SOURCES).map((name) => join(SOURCES, name));
  const changed = Math.max(...[...sources, 'bench/build-programs.ts'].map((source) => statSync(source).mtimeMs));
  if ((statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > changed) return { path };
  if (spawnSync('gcc', ['--version'], { stdio: 'ignore' }).status !== 0)
    return { absent: 'There is no gcc to compile the programs with (Debian: apt-get install gcc libc6-dev).' };
  mkdirSync(FOLDER, { recursive: true });
  const files = sources.filter((source) => source.endsWith('.c'));
  const compiled = spawnSync('gcc', [...FLAGS, ...TARGET[wordSize], '-o', path, ...files, '-lm'], { encoding: 'utf8' });
  if (compiled.status === 0) return { path };
  const advice = wordSize === 32 ? ' (Debian: apt-get install gcc-multilib)' : ' (Debian: apt-get install libc6-dev)';
  return {
    absent: `The programs for ${wordSize} bits cannot be compiled here${advice}: ${compiled.stderr.trim().split('\n').pop()}`,
  };
}

/** What a program prints on this machine's own processor. */
export function onHost({ path }: Built, { name, size }: Program): string {
  return execFileSync(path, [name, String(size)], { encoding: 'utf8' });
}

const checksums = new Map<string, string>();

/** The checksum that a program must come to, by this machine's own processor. */
export function expectedChecksum(built: Built, program: Program): string {
  const key = `${program.name} ${program.size}`;
  const known = checksums.get(key) ?? parseResult(onHost(built, program)).checksum;
  checksums.set(key, known);
  return known;
}
