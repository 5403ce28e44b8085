/**
 * Coefficients and constants of the transcendental functions, truncated to 128 bits. A table holds fractions of 2^128 in two
 * words each, high word first, ordered by power. The numbers of terms leave a relative error below 2^-80 over the range of the
 * reduced argument that each comment states. constants.test.ts recomputes all of them.
 */

/** 1/3!, 1/5!, 1/7! ...: sin r = r * (1 - z/3! + z^2/5! - ...), z = r^2, |r| <= pi/4 */
export const SINE: usize = memory.data<u64>([
  0x2aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaaa, 0x0222222222222222, 0x2222222222222222, 0x000d00d00d00d00d, 0x00d00d00d00d00d0,
  0x00002e3bc74aad8e, 0x671f5583911ca002, 0x0000006b99159fd5, 0x138e3f9d1f92e0df, 0x00000000b092309d, 0x43684be51c198e91,
  0x0000000000d73f9f, 0x399dc0f88ec32b58, 0x000000000000ca96, 0x3b81856a53593028, 0x0000000000000097, 0xa4da340a0ab92650,
  0x0000000000000000, 0x5c6e3bdb73d5c62f, 0x0000000000000000, 0x002ec368262c7033, 0x0000000000000000, 0x000013f3ccdd165f,
  0x0000000000000000, 0x0000000746ac70b7,
]);
export const SINE_TERMS: u32 = 13;

/** 1/2!, 1/4!, 1/6! ...: cos r = 1 - z/2! + z^2/4! - ..., z = r^2, |r| <= pi/4 */
export const COSINE: usize = memory.data<u64>([
  0x8000000000000000, 0x0000000000000000, 0x0aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaaa, 0x005b05b05b05b05b, 0x05b05b05b05b05b0,
  0x0001a01a01a01a01, 0xa01a01a01a01a01a, 0x0000049f93edde27, 0xd71cbbc05b4fa999, 0x00000008f76c77fc, 0x6c4bdaa26d4c3d67,
  0x000000000c9cba54, 0x603e4e905d6f8a2e, 0x00000000000d73f9, 0xf399dc0f88ec32b5, 0x0000000000000b41, 0x3c31dcbecbbdd802,
  0x0000000000000007, 0x950ae900808941ea, 0x0000000000000000, 0x04338e5b6dfe14a5, 0x0000000000000000, 0x0001f2cf01972f57,
  0x0000000000000000, 0x000000c4742fe352,
]);
export const COSINE_TERMS: u32 = 13;

/** 1/3, 1/5, 1/7 ...: atanh s = s * (1 + z/3 + z^2/5 + ...), z = s^2, |s| <= 0.1716; atan u has the signs alternate, |u| <= 1/31 */
export const ODD_RECIPROCALS: usize = memory.data<u64>([
  0x5555555555555555, 0x5555555555555555, 0x3333333333333333, 0x3333333333333333, 0x2492492492492492, 0x4924924924924924,
  0x1c71c71c71c71c71, 0xc71c71c71c71c71c, 0x1745d1745d1745d1, 0x745d1745d1745d17, 0x13b13b13b13b13b1, 0x3b13b13b13b13b13,
  0x1111111111111111, 0x1111111111111111, 0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f, 0x0d79435e50d79435, 0xe50d79435e50d794,
  0x0c30c30c30c30c30, 0xc30c30c30c30c30c, 0x0b21642c8590b216, 0x42c8590b21642c85, 0x0a3d70a3d70a3d70, 0xa3d70a3d70a3d70a,
  0x097b425ed097b425, 0xed097b425ed097b4, 0x08d3dcb08d3dcb08, 0xd3dcb08d3dcb08d3, 0x0842108421084210, 0x8421084210842108,
  0x07c1f07c1f07c1f0, 0x7c1f07c1f07c1f07, 0x0750750750750750, 0x7507507507507507,
]);
export const LOGARITHM_TERMS: u32 = 17;
export const ARCTANGENT_TERMS: u32 = 9;

