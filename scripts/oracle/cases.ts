/**
 * The tests of one form before they are run: encodings with varied registers and addresses, and for each several inputs that
 * make the instruction do something worth checking (quotients that fit, strings that match, stacks that are mapped).
 */
import { CODE_ADDRESS, CODE_PAGES, PAGE_BYTES, SLOT_BYTES } from '../../src/engine/cpu/testing/address-map.ts';
import { type Form, isString, isVector, operandsOf, rmOperand } from '../../src/engine/cpu/testing/forms.ts';
import { groupOf } from '../../src/engine/cpu/testing/groups.ts';
import { inputState } from '../../src/engine/cpu/testing/input.ts';
import { FX_ST, FX_XMM_END } from '../../src/engine/cpu/testing/machine-state.ts';
import type { Random } from '../../src/engine/cpu/testing/random.ts';
import type { Case } from '../../src/engine/cpu/testing/vectors.ts';
import { type Choice, encode } from './encode.ts';
import { isX87, memoryFlavour, stateFlavour } from './flavours.ts';
import { FAULT_PLACES, GOOD_PLACES, LANDING_PAGES, type Place, aim, memoryBytes, pickOperands, placeAddress } from './operands.ts';
import { type Draft, patch, setRegister } from './draft.ts';
import { avoidedRegisters, tune } from './tuning.ts';
import { undefinedFlags, undefinedResult, undefinedStatus } from './undefined.ts';

/** A test still without its outcome. */
export type CaseDraft = Omit<Case, 'outcome'>;

export interface EncodingDraft {
  readonly address: number;
  readonly code: Uint8Array;
  readonly cases: CaseDraft[];
}

/**
 * Gives out addresses in the code region: a slot each, at varied offsets. The slots on both sides of a page boundary are kept
 * for instructions that cross it.
 */
export class SlotAllocator {
  private next = CODE_ADDRESS + LANDING_PAGES * PAGE_BYTES + SLOT_BYTES;
  private nextBoundary = CODE_ADDRESS + (LANDING_PAGES + 1) * PAGE_BYTES;
  private readonly end = CODE_ADDRESS + (CODE_PAGES - LANDING_PAGES) * PAGE_BYTES;

  take(random: Random, bytes = SLOT_BYTES): number {
    const length = Math.ceil(bytes / SLOT_BYTES) * SLOT_BYTES;
    // Not the last slot of a page nor the first.
    const inPage = this.next & (PAGE_BYTES - 1);
    if (inPage + length > PAGE_BYTES - SLOT_BYTES) this.next += PAGE_BYTES - inPage + SLOT_BYTES;
    const first = this.next;
    this.next += length;
    if (this.next > this.end) throw new RangeError('the code region is too small for these forms');
    return length > SLOT_BYTES ? first : first + random.below(SLOT_BYTES - 20);
  }

  /** A page boundary across which an instruction may be put. */
  takeBoundary(): number {
    const boundary = this.nextBoundary;
    this.nextBoundary += PAGE_BYTES;
    if (boundary >= this.end) throw new RangeError('the code region has too few pages for these forms');
    return boundary;
  }
}

function alignmentOf(form: Form): number {
  if (memoryBytes(form) === 512) return 16;
  return memoryBytes(form) === 16 ? 16 : 1;
}

function hasMemory(form: Form): boolean {
  return form.rm === 'memory' || operandsOf(form.row).some(({ letter }) => letter === 'O');
}

function immediateByte(choice: Choice): number {
  const last = choice.immediates[choice.immediates.length - 1];
  return last === undefined ? 0 : Number(last & 0xffn);
}

function sourceIsZero(form: Form, draft: Draft): boolean {
  if (form.rm === 'memory') return true; // not known here: the wider mask is right for both
  const value = typeof draft.choice.rm === 'number' ? (draft.state.gpr[draft.choice.rm] ?? 0n) : 1n;
  return BigInt.asUintN(form.size * 8, value) === 0n;
}

/** Fields of a state image that vendors fill differently, by offset and length: reserved ones, the x87's last pointers. */
function vendorFields(form: Form): (readonly [number, number])[] {
  const name = form.row.mnemonic.toLowerCase();
  if (/^fxsave/.test(name)) {
    const paddings = Array.from({ length: 8 }, (_, register) => [FX_ST + 16 * register + 10, 6] as const);
    return [[5, 19], [28, 4], ...paddings, [FX_XMM_END, 96]]; // FOP to FDP, MXCSR_MASK
  }
  if (name === 'fnstenv' || name === 'fnsave') return form.size === 2 ? [[6, 8]] : [[12, 16]];
  return [];
}

