/** The translator: hot guest code as WebAssembly. Knows the CPU's core and no hypervisor. */
import type { TranslatorCore } from './core.ts';
import type { RegionCompiler } from './region-compiler.ts';
import { DEFAULT_OPTIONS, Translator, type TranslatorOptions } from './translator.ts';

export { DEFAULT_OPTIONS, EAGER_OPTIONS, Translator } from './translator.ts';
export type { TranslatorCounters, TranslatorOptions } from './translator.ts';
export { addProfiles, CodeProfile } from './code-profile.ts';
export type { ProfilePart, ProfilePause, ProfileRegion, ProfileSample } from './code-profile.ts';
export type { TranslatorCore } from './core.ts';
export { JobCompiler } from './region-compiler.ts';
export type { CompiledRegion, RegionCompiler, RegionJob } from './region-compiler.ts';

/** Translator of one vCPU: `cpu` is its block in the memory that the core's instance works on. Without a compiler it compiles itself. */
export function createTranslator(
  core: TranslatorCore,
  memory: WebAssembly.Memory,
  cpu: number,
  options: TranslatorOptions = DEFAULT_OPTIONS,
  compiler?: RegionCompiler,
): Translator {
  return new Translator(core, memory, cpu, options, compiler);
}