/** 1/2!, 1/3!, 1/4! ...: e^v - 1 = v * (1 + v/2! + v^2/3! + ...), |v| <= ln 2 */
export const EXPONENTIAL: usize = memory.data<u64>([
  0x8000000000000000, 0x0000000000000000, 0x2aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaaa, 0x0aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaaa,
  0x0222222222222222, 0x2222222222222222, 0x005b05b05b05b05b, 0x05b05b05b05b05b0, 0x000d00d00d00d00d, 0x00d00d00d00d00d0,
  0x0001a01a01a01a01, 0xa01a01a01a01a01a, 0x00002e3bc74aad8e, 0x671f5583911ca002, 0x0000049f93edde27, 0xd71cbbc05b4fa999,
  0x0000006b99159fd5, 0x138e3f9d1f92e0df, 0x00000008f76c77fc, 0x6c4bdaa26d4c3d67, 0x00000000b092309d, 0x43684be51c198e91,
  0x000000000c9cba54, 0x603e4e905d6f8a2e, 0x0000000000d73f9f, 0x399dc0f88ec32b58, 0x00000000000d73f9, 0xf399dc0f88ec32b5,
  0x000000000000ca96, 0x3b81856a53593028, 0x0000000000000b41, 0x3c31dcbecbbdd802, 0x0000000000000097, 0xa4da340a0ab92650,
  0x0000000000000007, 0x950ae900808941ea, 0x0000000000000000, 0x5c6e3bdb73d5c62f, 0x0000000000000000, 0x04338e5b6dfe14a5,
  0x0000000000000000, 0x002ec368262c7033, 0x0000000000000000, 0x0001f2cf01972f57, 0x0000000000000000, 0x000013f3ccdd165f,
]);
export const EXPONENTIAL_TERMS: u32 = 24;

/** atan(i / 16) for i = 0 ... 16 */
export const ARCTANGENTS: usize = memory.data<u64>([
  0x0000000000000000, 0x0000000000000000, 0x0ffaaddb967ef4e3, 0x6cb2792dc0e2e0d5, 0x1fd5ba9aac2f6dc6, 0x5912f313e7d111de,
  0x2f72f6979cb6044d, 0x1ec2d3e207271d21, 0x3eb6ebf25901bac5, 0x5b71e7bd7de885f9, 0x4d89dcdc1faf2f34, 0xe2d5da4c693d7994,
  0x5bd86507937bc239, 0xc55190916e7f2241, 0x6993bb0f308ff2db, 0x213e4af4800f389b, 0x76b19c1586ed3da2, 0xb7f222f65e1d4681,
  0x832bf4a6d9867e2a, 0x4b6a09cb61a515c0, 0x8f005d5ef7f59f9b, 0x5c835e1665c43747, 0x9a2f80e671bdda20, 0x4226f8e2204ff3bc,
  0xa4bc7d1934f70924, 0x19a87f2a457dac9e, 0xaeac4c38b4d8c080, 0x14725e2f3e52070a, 0xb8053e2bc2319e73, 0xcb2da55210a4443d,
  0xc0ce85b8ac526640, 0x89dd62c46e92fa24, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1,
]);

/** ln 2 = LN_2_HIGH:LN_2_LOW / 2^127 * 2^-1 */
export const LN_2_EXPONENT: i32 = -1;
export const LN_2_HIGH: u64 = 0xb17217f7d1cf79ab;
export const LN_2_LOW: u64 = 0xc9e3b39803f2f6af;

/** log2 e = LOG2_E_HIGH:LOG2_E_LOW / 2^127 * 2^0 */
export const LOG2_E_EXPONENT: i32 = 0;
export const LOG2_E_HIGH: u64 = 0xb8aa3b295c17f0bb;
export const LOG2_E_LOW: u64 = 0xbe87fed0691d3e88;

/** pi = PI_HIGH:PI_LOW / 2^127 * 2^1 */
export const PI_EXPONENT: i32 = 1;
export const PI_HIGH: u64 = 0xc90fdaa22168c234;
export const PI_LOW: u64 = 0xc4c6628b80dc1cd1;

/** pi / 2 = HALF_PI_HIGH:HALF_PI_LOW / 2^127 * 2^0 */
export const HALF_PI_EXPONENT: i32 = 0;
export const HALF_PI_HIGH: u64 = 0xc90fdaa22168c234;
export const HALF_PI_LOW: u64 = 0xc4c6628b80dc1cd1;
