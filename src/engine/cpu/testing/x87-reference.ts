/**
 * The x87's transcendental functions by plain series in integers of some 400 bits: what a correctly rounded result is. Numbers are
 * fixed-point, in units of 2^-UNIT_BITS; arguments must stay away from the ends of the exponent's range (2^-100 to 2^60).
 */

const UNIT_BITS = 400n;
const ONE = 1n << UNIT_BITS;

/** An 80-bit value, sign and exponent above the significand, as a fixed-point number. */
export function fixedOf(value: bigint): bigint {
  const exponent = ((value >> 64n) & 0x7fffn) - 16383n - 63n + UNIT_BITS;
  const significand = BigInt.asUintN(64, value);
  const magnitude = exponent >= 0n ? significand << exponent : significand >> -exponent;
  return value >> 79n ? -magnitude : magnitude;
}

const multiply = (a: bigint, b: bigint): bigint => (a * b) >> UNIT_BITS;
const divide = (a: bigint, b: bigint): bigint => (a << UNIT_BITS) / b;
const absolute = (a: bigint): bigint => (a < 0n ? -a : a);

function squareRoot(a: bigint): bigint {
  const square = a << UNIT_BITS;
  let root = ONE << 64n;
  for (;;) {
    const next = (root + square / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** Sum of `term`, `next(term, n)`, ... until the terms vanish. */
function sum(term: bigint, next: (term: bigint, n: bigint) => bigint): bigint {
  let total = 0n;
  for (let n = 1n; term !== 0n && term !== -1n; n++) {
    total += term;
    term = next(term, n);
  }
  return total;
}

/** The sum of the terms x^(2n+1) / (2n+1), signs alternating for the arctangent. */
function oddSeries(x: bigint, alternate: boolean): bigint {
  const square = multiply(x, x);
  let power = x;
  let total = 0n;
  for (let n = 1n; power !== 0n && power !== -1n; n += 2n) {
    total += power / n;
    power = multiply(power, square) * (alternate ? -1n : 1n);
  }
  return total;
}

function naturalLogarithm(x: bigint): bigint {
  let halvings = 0n;
  while (x > ONE + ONE / 2n) {
    x >>= 1n;
    halvings++;
  }
  while (x < (3n * ONE) / 4n) {
    x <<= 1n;
    halvings--;
  }
  return 2n * oddSeries(divide(x - ONE, x + ONE), false) + halvings * LN_2;
}

const LN_2 = 2n * oddSeries(ONE / 3n, false);

function arctangent(t: bigint): bigint {
  let doublings = 0n;
  while (absolute(t) > ONE / 16n) {
    t = divide(t, ONE + squareRoot(ONE + multiply(t, t)));
    doublings++;
  }
  return oddSeries(t, true) << doublings;
}

const PI = 4n * arctangent(ONE);

/** Half of the 66-bit pi that the x87 reduces arguments by. */
const HALF_PI_66 = (0xc90fdaa22168c234cn << (UNIT_BITS - 66n)) >> 1n;

function sineSeries(x: bigint): bigint {
  const square = multiply(x, x);
  return sum(x, (term, n) => -multiply(term, square) / (2n * n * (2n * n + 1n)));
}

function cosineSeries(x: bigint): bigint {
  const square = multiply(x, x);
  return sum(ONE, (term, n) => -multiply(term, square) / (2n * n * (2n * n - 1n)));
}

/** sin(x + quarters * pi/2), pi with 66 bits. */
function sine(x: bigint, quarters: bigint): bigint {
  const nearest = (absolute(x) + HALF_PI_66 / 2n) / HALF_PI_66;
  const count = x < 0n ? -nearest : nearest;
  const rest = x - count * HALF_PI_66;
  const quadrant = (count + quarters) & 3n;
  const value = quadrant & 1n ? cosineSeries(rest) : sineSeries(rest);
  return quadrant & 2n ? -value : value;
}

/** The results of a function by its handler's name; x is ST(0), y is ST(1), both fixed-point. */
export const reference: Readonly<Record<string, (x: bigint, y: bigint) => bigint>> = {
  f2xm1: (x) => {
    const v = multiply(x, LN_2);
    return sum(v, (term, n) => multiply(term, v) / (n + 1n));
  },
  fyl2x: (x, y) => multiply(y, divide(naturalLogarithm(x), LN_2)),
  fyl2xp1: (x, y) => multiply(y, divide(naturalLogarithm(ONE + x), LN_2)),
  fsin: (x) => sine(x, 0n),
  fcos: (x) => sine(x, 1n),
  fptan: (x) => divide(sine(x, 0n), sine(x, 1n)),
  fpatan: (x, y) => {
    const angle =
      absolute(y) <= absolute(x)
        ? arctangent(divide(absolute(y), absolute(x)))
        : PI / 2n - arctangent(divide(absolute(x), absolute(y)));
    const turned = x < 0n ? PI - angle : angle;
    return y < 0n ? -turned : turned;
  },
};

/** A fixed-point number rounded to an 80-bit value; `rounding` as FCW.RC. */
export function roundToExtended(value: bigint, rounding: number): bigint {
  const negative = value < 0n;
  const magnitude = absolute(value);
  const bits = BigInt(magnitude.toString(2).length);
  const cut = bits - 64n;
  let significand = cut >= 0n ? magnitude >> cut : magnitude << -cut;
  const rest = cut > 0n ? magnitude - (significand << cut) : 0n;
  const up = rounding === 0 ? cut > 0n && rest >> (cut - 1n) === 1n : rest !== 0n && rounding === (negative ? 1 : 2);
  let exponent = bits - 1n - UNIT_BITS + 16383n;
  if (up) significand++;
  if (significand >> 64n) {
    significand >>= 1n;
    exponent++;
  }
  return (negative ? 1n << 79n : 0n) | (exponent << 64n) | significand;
}

/** What the tables of softfloat/constants.ts hold: fractions of 2^128. */
export const tables: Readonly<Record<string, (n: bigint) => bigint>> = {
  SINE: (n) => (1n << 128n) / factorial(2n * n + 3n),
  COSINE: (n) => (1n << 128n) / factorial(2n * n + 2n),
  ODD_RECIPROCALS: (n) => (1n << 128n) / (2n * n + 3n),
  EXPONENTIAL: (n) => (1n << 128n) / factorial(n + 2n),
  ARCTANGENTS: (n) => arctangent((n * ONE) / 16n) >> (UNIT_BITS - 128n),
};

/** What its constants stand for, fixed-point. */
export const constants: Readonly<Record<string, bigint>> = { LN_2, LOG2_E: divide(ONE, LN_2), PI, HALF_PI: PI / 2n };

/** A constant of 128 significant bits, truncated: exponent and the two words. */
export function quadOf(value: bigint): { exponent: number; high: bigint; low: bigint } {
  const bits = BigInt(value.toString(2).length);
  const significand = value >> (bits - 128n);
  return { exponent: Number(bits - 1n - UNIT_BITS), high: significand >> 64n, low: BigInt.asUintN(64, significand) };
}

function factorial(n: bigint): bigint {
  return n <= 1n ? 1n : n * factorial(n - 1n);
}
