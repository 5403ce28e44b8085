/**
 * What translated code says when it is left: the state of the flags (as the translator keeps it, jit/flags.ts) and how to go on,
 * packed into 64 bits. Shared by the translator, which writes it, and by leaveRegion, which takes it apart.
 */

/** A CC_* kind with the bits below, or one of the three special states, perhaps with a rotate on top. */
export const KIND_MASK = 15;
/** The operands count as 32 bits; else they are sign-extended to 64. */
export const NARROW = 0x100;
/** CF and OF are those of a rotate whose result is kept besides, all else is as the state says. */
export const ROTATED = 0x200;
/** The result is not kept: it is A - B, or A + B. */
export const RESULT_IS_DIFFERENCE = 0x400;
export const RESULT_IS_SUM = 0x800;
export const ROTATED_RIGHT = 0x1000;
export const ROTATED_NARROW = 0x2000;
/** No CC_* kind in the state: one of the three. */
export const SPECIAL = 0x20;
/** The flags are in VCPU_CC_*. */
export const IN_MEMORY = 0x20;
/** Kind and operands are known only as the region runs; the kind has NARROW and RESULT_IS_* besides. */
export const DYNAMIC = 0x21;
/** Nobody will look. */
export const DEAD = 0x22;

// Low half of the packed word; the high half is the position to go on at, relative to the address given besides.
export const EXIT_STATE_MASK = 0x3fff;
export const EXIT_STATUS_SHIFT = 14;
export const EXIT_STATUS_MASK = 7;
/** Instructions retired since the budget was last lowered. */
export const EXIT_RETIRED_SHIFT = 17;
export const EXIT_RETIRED_MASK = 0xfff;
