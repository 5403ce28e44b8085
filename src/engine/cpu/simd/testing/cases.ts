/**
 * Which vector instructions are compared with a real CPU, and on what: floating point under every kind of MXCSR with operands at
 * the edges of the formats, and the integer instructions whose semantics are intricate. Cases are made from a seed, so that only
 * outcomes need be stored. RCP and RSQRT are approximations that differ between processors and are not here.
 */
import { mmxRows } from '../../table/mmx.ts';
import type { Row } from '../../table/row.ts';
import { sseRows } from '../../table/sse.ts';
import { sse4Rows } from '../../table/sse4.ts';
import * as record from './record.ts';

export interface Case {
  readonly row: Row;
  readonly immediate: number;
  readonly before: Uint8Array;
}

/** How the 128-bit operands of an instruction are filled. */
type Filling = 'single' | 'double' | 'integer' | 'text';

/** ModRM: XMM2 or MM2's number would be wrong for implicit XMM0, so BLENDV takes XMM2 and XMM1, all others XMM0 (RAX) and XMM1 (RCX). */
const MODRM = 0xc1;
const MODRM_BESIDE_XMM0 = 0xd1;

const FLOATING =
  /^(add|sub|mul|div|min|max|sqrt|cmp|hadd|hsub|addsub|round|dp|u?comi|cvt.*[2](ss|sd|ps|pd|si|dq|pi))(ps|pd|ss|sd)?$/;
const SINGLE = /(ps|ss)$|^cvtt?(ps|ss)2/;
const INTEGER_SOURCE = /^cvt(si|dq|pi)2/;
const TEXT = /^pcmp[ei]str/;
const INTRICATE =
  /^(mpsadbw|phminposuw|crc32|ptest|insertps|p?blend|psign|pmulhrsw|pmaddubsw|pmaddwd|psadbw|pshuf|palignr|phadd|phsub|packus|packss|pinsr|pextr|extractps|movq2dq|movdq2q|emms|psll|psrl|psra|pmul|movhlps|movlhps|punpck|movs[sdlh]|movddup|movmsk|pmovmskb)/;

export function seededRandom(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

type Random = () => number;

const pick = <T>(random: Random, values: readonly T[]): T => {
  const value = values[random() % values.length];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
};

const SINGLE_EDGES = [
  0x00000000, 0x00000001, 0x00000002, 0x007fffff, 0x00400000, 0x00800000, 0x00800001, 0x00ffffff, 0x01000000, 0x3f000000,
  0x3effffff, 0x3f000001, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fc00000, 0x40000000, 0x40200000, 0x4effffff, 0x4f000000,
  0x4f7fffff, 0x5effffff, 0x5f000000, 0x7e7fffff, 0x7e800000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fbfffff, 0x7fc00000,
  0x7fc12345, 0x7fffffff, 0x33000000, 0x33800001, 0x4b000001, 0x4b7fffff, 0x4a800001,
] as const;

const DOUBLE_EDGES = [
  0x0000000000000000n,
  0x0000000000000001n,
  0x000fffffffffffffn,
  0x0008000000000000n,
  0x0010000000000000n,
  0x0010000000000001n,
  0x001fffffffffffffn,
  0x3fe0000000000000n,
  0x3fdfffffffffffffn,
  0x3fefffffffffffffn,
  0x3ff0000000000000n,
  0x3ff0000000000001n,
  0x3ff8000000000000n,
  0x4000000000000000n,
  0x4004000000000000n,
  0x41dfffffffc00000n,
  0x41dfffffffe00000n,
  0x41e0000000000000n,
  0xc1e0000000200000n,
  0x43dfffffffffffffn,
  0x43e0000000000000n,
  0x4330000000000001n,
  0x4320000000000001n,
  0x47efffffe0000000n,
  0x47efffffefffffffn,
  0x47effffff0000000n,
  0x380fffffe0000000n,
  0x380fffffffffffffn,
  0x3810000000000000n,
  0x36a0000000000000n,
  0x3690000000000000n,
  0x3690000000000001n,
  0x7fdfffffffffffffn,
  0x7fe0000000000000n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  0x7ff0000000000001n,
  0x7ff7ffffffffffffn,
  0x7ff8000000000000n,
  0x7ff8000012345678n,
  0x7fffffffffffffffn,
] as const;

function single(random: Random): number {
  const sign = (random() & 1) << 31;
  switch (random() % 5) {
    case 0:
    case 1:
      return (pick(random, SINGLE_EDGES) | sign) >>> 0;
    case 2:
      return random();
    case 3:
      // A small integer, so that results are often exact.
      return new Uint32Array(new Float32Array([((random() % 2048) - 1024) / 2]).buffer)[0] ?? 0;
    default:
      return (((112 + (random() % 32)) << 23) | (random() & 0x7fffff) | sign) >>> 0;
  }
}

function double(random: Random): bigint {
  const sign = BigInt(random() & 1) << 63n;
  const bits = (BigInt(random()) << 32n) | BigInt(random());
  switch (random() % 5) {
    case 0:
    case 1:
      return pick(random, DOUBLE_EDGES) | sign;
    case 2:
      return bits;
    case 3:
      return new BigUint64Array(new Float64Array([((random() % 65536) - 32768) / 4]).buffer)[0] ?? 0n;
    default:
      return (BigInt(1000 + (random() % 64)) << 52n) | (bits & 0xfffffffffffffn) | sign;
  }
}

/** MXCSR: usually the default with the inexact flag up or not; else anything, with mostly masked exceptions. */
function mxcsr(random: Random): number {
  switch (random() % 8) {
    case 0:
    case 1:
      return 0x1f80;
    case 2:
    case 3:
      return 0x1fa0;
    case 4:
      return 0x1f80 | ((random() & 3) << 13);
    case 5:
      return 0x1f80 | ((random() & 3) << 13) | (random() & 0x8040);
    case 6:
      return 0x1f80 ^ (0x80 << (random() % 6));
    default:
      return random() & 0xffff;
  }
}

function fill(view: DataView, at: number, filling: Filling, random: Random, alphabet: number): void {
  if (filling === 'single') for (let i = 0; i < 16; i += 4) view.setUint32(at + i, single(random), true);
  else if (filling === 'double') for (let i = 0; i < 16; i += 8) view.setBigUint64(at + i, double(random), true);
  else if (filling === 'text')
    for (let i = 0; i < 16; i++) view.setUint8(at + i, random() % alphabet ? random() % alphabet : random() & 0x81);
  else {
    const edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x80000000, 0x7fffffff, 0xffffffff];
    for (let i = 0; i < 16; i += 4) view.setUint32(at + i, random() % 3 ? random() : pick(random, edges), true);
  }
}

