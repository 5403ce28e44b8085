/**
 * Scenarios of what newer CPUs have and this one does not show (x86-64-v2 without AVX, BMI, XSAVE): encodings that must be
 * undefined, and those that fall back to an older meaning; and of encodings that vendors execute differently.
 */
import { expect } from 'vitest';
import { DATA, type Scenario } from './bench.ts';
import { FLAGS_BASE, FLAG_ZF, RAX, RBX, RCX } from './machine-state.ts';

const GP = 13;
const UD = 6;

export const hiddenScenarios: readonly Scenario[] = [
  {
    name: 'F3 0F BC and F3 0F BD (TZCNT, LZCNT) are BSF and BSR',
    covers: [],
    run(bench) {
      const forward = bench.run('f3 48 0f bc c3', { gpr: { [RBX]: 0x100n } });
      expect(forward.state.gpr[RAX]).toBe(8n);
      const backward = bench.run('f3 48 0f bd c3', { gpr: { [RBX]: 0x100n } });
      expect(backward.state.gpr[RAX], 'LZCNT would say 55').toBe(8n);
      for (const hex of ['f3 48 0f bc c3', 'f3 48 0f bd c3', 'f3 0f bc c3', '48 0f bc c3']) {
        const zero = bench.run(hex, { gpr: { [RBX]: 0n, [RAX]: 0x1234567890n } });
        expect(zero.state.gpr[RAX], `${hex}: destination unchanged for a zero source`).toBe(0x1234567890n);
        expect(zero.state.rflags & FLAG_ZF).toBe(FLAG_ZF);
      }
    },
  },
  {
    name: 'AVX, AVX-512 and XOP encodings are undefined',
    covers: [],
    run(bench) {
      const encodings = ['c5 f8 58 c1', 'c4 e2 71 00 c2', 'c5 f8 77', '62 f1 7c 48 58 c1', '8f e8 78 c0 c1 00', 'c5 fb 10 c1'];
      for (const hex of encodings) expect(bench.run(hex).fault, hex).toMatchObject({ vector: UD });
    },
  },
  {
    name: 'XSAVE, FSGSBASE, BMI, MOVBE, ADX, AES, CLMUL, SHA, RDPID, PKU, SMAP and MONITOR are undefined',
    covers: [],
    run(bench) {
      const encodings = [
        '0f 01 d0', // xgetbv
        '0f 01 d1',
        '0f ae 20', // xsave
        '48 0f ae 28', // xrstor64
        '0f ae 30', // xsaveopt
        '0f c7 20', // xsavec
        '0f c7 28',
        'f3 0f ae c0', // rdfsbase
        'f3 48 0f ae d3',
        '0f 38 f0 03', // movbe
        '0f 38 f1 03',
        '66 0f 38 f6 c1', // adcx
        'f3 0f 38 f6 c1',
        '66 0f 38 dc c1', // aesenc
        '66 0f 3a df c1 00',
        '66 0f 3a 44 c1 00', // pclmulqdq
        '0f 38 c8 c1', // sha1nexte
        '66 0f 38 cf c1', // gf2p8mulb
        'f3 0f c7 f8', // rdpid
        '0f 01 ee', // rdpkru
        '0f 01 ca', // clac
        '0f 01 cb',
        '0f 01 c8', // monitor
        '0f 01 c9',
        '0f 01 c1', // vmcall
        '0f 01 d9', // vmmcall
        '66 0f 38 82 03', // invpcid
        '0f 01 d5', // xend
        '0f aa', // rsm
        'f2 0f 79 c1', // insertq
        'f2 0f 2b 03', // movntsd
      ];
      const defined = encodings.filter((hex) => {
        const { fault, offset } = bench.run(hex, { gpr: { [RAX]: DATA, [RBX]: DATA } });
        return fault?.vector !== UD || offset !== 0;
      });
      expect(defined).toEqual([]);
    },
  },
  {
    name: 'hints that older CPUs ignore do nothing: endbr64, rdssp, cldemote, prefetch of any kind, with registers too',
    covers: ['0F 0D prefetchw Eb | 32 register'],
    run(bench) {
      for (const hex of [
        'f3 0f 1e fa',
        'f3 0f 1e c8',
        'f3 48 0f 1e c8',
        '0f 1c 03',
        '0f 0d 0b',
        '0f 0d c8',
        '0f 18 c8',
        '0f 1f c3',
        '0f 19 03',
        'f3 0f 1e fb',
      ]) {
        const ending = bench.run(hex, { gpr: { [RAX]: 0x1122334455667788n, [RBX]: 1n } });
        expect(ending.fault, hex).toMatchObject({ vector: GP });
        expect(ending.offset, hex).toBe(hex.split(' ').length);
        expect(ending.state.gpr[RAX], hex).toBe(0x1122334455667788n);
      }
    },
  },
  {
    name: 'bswap of 16 bits is undefined by the manual: it completes and leaves the rest of the register alone',
    covers: ['0F C8+R bswap Zv | 16 none'],
    run(bench) {
      const ending = bench.run('66 0f c9', { gpr: { [RCX]: 0x1122334455667788n } });
      expect(ending.fault).toMatchObject({ vector: GP });
      expect(ending.offset).toBe(3);
      expect((ending.state.gpr[RCX] ?? 0n) >> 16n).toBe(0x112233445566n);
    },
  },
  {
    name: 'movsxd with a 16-bit operand moves a word (Intel)',
    covers: ['63 movsxd Gv,Ed | 16 register', '63 movsxd Gv,Ed | 16 memory'],
    run(bench) {
      const ending = bench.run('66 63 c3', { gpr: { [RAX]: 0x1111222233334444n, [RBX]: 0xffff8765n } });
      expect(ending.state.gpr[RAX]).toBe(0x1111222233338765n);
      bench.poke(DATA, [0x21, 0x43]);
      const memory = bench.run('66 63 03', { gpr: { [RAX]: 0x1111222233334444n, [RBX]: DATA } });
      expect(memory.state.gpr[RAX]).toBe(0x1111222233334321n);
    },
  },
  {
    name: 'flags of instructions that have none stay as they were',
    covers: [],
    run(bench) {
      for (const hex of ['0f 1f 00', 'f3 90', '0f ae f8', '48 89 d8', '48 8d 03', '86 c3', '0f c8', '48 98', '48 99', '48 f7 d0']) {
        for (const rflags of [FLAGS_BASE, FLAGS_BASE | 0x8d5]) {
          expect(bench.run(hex, { rflags, gpr: { [RAX]: DATA, [RBX]: DATA } }).state.rflags, hex).toBe(rflags);
        }
      }
    },
  },
  {
    name: 'a lock prefix on what cannot be locked is undefined, before any access is made',
    covers: [],
    run(bench) {
      for (const hex of [
        'f0 0f c7 f1',
        'f0 0f 1f 03',
        'f0 f4',
        'f0 0f 05',
        'f0 cc',
        'f0 48 8b 03',
        'f0 0f 38 00 03',
        'f0 d8 03',
        'f0 a4',
        'f0 66 0f 6f 03',
      ]) {
        const ending = bench.run(hex, { gpr: { [RBX]: 0x8000_0000_0000n } });
        expect(ending.fault, hex).toMatchObject({ vector: UD });
        expect(ending.offset, hex).toBe(0);
      }
    },
  },
];
