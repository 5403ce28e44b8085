/** What a floating-point instruction does to each lane, for the paths that several instructions share. */
export const ADD: u32 = 0;
export const SUBTRACT: u32 = 1;
export const MULTIPLY: u32 = 2;
export const DIVIDE: u32 = 3;
export const SQUARE_ROOT: u32 = 4;
export const MINIMUM: u32 = 5;
export const MAXIMUM: u32 = 6;