function draftCase(
  form: Form,
  choice: Choice,
  fixed: bigint | null,
  address: number,
  place: Place,
  random: Random,
): CaseDraft | null {
  const seed = random.u32();
  const flavour = stateFlavour(form.row, random);
  const state = inputState(seed, flavour);
  const draft: Draft = {
    form,
    random,
    choice,
    address,
    place,
    target: null,
    state,
    overrides: new Map(),
    patches: [],
    ignored: [],
    seed,
    flavour,
  };
  if (hasMemory(form)) {
    const bytes = memoryBytes(form);
    draft.target = fixed ?? placeAddress(place, bytes, alignmentOf(form), random);
    if (fixed === null) {
      const values = aim(choice, draft.target, state.gpr, random);
      if (values === null) return null;
      for (const [register, value] of values) setRegister(draft, register, value);
    }
    patch(draft, draft.target, bytes, memoryFlavour(form.row, flavour));
    for (const [at, length] of vendorFields(form)) draft.ignored.push({ address: Number(draft.target & 0x7fffffffn) + at, length });
  }
  if (!tune(draft)) return null;
  const cl = Number((draft.state.gpr[1] ?? 0n) & 0xffn);
  const immediate = immediateByte(choice);
  if (undefinedResult(form, immediate, cl)) return null;
  return {
    seed,
    flavour,
    overrides: [...draft.overrides].map(([register, value]) => ({ register, value })),
    patches: draft.patches,
    undefinedFlags: undefinedFlags(form, immediate, cl, sourceIsZero(form, draft)),
    ignored: draft.ignored,
    undefinedStatus: isX87(form.row) ? undefinedStatus(form.row.mnemonic) : 0,
  };
}

interface Amount {
  readonly encodings: number;
  readonly inputs: number;
}

/** How many encodings and inputs a form is worth: floats have more edges than moves. */
function amountOf(form: Form): Amount {
  if (isX87(form.row)) return form.rm === 'memory' ? { encodings: 4, inputs: 12 } : { encodings: 5, inputs: 14 };
  if (isVector(form.row)) return groupOf(form.row) === 'vector-float' ? { encodings: 6, inputs: 12 } : { encodings: 5, inputs: 5 };
  if (isString(form.row)) return { encodings: 2, inputs: 8 };
  if (operandsOf(form.row).length === 0) return { encodings: 1, inputs: 6 };
  return { encodings: 5, inputs: 3 };
}

/** All tests of the form. */
export function draftForm(form: Form, random: Random, slots: SlotAllocator): EncodingDraft[] {
  const { encodings, inputs } = amountOf(form);
  const avoid = avoidedRegisters(form);
  const drafts: EncodingDraft[] = [];
  const addEncoding = (places: readonly Place[], count: number, crossing = false): void => {
    let address = crossing ? slots.takeBoundary() : slots.take(random);
    for (let attempt = 0; attempt < 20; attempt++) {
      const place = random.pick(places);
      const fixedTarget = placeAddress(place === 'not-canonical' ? 'missing' : place, memoryBytes(form), alignmentOf(form), random);
      const { choice, fixed } = pickOperands(form, random, avoid, fixedTarget);
      const segmentIgnored = choice.segment !== null && choice.segment !== 'fs' && choice.segment !== 'gs';
      if (place === 'not-canonical' && (fixed !== null || choice.address32 || segmentIgnored)) continue;
      if (crossing) {
        const { length } = encode(form, choice, address);
        if (length === 1) return;
        address -= 1 + random.below(length - 1);
      }
      const shaped = shapeChoice(form, choice, address, random);
      const code = encode(form, shaped, address);
      const cases: CaseDraft[] = [];
      for (let tries = 0; cases.length < count && tries < 4 * count; tries++) {
        const test = draftCase(form, shaped, fixed, address, count === 1 ? place : random.pick(places), random);
        if (test) cases.push(test);
      }
      if (cases.length === 0) continue;
      drafts.push({ address, code, cases });
      return;
    }
  };
  for (let count = 0; count < encodings; count++) addEncoding(GOOD_PLACES, inputs);
  addEncoding(GOOD_PLACES, 2, true);
  if (hasMemory(form) || usesMemoryImplicitly(form)) for (const place of FAULT_PLACES) addEncoding([place], 1);
  return drafts;
}

function usesMemoryImplicitly(form: Form): boolean {
  return avoidedRegisters(form).size > 0 && rmOperand(form.row)?.letter !== 'E';
}

/** Branch displacements that land on HLT: in the slot beside the code for short ones, on the landing pages for long ones. */
function shapeChoice(form: Form, choice: Choice, address: number, random: Random): Choice {
  const branch = operandsOf(form.row).find(({ letter }) => letter === 'J');
  if (branch === undefined) return choice;
  const length = encode(form, choice, address).length;
  const end = address + length;
  if (branch.type === 'b') {
    // Inside the pair of slots that the allocator gave out, but not on the code itself.
    const slot = address & -SLOT_BYTES;
    let target = slot;
    do target = slot + random.below(SLOT_BYTES);
    while (target >= address && target < end);
    return { ...choice, immediates: [BigInt(target - end)] };
  }
  const page = random.oneIn(2) ? 0 : CODE_PAGES - LANDING_PAGES;
  const target = CODE_ADDRESS + page * 4096 + random.below(LANDING_PAGES * 4096);
  return { ...choice, immediates: [BigInt(target - end)] };
}