const PREFIX_BYTES: Record<string, number> = { '66': 0x66, F3: 0xf3, F2: 0xf2 };

function encode(row: Row, immediate: number, operandSize16: boolean): number[] {
  const bytes: number[] = [];
  if (operandSize16) bytes.push(0x66);
  const prefix = PREFIX_BYTES[row.prefix ?? 'np'];
  if (prefix !== undefined) bytes.push(prefix);
  if (row.rexw === 1) bytes.push(0x48);
  bytes.push(...row.opcode.split(' ').map((byte) => Number.parseInt(byte, 16)));
  if (row.operands !== '') {
    const modrm = /blendv/.test(row.mnemonic) ? MODRM_BESIDE_XMM0 : MODRM;
    // An instruction of a group works on register 1.
    bytes.push(row.extension === undefined ? modrm : 0xc1 | (row.extension << 3));
  }
  if (row.operands.endsWith('Ib')) bytes.push(immediate);
  return bytes;
}

function fillingOf(row: Row): Filling {
  if (TEXT.test(row.mnemonic)) return 'text';
  if (!FLOATING.test(row.mnemonic) || INTEGER_SOURCE.test(row.mnemonic)) return 'integer';
  return SINGLE.test(row.mnemonic) ? 'single' : 'double';
}

/** The rows compared, with how many cases each gets. */
export function rowsCompared(): { row: Row; count: number }[] {
  const rows = [...mmxRows, ...sseRows, ...sse4Rows].filter(({ mod }) => mod !== 'memory');
  return rows.flatMap((row) => {
    if (TEXT.test(row.mnemonic)) return [{ row, count: 600 }];
    if (FLOATING.test(row.mnemonic)) return [{ row, count: row.mnemonic.startsWith('cmp') ? 250 : 160 }];
    if (INTRICATE.test(row.mnemonic)) return [{ row, count: row.operands.endsWith('Ib') ? 40 : 20 }];
    return [];
  });
}

/** All cases; `scale` multiplies their number. */
export function* vectorCases(seed: number, scale: number): Generator<Case> {
  for (const [number, { row, count }] of rowsCompared().entries()) {
    const random = seededRandom(seed * 1000003 + number);
    const filling = fillingOf(row);
    for (let n = 0; n < count * scale; n++) {
      const before = new Uint8Array(record.RECORD_BYTES);
      const view = new DataView(before.buffer);
      const immediate = random() & (random() % 2 ? 0xff : 0x1f);
      const alphabet = 2 + (random() % 6);
      for (let register = 0; register < 3; register++) fill(view, record.RECORD_XMM + 16 * register, filling, random, alphabet);
      if (filling === 'integer') fill(view, record.RECORD_MM, filling, random, alphabet);
      // Shift counts and lengths are interesting when small.
      if (/^ps[rl][lra]/.test(row.mnemonic) && random() % 4) {
        view.setBigUint64(record.RECORD_XMM + 16, BigInt(random() % 70), true);
        view.setBigUint64(record.RECORD_MM + 8, BigInt(random() % 70), true);
      }
      view.setUint16(record.RECORD_EXPONENT, record.EXPONENT_BEFORE, true);
      view.setUint8(record.RECORD_TOP, random() & 7);
      view.setUint8(record.RECORD_TAGS, random() & 0xff);
      view.setUint32(record.RECORD_MXCSR, mxcsr(random), true);
      for (const register of [record.RECORD_RAX, record.RECORD_RCX, record.RECORD_RDX]) {
        const small = BigInt.asUintN(64, BigInt((random() % 41) - 20));
        const wide = (BigInt(random()) << 32n) | BigInt(random());
        view.setBigUint64(
          register,
          filling === 'text' && random() % 8 ? small : random() % 2 ? wide : BigInt.asUintN(64, BigInt(random() | 0)),
          true,
        );
      }
      view.setUint32(record.RECORD_FLAGS, random() & 0x8d5, true);
      const code = encode(row, immediate, row.mnemonic === 'crc32' && row.operands.endsWith('Ev') && n % 2 === 1);
      view.setUint8(record.RECORD_CODE_LENGTH, code.length);
      before.set(code, record.RECORD_CODE);
      yield { row, immediate, before };
    }
  }
}
