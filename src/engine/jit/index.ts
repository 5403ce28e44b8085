/** The translator: hot guest code as WebAssembly. Knows the CPU's core and no hypervisor. */
import type { TranslatorCore } from './core.ts';
import { DEFAULT_OPTIONS, Translator, type TranslatorOptions } from './translator.ts';

export { DEFAULT_OPTIONS, EAGER_OPTIONS, Translator } from './translator.ts';
export type { TranslatorCounters, TranslatorOptions } from './translator.ts';
export { addProfiles, CodeProfile } from './code-profile.ts';
export type { ProfilePart, ProfilePause, ProfileRegion, ProfileSample } from './code-profile.ts';
export type { TranslatorCore } from './core.ts';

/** Translator of one vCPU: `cpu` is its block in the memory that the core's instance works on. */
export function createTranslator(
  core: TranslatorCore,
  memory: WebAssembly.Memory,
  cpu: number,
  options: TranslatorOptions = DEFAULT_OPTIONS,
): Translator {
  return new Translator(core, memory, cpu, options);
}
