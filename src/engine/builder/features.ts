/**
 * Feature strings: names separated by "|", one that the kernel cannot do without preceded by "!". They come from the
 * kernel's notes and from the `features` of a domain's configuration.
 */
import {
  XENFEAT_auto_translated_physmap,
  XENFEAT_pae_pgdir_above_4gb,
  XENFEAT_supervisor_mode_kernel,
  XENFEAT_writable_descriptor_tables,
  XENFEAT_writable_page_tables,
} from '../abi/version.ts';
import { BuildError } from './build-error.ts';

/** Bit of "dom0" in the set, not stated with the features a running guest asks for. */
const XENFEAT_dom0 = 11;

const FEATURE_BITS: Readonly<Record<string, number>> = {
  writable_page_tables: XENFEAT_writable_page_tables,
  writable_descriptor_tables: XENFEAT_writable_descriptor_tables,
  auto_translated_physmap: XENFEAT_auto_translated_physmap,
  supervisor_mode_kernel: XENFEAT_supervisor_mode_kernel,
  pae_pgdir_above_4gb: XENFEAT_pae_pgdir_above_4gb,
  dom0: XENFEAT_dom0,
};

/** Bit sets, bit n standing for XENFEAT number n. */
export interface FeatureSet {
  readonly supported: number;
  readonly required: number;
}

/** A required name that is not known cannot be satisfied; an optional one is passed over. */
export function parseFeatures(text: string, whose: string): FeatureSet {
  let supported = 0;
  let required = 0;
  for (const part of text.split('|')) {
    const must = part.startsWith('!');
    const name = must ? part.slice(1) : part;
    const bit = Object.hasOwn(FEATURE_BITS, name) ? FEATURE_BITS[name] : undefined;
    if (bit === undefined) {
      if (must) throw new BuildError(`${whose} requires the feature "${name}", which is not known here.`);
      continue;
    }
    supported |= 1 << bit;
    if (must) required |= 1 << bit;
  }
  return { supported, required };
}

function namesOf(bits: number): string {
  return Object.entries(FEATURE_BITS)
    .filter(([, bit]) => (bits & (1 << bit)) !== 0)
    .map(([name]) => name)
    .join(', ');
}

/**
 * What a PV domain cannot be given whatever the kernel says. Page tables are never writable either, but kernels that list
 * that feature as required run without it, and Xen lets them.
 */
const IMPOSSIBLE = (1 << XENFEAT_auto_translated_physmap) | (1 << XENFEAT_supervisor_mode_kernel) | (1 << XENFEAT_dom0);

/** @throws BuildError when the kernel requires, or the configuration asks for, what cannot be had */
export function checkFeatures(kernel: FeatureSet, requested: string): void {
  const impossible = kernel.required & IMPOSSIBLE;
  if (impossible !== 0) throw new BuildError(`The kernel requires what a PV domain is not given: ${namesOf(impossible)}.`);
  const asked = parseFeatures(requested, 'The configuration').supported;
  const missing = (asked | kernel.required) & ~kernel.supported;
  if (missing !== 0) throw new BuildError(`The kernel does not support the features asked for: ${namesOf(missing)}.`);
}
