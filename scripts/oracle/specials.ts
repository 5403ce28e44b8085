/**
 * Hand-written encodings that no form of the table describes: prefixes in odd orders and numbers, LOCK where it may not be,
 * opcodes that 64-bit mode does not have, instructions that run into a page that is not there.
 */
import { CODE_ADDRESS, CODE_PAGES, D0, D1 } from '../../src/engine/cpu/testing/address-map.ts';
import { R12, R13, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from '../../src/engine/cpu/testing/machine-state.ts';
import { Random } from '../../src/engine/cpu/testing/random.ts';
import type { SlotAllocator } from './cases.ts';
import type { KeyedDrafts } from './generate.ts';

interface Special {
  readonly name: string;
  /** Hex bytes of each encoding. */
  readonly codes: readonly string[];
  readonly registers?: readonly (readonly [register: number, value: bigint])[];
  /** Address of the code; absent = any slot. */
  readonly address?: number;
  readonly undefinedFlags?: number;
}

const DATA = BigInt(D0 + 0x840);
const AF = 0x10;

const invalidOpcodes = [
  '06',
  '07',
  '0e',
  '16',
  '17',
  '1e',
  '1f',
  '27',
  '2f',
  '37',
  '3f',
  '60',
  '61',
  '82 c0 01',
  '9a',
  'ce',
  'd4 0a',
  'd5 0a',
  'd6',
  'ea',
];
const invalidTwoByte = [
  '0f 04',
  '0f 0a',
  '0f 0c',
  '0f 24 c0',
  '0f 25 c0',
  '0f 26 c0',
  '0f 27 c0',
  '0f 36',
  '0f 39',
  '0f 3b',
  '0f a6 c0',
  '0f a7 c0',
];
const invalidGroups = [
  'fe d0',
  'fe e0',
  'fe f8',
  'ff f8',
  'ff ff',
  'c6 c8',
  'c7 d0',
  '0f ba c0 01',
  '0f ba d8 01',
  '0f c7 c0',
  '0f c7 d8',
  '0f ae c0',
];

const specials: readonly Special[] = [
  { name: 'opcodes that 64-bit mode does not have', codes: invalidOpcodes },
  { name: 'two-byte opcodes that do not exist', codes: invalidTwoByte },
  { name: 'holes of opcode groups', codes: invalidGroups },
  { name: 'lock on a register destination', codes: ['f0 01 d8', 'f0 48 ff c0', 'f0 0f b1 d9', 'f0 0f ab c8', 'f0 86 c1'] },
  {
    name: 'lock on what cannot be locked',
    codes: [
      'f0 8b 03',
      'f0 39 03',
      'f0 03 03',
      'f0 90',
      'f0 0f a3 03',
      'f0 85 03',
      'f0 8d 03',
      'f0 69 03 01 00 00 00',
      'f0 c3',
      'f0 0f 58 03',
    ],
    registers: [[RBX, DATA]],
  },
  {
    name: 'lock with other prefixes',
    codes: ['f0 66 01 0b', '66 f0 01 0b', 'f0 48 01 0b', 'f2 f0 01 0b', 'f3 f0 0f b1 0b', '3e f0 48 0f b1 0b'],
    registers: [[RBX, DATA]],
  },
  {
    name: 'fifteen bytes',
    codes: [`${'66 '.repeat(14)}90`, `${'2e '.repeat(12)}48 01 d8`, `${'3e '.repeat(4)}48 81 84 cb 00 00 00 00 11 22`],
  },
  { name: 'more than fifteen bytes', codes: [`${'66 '.repeat(15)}90`, `${'2e '.repeat(13)}48 01 d8`, `${'66 '.repeat(16)}90`] },
  { name: 'rex before a legacy prefix is ignored', codes: ['48 66 01 d8', '41 f3 90', '4c 2e 89 d8', '48 3e 01 d8'] },
  { name: 'the last of several rex prefixes counts', codes: ['48 41 01 d8', '41 48 01 d8', '4f 40 01 d8', '40 48 89 c3'] },
  {
    name: 'rex.w beats the operand-size prefix',
    codes: ['66 48 01 d8', '66 48 b8 11 22 33 44 55 66 77 88', '66 48 f7 d8', '66 48 0f b6 c1'],
  },
  {
    name: 'repeat prefixes that mean nothing',
    codes: ['f3 01 d8', 'f2 01 d8', 'f3 48 89 d8', 'f2 0f b6 c1', 'f3 f2 01 d8', 'f3 66 01 d8', 'f2 50'],
    registers: [[RSP, BigInt(D1 + 0x100)]],
  },
  {
    name: 'segment prefixes that mean nothing',
    codes: ['2e 01 d8', '36 8b 03', '3e 8b 03', '26 8b 03', '2e 48 03 03'],
    registers: [[RBX, DATA]],
  },
  {
    name: 'the last of several segment prefixes counts',
    codes: ['65 64 8b 03', '65 64 2e 8b 03', '64 67 8b 03'],
    registers: [[RBX, 0x234n]],
  },
  {
    name: 'the last of several segment prefixes counts, GS',
    codes: ['64 65 8b 03', '64 2e 65 8b 03', '65 67 8b 03'],
    registers: [[RBX, 0x400010f8n]],
  },
  { name: 'hints on branches', codes: ['2e 74 05', '3e 75 05', 'f2 eb 03', '2e 0f 84 04 00 00 00', '3e eb 02'] },
  { name: 'repeat ret', codes: ['f3 c3', 'f2 c3', 'f3 c2 10 00'], registers: [[RSP, BigInt(D0 + 0x900)]] },
  {
    name: 'long nops',
    codes: [
      '66 90',
      '0f 1f 00',
      '0f 1f 40 00',
      '0f 1f 44 00 00',
      '66 0f 1f 44 00 00',
      '0f 1f 80 00 00 00 00',
      '0f 1f 84 00 00 00 00 00',
      '66 2e 0f 1f 84 00 00 00 00 00',
      '66 66 2e 0f 1f 84 00 00 00 00 00',
      'f3 0f 1e fa',
      'f3 0f 1e fb',
      'f3 48 0f 1e c8',
      '48 0f 1f c0',
    ],
  },
  { name: 'xchg with itself', codes: ['90', '48 90', '41 90', '49 90', '66 41 90', '87 c0', '48 87 c0', 'f2 90'] },
  {
    name: 'scaled index without an index',
    codes: ['8b 04 23', '8b 04 63', '8b 04 e3', '41 8b 04 e4', '8b 44 63 10', '8b 84 63 10 00 00 00', '42 8b 04 23', '42 8b 04 63'],
    registers: [
      [RBX, DATA],
      [R12, DATA],
    ],
  },
  {
    name: 'bases that need a displacement or a SIB',
    codes: [
      '8b 45 00',
      '41 8b 45 00',
      '8b 04 24',
      '41 8b 04 24',
      '41 8b 44 24 7f',
      '41 8b 85 00 ff ff ff',
      '8b 44 25 80',
      '43 8b 44 25 00',
    ],
    registers: [
      [RBP, DATA],
      [RSP, DATA],
      [R12, DATA],
      [R13, DATA],
    ],
  },
  {
    name: 'push and pop of rsp',
    codes: ['54', '5c', 'ff 34 24', '8f 04 24', '8f 44 24 08', 'ff 74 24 f8', '66 54', '66 5c'],
    registers: [[RSP, BigInt(D0 + 0xa00)]],
  },
  {
    name: 'exchange with memory at rsp',
    codes: ['48 87 04 24', '48 87 24 24', '48 89 24 24', '48 03 24 24'],
    registers: [[RSP, BigInt(D0 + 0xa00)]],
  },
  {
    name: 'high bytes beside their registers',
    codes: [
      '00 e0',
      '00 c4',
      '88 e0',
      '86 e0',
      '28 fb',
      '0f b6 c4',
      '0f be d7',
      'c0 e4 03',
      '0f c0 e0',
      '0f b0 e4',
      '40 00 e0',
      '40 88 f7',
    ],
    undefinedFlags: AF | 0x800,
  },
  {
    name: 'destination that is also the base',
    codes: ['48 8b 1b', '48 03 1b', '8a 1b', '48 0f b1 1b', '48 0f c1 1b', '48 87 1b', '48 8d 1b', '8b 1c 1b'],
    registers: [[RBX, DATA]],
  },
  {
    name: 'zero idioms and the like',
    codes: ['31 c0', '48 31 c0', '29 c0', '19 c0', '48 19 db', '30 e4', '85 c0', '83 c8 ff', '83 e0 00'],
    undefinedFlags: AF,
  },
  {
    name: 'a 32-bit write clears the upper half',
    codes: ['89 c0', '01 c3', 'ff c1', 'f7 d2', 'd1 e6', '0f c8', '0f 44 c3', '0f 45 c3', '63 c1', '87 d1', '0f c1 ca'],
    undefinedFlags: AF,
  },
  {
    name: 'segment bases that wrap around',
    codes: ['64 8b 03', '65 8b 03', '67 65 8b 03', '67 64 8b 03', '65 48 a1 00 18 00 40 00 00 00 00'],
    registers: [[RBX, 0x400010f8n]],
  },
  { name: 'instruction that runs into a missing page', codes: ['48 05'], address: CODE_ADDRESS + CODE_PAGES * 4096 - 2 },
  {
    name: 'counts that are masked',
    codes: [
      'c1 e0 20',
      'c1 e8 40',
      '48 c1 e0 40',
      'c0 c0 20',
      'd3 e0',
      '66 c1 e0 20',
      'c0 d0 09',
      '66 c1 d8 11',
      'c0 d8 12',
      '66 c1 d0 22',
    ],
    registers: [[RCX, 0x60n]],
    undefinedFlags: AF | 0x800,
  },
  {
    name: 'string operations with a count of zero',
    codes: ['f3 a4', 'f3 48 a5', 'f3 aa', 'f3 ac', 'f3 a6', 'f2 ae', '67 f3 a4'],
    registers: [
      [RCX, 0n],
      [RSI, 0n],
      [RDI, 0n],
    ],
  },
  {
    name: 'string operations whose 32-bit count is zero',
    codes: ['67 f3 a4', '67 f3 ab', '67 f2 af'],
    registers: [
      [RCX, 0x1200000000n],
      [RSI, 0n],
      [RDI, 0n],
    ],
  },
  {
    name: 'jecxz and loops with a 32-bit counter',
    codes: ['67 e3 04', '67 e2 04', '67 e1 04', '67 e0 04'],
    registers: [[RCX, 0xffff00000000n]],
  },
  {
    name: 'division by zero and overflow',
    codes: ['f7 f3', '48 f7 fb', 'f6 f3', '66 f7 f3'],
    registers: [[RBX, 0n]],
    undefinedFlags: 0x8d5,
  },
  {
    name: 'the most negative number divided by minus one',
    codes: ['48 f7 fb', 'f7 fb', '66 f7 fb'],
    registers: [
      [RAX, 0x8000000080008000n],
      [RDX, 0xffffffffffffffffn],
      [RBX, 0xffffffffffffffffn],
    ],
    undefinedFlags: 0x8d5,
  },
];

export function draftSpecials(slots: SlotAllocator): KeyedDrafts[] {
  const random = new Random(0x73706563);
  return specials.map((special) => ({
    key: `special: ${special.name}`,
    encodings: special.codes.map((text) => ({
      address: special.address ?? slots.take(random),
      code: Uint8Array.from(text.trim().split(/\s+/), (byte) => parseInt(byte, 16)),
      cases: [0, 1, 2].map(() => ({
        seed: random.u32(),
        flavour: 'int64' as const,
        overrides: (special.registers ?? []).map(([register, value]) => ({ register, value })),
        patches: [],
        ignored: [],
        undefinedFlags: special.undefinedFlags ?? 0,
        undefinedStatus: 0,
      })),
    })),
  }));
}
