/** All emitters of vector instructions, by handler. */
import { convertEmitters } from './emit-sse-convert.ts';
import { floatEmitters } from './emit-sse-float.ts';
import { vectorIntegerEmitters } from './emit-sse-integer.ts';
import { moveEmitters } from './emit-sse-move.ts';
import { shuffleEmitters } from './emit-sse-shuffle.ts';
import { type EmitVector, permitVectors } from './emit-vector.ts';

const emitters: Readonly<Record<string, EmitVector>> = {
  ...moveEmitters,
  ...vectorIntegerEmitters,
  ...shuffleEmitters,
  ...floatEmitters,
  ...convertEmitters,
};

/** The same behind the check that vector instructions are allowed. */
export const vectorEmitters: Readonly<Record<string, EmitVector>> = Object.fromEntries(
  Object.entries(emitters).map(([name, emit]): [string, EmitVector] => [
    name,
    (e, i, needed) => {
      permitVectors(e, i);
      emit(e, i, needed);
    },
  ]),
);
