/** Programs of our own for guests: compiled here when there is a compiler, and put beside what the stock ramdisk holds. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeCpio, type CpioEntry } from '../../scripts/images/cpio.ts';
import { siteImage } from './site-images.ts';

const DIRECTORY = 'build/guest-programs';

/** Why a test that needs such programs cannot run here; undefined = it can. */
export function missingCompiler(): string | undefined {
  return spawnSync('gcc', ['--version'], { stdio: 'ignore' }).status === 0
    ? undefined
    : 'programs for guests are compiled by gcc (Debian: gcc and libc6-dev)';
}

/** Compiles C files to static x86-64 programs; the path of each, in order. */
export function compilePrograms(sources: readonly string[]): string[] {
  mkdirSync(DIRECTORY, { recursive: true });
  return sources.map((source) => {
    const program = `${DIRECTORY}/${basename(source, '.c')}`;
    const flags = ['-O2', '-static', '-pthread', '-march=x86-64', '-Wall', '-Wextra', '-Werror'];
    execFileSync('gcc', [...flags, '-o', program, source], { stdio: 'inherit' });
    return program;
  });
}

/** A ramdisk with more in it: the kernel unpacks archives one after the other. */
export function extended(ramdisk: Uint8Array, entries: readonly CpioEntry[]): Uint8Array {
  return Buffer.concat([ramdisk, new Uint8Array(-ramdisk.length & 3), gzipSync(writeCpio(entries))]);
}

/** The cloud ramdisk with files at its root. */
export function ramdiskWith(files: readonly string[]): Uint8Array {
  const entries = files.map((path) => ({ kind: 'file' as const, path: basename(path), mode: 0o755, content: readFileSync(path) }));
  return extended(readFileSync(siteImage('initrd.img-cloud')), entries);
}
