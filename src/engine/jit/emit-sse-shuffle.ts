/** Emitters of XMM instructions that move lanes about by constant patterns: unpack, shuffle, align, blend. @sdm Vol. 2 */
import { type EmitVector, isRegisterForm, pushVectorSource } from './emit-vector.ts';
import type { Emitter } from './emitter.ts';
import type { Instruction } from './instruction.ts';
import { ALL32, ALL64, LOW32, LOW64 } from './vectors.ts';
import { simd } from './wasm-simd.ts';

/** Bytes of destination : source, 0 to 31, by the immediate. */
type Pattern = (immediate: number) => readonly number[];

/** The bytes of elements of `bytes` each. */
const elements = (bytes: number, list: readonly number[]): number[] =>
  list.flatMap((element) => Array.from({ length: bytes }, (_, n) => element * bytes + n));

/**
 * Facts of the result out of those of both operands: lanes that stay whole stay clean. `wide`, `narrow`: the pattern keeps lanes
 * of 64 and of 32 bits whole.
 */
function pickFacts(e: Emitter, i: Instruction, own: boolean, wide: boolean, narrow: boolean): readonly number[] {
  if (!isRegisterForm(i)) return [];
  const { vectors } = e;
  const both = (kind: number): boolean => vectors.isClean(i.rm, kind) && (!own || vectors.isClean(i.reg, kind));
  return [...(wide && both(ALL64) ? [ALL64] : []), ...(narrow && both(ALL32) ? [ALL32] : [])];
}

/** `own`: the destination's lanes are among those picked from, else the source's alone. */
function shuffle(pattern: Pattern, own: boolean, wide: boolean, narrow: boolean): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const facts = pickFacts(e, i, own, wide, narrow);
    const bytes = pattern(i.low & 0xff);
    if (own) {
      vectors.get(i.reg);
      pushVectorSource(e, i);
    } else {
      pushVectorSource(e, i);
      w.set(vectors.temporary(1));
      w.get(vectors.temporary(1));
      w.get(vectors.temporary(1));
    }
    w.shuffle(bytes);
    vectors.set(i.reg);
    for (const kind of facts) vectors.setClean(i.reg, kind);
  };
}

/** UNPCKLPD is PUNPCKLQDQ: the lowest lanes of both. */
const punpcklqdq: EmitVector = (e, i, needed) => {
  const { vectors } = e;
  const low = vectors.isClean(i.reg, LOW64);
  const both = low && isRegisterForm(i) && vectors.isClean(i.rm, LOW64);
  shuffle(() => unpackBytes(8, false), true, true, true)(e, i, needed);
  if (both) vectors.setClean(i.reg, ALL64);
  else if (low) vectors.setClean(i.reg, LOW64);
};

/** UNPCKLPS is PUNPCKLDQ: the lowest lane stays. */
const punpckldq: EmitVector = (e, i, needed) => {
  const low = e.vectors.isClean(i.reg, LOW32);
  shuffle(() => unpackBytes(4, false), true, false, true)(e, i, needed);
  if (low) e.vectors.setClean(i.reg, LOW32);
};

function unpackBytes(bytes: number, high: boolean): number[] {
  return Array.from({ length: 16 }, (_, n) => {
    const element = Math.floor(n / (2 * bytes));
    const fromSource = Math.floor(n / bytes) % 2;
    return (high ? 8 : 0) + element * bytes + (n % bytes) + fromSource * 16;
  });
}

const unpack = (bytes: number, high: boolean): EmitVector => shuffle(() => unpackBytes(bytes, high), true, bytes === 8, bytes >= 4);

const pick = (control: number, place: number): number => (control >> (2 * place)) & 3;

/** Blends by the bits of the immediate, a bit for each element. */
const blend = (bytes: number): EmitVector =>
  shuffle(
    (control) => Array.from({ length: 16 }, (_, n) => n + (((control >> Math.floor(n / bytes)) & 1) !== 0 ? 16 : 0)),
    true,
    bytes === 8,
    bytes >= 4,
  );

/** Bytes of destination : source from the immediate on; beyond both there is zero. */
const palignr: EmitVector = (e, i, needed) => {
  const { w, vectors } = e;
  const count = i.low & 0xff;
  if (count >= 32) {
    pushVectorSource(e, i);
    w.vectorZero();
    w.vector(simd.and);
    vectors.set(i.reg);
    return;
  }
  if (count <= 16) {
    // Source lowest: byte n + count of source : destination.
    shuffle(
      () => Array.from({ length: 16 }, (_, n) => (n + count < 16 ? 16 + n + count : n + count - 16)),
      true,
      false,
      false,
    )(e, i, needed);
    return;
  }
  pushVectorSource(e, i);
  w.set(vectors.temporary(1));
  vectors.get(i.reg);
  w.vectorZero();
  w.shuffle(Array.from({ length: 16 }, (_, n) => Math.min(n + count - 16, 16)));
  vectors.set(i.reg);
};

/** Bit 7 of a control byte selects zero, bits 4 to 6 are ignored; an index from 16 on selects zero in WebAssembly. */
const pshufb: EmitVector = (e, i) => {
  const { w, vectors } = e;
  vectors.get(i.reg);
  pushVectorSource(e, i);
  w.i32(0x8f);
  w.vector(simd.splat8, simd.and, simd.swizzle);
  vectors.set(i.reg);
};

/** Variable blends: the sign bits of XMM0 choose. */
function blendVariable(compare: number): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    pushVectorSource(e, i);
    vectors.get(i.reg);
    w.vectorZero();
    vectors.get(0);
    w.vector(compare, simd.bitSelect);
    vectors.set(i.reg);
  };
}

const halves = (control: number, high: boolean): readonly number[] => {
  const kept = [0, 1, 2, 3].map((n) => (high ? n : n + 4));
  const picked = [0, 1, 2, 3].map((n) => pick(control, n) + (high ? 4 : 0));
  return elements(2, high ? [...kept, ...picked] : [...picked, ...kept]);
};

export const shuffleEmitters: Readonly<Record<string, EmitVector>> = {
  punpcklbw: unpack(1, false),
  punpcklwd: unpack(2, false),
  punpckldq,
  punpcklqdq,
  punpckhbw: unpack(1, true),
  punpckhwd: unpack(2, true),
  punpckhdq: unpack(4, true),
  punpckhqdq: unpack(8, true),
  pshufd: shuffle(
    (control) =>
      elements(
        4,
        [0, 1, 2, 3].map((n) => pick(control, n)),
      ),
    false,
    false,
    true,
  ),
  pshuflw: shuffle((control) => halves(control, false), false, false, false),
  pshufhw: shuffle((control) => halves(control, true), false, false, false),
  shufps: shuffle(
    (control) =>
      elements(
        4,
        [0, 1, 2, 3].map((n) => pick(control, n) + (n < 2 ? 0 : 4)),
      ),
    true,
    false,
    true,
  ),
  shufpd: shuffle((control) => elements(8, [control & 1, 2 + ((control >> 1) & 1)]), true, true, true),
  movsldup: shuffle(() => elements(4, [0, 0, 2, 2]), false, false, true),
  movshdup: shuffle(() => elements(4, [1, 1, 3, 3]), false, false, true),
  blendps: blend(4),
  blendpd: blend(8),
  pblendw: blend(2),
  palignr,
  pshufb,
  pblendvb: blendVariable(simd.gtS8),
  blendvps: blendVariable(simd.gtS32),
  blendvpd: blendVariable(simd.gtS64),
};
