/** Scenarios of system instructions on a CPU without hypervisor. @sdm Vol. 2, Vol. 3A chapters 2, 5 and 6 */
import { expect } from 'vitest';
import {
  EXIT_BUDGET,
  EXIT_EXCEPTION,
  VCPU_FS_BASE,
  VCPU_GDT_BASE,
  VCPU_GDT_LIMIT,
  VCPU_GS_BASE,
  VCPU_ID,
  VCPU_LDTR,
  VCPU_LDT_BASE,
  VCPU_LDT_LIMIT,
  VCPU_SELECTORS,
} from '../layout.ts';
import { type Bench, DATA, DATA_END, STACK, type Scenario } from './bench.ts';
import { ARITHMETIC_FLAGS, FLAGS_BASE, FLAG_CF, FLAG_ZF, RAX, RBX, RCX, RDX, RSP } from './machine-state.ts';

const GP = 13;
const UD = 6;

/** The exception vector, error code and place that an encoding ends with. */
function ends(
  bench: Bench,
  hex: string,
  vector: number,
  error = 0,
  offset = 0,
  user = true,
  gpr: Record<number, bigint> = {},
): void {
  const ending = bench.run(hex, { user, gpr });
  expect(ending.exit, hex).toBe(EXIT_EXCEPTION);
  expect(ending.fault, hex).toMatchObject({ vector, error });
  expect(ending.offset, hex).toBe(offset);
}

/** Leaves RAX alone and comes to the HLT behind `length` bytes. */
function completes(bench: Bench, hex: string, gpr: Record<number, bigint> = {}): ReturnType<Bench['run']> {
  const ending = bench.run(hex, { gpr });
  expect(ending.fault, hex).toMatchObject({ vector: GP, error: 0 });
  expect(ending.offset, hex).toBe(hex.trim().split(/\s+/).length);
  return ending;
}

export const systemScenarios: readonly Scenario[] = [
  {
    name: 'what needs privilege is #GP(0) in both modes and changes nothing',
    covers: ['0F 07 sysret', '0F 34 sysenter', '0F 35 sysexit', 'F4 hlt'],
    run(bench) {
      for (const user of [true, false]) {
        for (const hex of [
          '0f 07',
          '48 0f 07',
          '0f 34',
          '0f 35',
          'f4',
          '0f 01 f8',
          '0f 32',
          '0f 30',
          'fa',
          'fb',
          '0f 22 d8',
          '0f 20 d8',
        ]) {
          const ending = bench.run(hex, { user, gpr: { [RAX]: 0x1122334455667788n, [RCX]: 5n } });
          expect(ending.fault, hex).toEqual({ vector: GP, error: 0, address: 0n });
          expect(ending.offset, hex).toBe(0);
          expect(ending.state.gpr[RAX], hex).toBe(0x1122334455667788n);
          expect(ending.state.rflags, hex).toBe(FLAGS_BASE);
        }
      }
    },
  },
  {
    name: 'syscall without a host is an undefined opcode at its own address',
    covers: ['0F 05 syscall'],
    run(bench) {
      const ending = bench.run('0f 05', { gpr: { [RCX]: 1n, 11: 2n } });
      expect(ending.fault).toMatchObject({ vector: UD });
      expect(ending.offset).toBe(0);
      expect(ending.state.gpr[RCX]).toBe(1n);
      expect(ending.state.gpr[11]).toBe(2n);
    },
  },
  {
    name: 'int3 and int1 are traps: RIP is behind them',
    covers: ['CC int3', 'F1 int1'],
    run(bench) {
      ends(bench, 'cc', 3, 0, 1);
      ends(bench, 'f1', 1, 0, 1);
      ends(bench, '90 cc 90', 3, 0, 2);
      ends(bench, 'f3 cc', 3, 0, 2);
    },
  },
  {
    name: 'int n reports its vector at its own address, for the host to look into the table',
    covers: ['CD int Ib'],
    run(bench) {
      for (const vector of [0x80, 0x20, 3, 0xff]) {
        const ending = bench.run(`cd ${vector.toString(16)}`);
        expect(ending.exit).toBe(EXIT_EXCEPTION);
        expect(ending.fault?.vector).toBe(vector);
        expect(ending.offset).toBe(0);
        expect(ending.state.gpr[RSP]).toBe(STACK);
      }
    },
  },
  {
    name: 'iretq returns to the frame on the stack and keeps IF and IOPL',
    covers: ['CF iret v'],
    run(bench) {
      const target = bench.place('90');
      useCodeSelector(bench);
      bench.poke64(STACK, target, CODE_SELECTOR, BigInt(0x3000 | ARITHMETIC_FLAGS | 2), DATA + 0x100n, 0x2bn);
      const ending = bench.run('48 cf');
      expect(ending.fault).toMatchObject({ vector: GP });
      expect(ending.state.rip).toBe(target + 1n);
      expect(ending.state.gpr[RSP]).toBe(DATA + 0x100n);
      expect(ending.state.rflags).toBe(FLAGS_BASE | ARITHMETIC_FLAGS);
      // CS and SS as on the stack
      const { fixture } = bench;
      expect(fixture.view.getUint16(fixture.cpu + VCPU_SELECTORS + 2, true)).toBe(Number(CODE_SELECTOR));
      expect(fixture.view.getUint16(fixture.cpu + VCPU_SELECTORS + 4, true)).toBe(0x2b);
    },
  },
  {
    name: 'iretq faults leave the stack pointer: bad RIP, bad selector, stack not mapped or not canonical',
    covers: ['CF iret v'],
    run(bench) {
      const frame = (rip: bigint, cs: bigint, ss: bigint): void => {
        bench.poke64(STACK, rip, cs, 0x202n, DATA, ss);
      };
      useCodeSelector(bench);
      frame(0x8000_0000_0000n, CODE_SELECTOR, 0x2bn);
      ends(bench, '48 cf', GP, 0);
      frame(DATA, 0x30n, 0x2bn);
      ends(bench, '48 cf', GP, 0x30);
      // without a descriptor table there is no other code segment
      frame(DATA, 0x3bn, 0x2bn);
      ends(bench, '48 cf', GP, 0x38);
      const missing = bench.run('48 cf', { gpr: { [RSP]: DATA_END } });
      expect(missing.fault).toEqual({ vector: 14, error: 4, address: DATA_END });
      expect(missing.state.gpr[RSP]).toBe(DATA_END);
      ends(bench, '48 cf', 12, 0, 0, true, { [RSP]: 0x8000_0000_0000_0000n });
      // with a 16- or 32-bit frame the host decides
      ends(bench, 'cf', GP);
      ends(bench, '66 cf', GP);
    },
  },
  {
    name: 'cpuid answers out of the table of leaves',
    covers: ['0F A2 cpuid'],
    run(bench) {
      bench.fixture.setCpuid([
        [0, 0xffffffff, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69],
        [1, 0xffffffff, 0x106a5, 0x00010800, 0x9ce3fd, 0x178bfbff],
        [4, 0, 0x11, 0x12, 0x13, 0x14],
        [4, 1, 0x21, 0x22, 0x23, 0x24],
        [0xd, 0xffffffff, 0xd1, 0xd2, 0xd3, 0xd4],
        [0x40000000, 0xffffffff, 0x40000005, 0x566e6558, 0x65584d4d, 0x4d4d566e],
      ]);
      const ask = (leaf: bigint, subleaf: bigint): (bigint | undefined)[] => {
        const { gpr } = completes(bench, '0f a2', { [RAX]: leaf, [RCX]: subleaf, [RBX]: -1n, [RDX]: -1n }).state;
        return [gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX]];
      };
      expect(ask(0n, 0n)).toEqual([0xdn, 0x756e6547n, 0x6c65746en, 0x49656e69n]);
      // the upper halves of EAX and ECX do not matter, those of the results are cleared
      expect(ask(0xffffffff00000000n, 0x1234567800000007n)).toEqual([0xdn, 0x756e6547n, 0x6c65746en, 0x49656e69n]);
      expect(ask(4n, 0n)).toEqual([0x11n, 0x12n, 0x13n, 0x14n]);
      expect(ask(4n, 1n)).toEqual([0x21n, 0x22n, 0x23n, 0x24n]);
      expect(ask(4n, 2n)).toEqual([0n, 0n, 0n, 0n]);
      expect(ask(0x40000000n, 0n)[1]).toBe(0x566e6558n);
      // a leaf above the highest basic one is answered as that one; a missing one below it is zero
      expect(ask(0x20n, 0n)).toEqual([0xd1n, 0xd2n, 0xd3n, 0xd4n]);
      expect(ask(7n, 0n)).toEqual([0n, 0n, 0n, 0n]);
      expect(ask(0x80000000n, 0n)).toEqual([0n, 0n, 0n, 0n]);
    },
  },
  {
    name: 'rdtsc reads the machine clock, rdtscp also the number of the vCPU',
    covers: ['0F 31 rdtsc', '0F 01 /7 r rm=1 rdtscp'],
    run(bench) {
      const { fixture } = bench;
      fixture.inputs.nowNs = 0x12_3456_789a;
      const plain = completes(bench, '0f 31', { [RAX]: -1n, [RDX]: -1n, [RCX]: 77n }).state.gpr;
      expect([plain[RAX], plain[RDX], plain[RCX]]).toEqual([0x3456789an, 0x12n, 77n]);
      fixture.inputs.nowNs += 1000;
      fixture.setU32(fixture.cpu + VCPU_ID, 0);
      const paired = completes(bench, '0f 01 f9', { [RAX]: -1n, [RDX]: -1n, [RCX]: -1n }).state.gpr;
      expect([paired[RAX], paired[RDX], paired[RCX]]).toEqual([0x34567c82n, 0x12n, 0n]);
    },
  },
  {
    name: 'rdrand and rdseed deliver entropy at every size with CF set and the other flags clear',
    covers: ['np: 0F C7 /6 r rdrand Rv', '66: 0F C7 /6 r rdrand Rv', 'np: 0F C7 /7 r rdseed Rv', '66: 0F C7 /7 r rdseed Rv'],
    run(bench) {
      bench.fixture.inputs.entropy = 0xa5c3e187;
      for (const modrm of ['f1', 'f9']) {
        const run = (prefix: string): ReturnType<Bench['run']> => {
          const hex = `${prefix} 0f c7 ${modrm}`.trim();
          const ending = bench.run(hex, { gpr: { [RCX]: 0x1111_2222_3333_4444n }, rflags: FLAGS_BASE | ARITHMETIC_FLAGS });
          expect(ending.fault).toMatchObject({ vector: GP });
          expect(ending.state.rflags, hex).toBe(FLAGS_BASE | FLAG_CF);
          return ending;
        };
        expect(run('').state.gpr[RCX]).toBe(0xa5c3e187n);
        expect(run('48').state.gpr[RCX]).toBe(0xa5c3e187a5c3e187n);
        expect(run('66').state.gpr[RCX]).toBe(0x1111_2222_3333_e187n);
      }
      // with a memory operand these are VMPTRLD, VMPTRST and the like: not there
      ends(bench, '0f c7 30', UD, 0, 0, true, { [RAX]: DATA });
    },
  },
  {
    name: 'lar, lsl, verr and verw clear ZF and change nothing else for a selector outside the tables',
    covers: ['0F 02 lar Gv,Ew', '0F 03 lsl Gv,Ew', '0F 00 /4 verr Ew', '0F 00 /5 verw Ew'],
    run(bench) {
      for (const hex of ['0f 02 c8', '48 0f 02 c8', '66 0f 03 c8', '0f 03 c8', '0f 00 e0', '0f 00 e8']) {
        for (const selector of [0n, 3n, 0x1234n, 0xfffbn]) {
          const ending = bench.run(hex, {
            gpr: { [RAX]: selector | 0xabcd0000n, [RCX]: 0x5555n },
            rflags: FLAGS_BASE | ARITHMETIC_FLAGS,
          });
          expect(ending.fault, hex).toMatchObject({ vector: GP });
          expect(ending.state.gpr[RCX], hex).toBe(0x5555n);
          expect(ending.state.rflags, hex).toBe((FLAGS_BASE | ARITHMETIC_FLAGS) & ~FLAG_ZF);
        }
      }
      // a selector in memory is two bytes, and a missing page is a page fault
      bench.poke(DATA, [0, 0]);
      completes(bench, '0f 02 08', { [RAX]: DATA });
      const missing = bench.run('0f 03 08', { gpr: { [RAX]: DATA_END - 1n } });
      expect(missing.fault).toEqual({ vector: 14, error: 4, address: DATA_END });
    },
  },
  {
    name: 'null selectors load into DS, ES, FS and GS; FS and GS lose their bases',
    covers: ['8E mov Sw,Ew'],
    run(bench) {
      const { fixture } = bench;
      const selector = (number: number): number => fixture.view.getUint16(fixture.cpu + VCPU_SELECTORS + 2 * number, true);
      fixture.setU64(fixture.cpu + VCPU_FS_BASE, 0x1000n);
      fixture.setU64(fixture.cpu + VCPU_GS_BASE, 0x2000n);
      completes(bench, '8e d8', { [RAX]: 3n });
      completes(bench, '8e c0', { [RAX]: 0xffff0000n });
      expect([selector(3), selector(0)]).toEqual([3, 0]);
      expect(fixture.getU64(fixture.cpu + VCPU_FS_BASE)).toBe(0x1000n);
      completes(bench, '8e e0', { [RAX]: 0n });
      completes(bench, '8e e8', { [RAX]: 2n });
      expect([selector(4), selector(5)]).toEqual([0, 2]);
      expect(fixture.getU64(fixture.cpu + VCPU_FS_BASE)).toBe(0n);
      expect(fixture.getU64(fixture.cpu + VCPU_GS_BASE)).toBe(0n);
      // from memory
      bench.poke(DATA, [1, 0, 0xff]);
      completes(bench, '8e 18', { [RAX]: DATA });
      expect(selector(3)).toBe(1);
    },
  },
  {
    name: 'segment loads that must fault: CS and numbers above 5, a null SS, a selector outside the tables',
    covers: ['8E mov Sw,Ew'],
    run(bench) {
      ends(bench, '8e c8', UD);
      ends(bench, '8e f0', UD);
      ends(bench, '8e f8', UD);
      ends(bench, '8e d0', GP, 0, 0, true, { [RAX]: 0n });
      ends(bench, '8e d8', GP, 0x1230, 0, true, { [RAX]: 0x1233n });
      ends(bench, '8e e0', GP, 0xfffc, 0, true, { [RAX]: 0xffffn });
      ends(bench, '8e 18', 14, 4, 0, true, { [RAX]: DATA_END });
    },
  },
  {
    name: 'storing segment registers: at the operand size into a register, two bytes into memory; numbers above 5 are undefined',
    covers: ['8C mov Ev,Sw'],
    run(bench) {
      expect(completes(bench, '8c c9', { [RCX]: -1n }).state.gpr[RCX]).toBe(0x33n);
      expect(completes(bench, '48 8c c9', { [RCX]: -1n }).state.gpr[RCX]).toBe(0x33n);
      expect(completes(bench, '66 8c c9', { [RCX]: -1n }).state.gpr[RCX]).toBe(0xffffffffffff0033n);
      bench.poke64(DATA, -1n);
      completes(bench, '48 8c 08', { [RAX]: DATA });
      expect(bench.peek64(DATA)).toBe(0xffffffffffff0033n);
      ends(bench, '8c f1', UD);
      ends(bench, '8c f9', UD);
    },
  },
  {
    name: 'descriptor-table registers and the machine status word, as user mode may read them',
    covers: ['0F 01 /0 m sgdt Mn', '0F 01 /1 m sidt Mn', '0F 01 /4 smsw Ev', '0F 00 /0 sldt Ev', '0F 00 /1 str Ev'],
    run(bench) {
      const { fixture } = bench;
      fixture.setU64(fixture.cpu + VCPU_GDT_BASE, 0xffff828000001000n);
      fixture.setU32(fixture.cpu + VCPU_GDT_LIMIT, 0x7f);
      fixture.view.setUint16(fixture.cpu + VCPU_LDTR, 0x68, true);
      bench.poke(DATA, new Array<number>(16).fill(0xee));
      completes(bench, '0f 01 00', { [RAX]: DATA });
      expect(bench.peek(DATA, 11)).toEqual([0x7f, 0, 0, 0x10, 0, 0, 0x80, 0x82, 0xff, 0xff, 0xee]);
      bench.poke(DATA, new Array<number>(16).fill(0xee));
      completes(bench, '0f 01 08', { [RAX]: DATA });
      expect(bench.peek(DATA + 10n, 1)).toEqual([0xee]);
      // the ten bytes run into the missing page: nothing is stored
      const crossing = bench.run('0f 01 00', { gpr: { [RAX]: DATA_END - 4n } });
      expect(crossing.fault).toEqual({ vector: 14, error: 6, address: DATA_END });
      const status = completes(bench, '48 0f 01 e1', { [RCX]: -1n }).state.gpr[RCX] ?? 0n;
      expect(status & 0x80000033n, 'PE, MP, ET, NE, PG').toBe(0x80000033n);
      expect(completes(bench, '66 0f 01 e1', { [RCX]: -1n }).state.gpr[RCX]).toBe(0xffffffffffff0000n | (status & 0xffffn));
      expect(completes(bench, '0f 00 c1', { [RCX]: -1n }).state.gpr[RCX]).toBe(0x68n);
      bench.poke64(DATA, -1n);
      completes(bench, '0f 00 08', { [RAX]: DATA });
      expect(bench.peek64(DATA) >> 16n, 'two bytes in memory').toBe(0xffffffffffffn);
      completes(bench, '0f 00 c9');
    },
  },
  {
    name: 'lar, lsl, verr and verw see the descriptors that privilege level 3 may use',
    covers: ['0F 02 lar Gv,Ew', '0F 03 lsl Gv,Ew', '0F 00 /4 verr Ew', '0F 00 /5 verw Ew'],
    run(bench) {
      useLdt(bench);
      for (const { selector, rights, limit, readable, writable } of LDT) {
        const ask = (hex: string): { zero: boolean; rcx: bigint } => {
          const { exit, state } = bench.run(`${hex} eb fe`, { gpr: { [RAX]: selector, [RCX]: 0x5555_5555_5555n }, budget: 20 });
          expect(exit, hex).toBe(EXIT_BUDGET);
          return { zero: (state.rflags & FLAG_ZF) !== 0, rcx: state.gpr[RCX] ?? 0n };
        };
        const name = `selector ${selector.toString(16)}`;
        expect(ask('0f 02 c8'), name).toEqual(
          rights === null ? { zero: false, rcx: 0x5555_5555_5555n } : { zero: true, rcx: rights },
        );
        expect(ask('0f 03 c8'), name).toEqual(
          limit === null ? { zero: false, rcx: 0x5555_5555_5555n } : { zero: true, rcx: limit },
        );
        expect(ask('0f 00 e0').zero, `${name} verr`).toBe(readable);
        expect(ask('0f 00 e8').zero, `${name} verw`).toBe(writable);
        if (rights !== null && limit !== null) {
          expect(ask('66 0f 02 c8').rcx, `${name} at 16 bits`).toBe(0x5555_5555_0000n | (rights & 0xffffn));
          expect(ask('48 0f 03 c8').rcx, `${name} at 64 bits`).toBe(limit);
        }
      }
    },
  },
  {
    name: 'segment registers load descriptors that fit: FS and GS take the base',
    covers: ['8E mov Sw,Ew'],
    run(bench) {
      const { fixture } = bench;
      useLdt(bench);
      const load = (hex: string, selector: bigint): void => {
        expect(bench.run(`${hex} eb fe`, { gpr: { [RAX]: selector }, budget: 20 }).exit, hex).toBe(EXIT_BUDGET);
      };
      load('8e e0', LDT_DATA);
      expect(fixture.getU64(fixture.cpu + VCPU_FS_BASE)).toBe(0x12345678n);
      load('8e e8', LDT_DATA);
      expect(fixture.getU64(fixture.cpu + VCPU_GS_BASE)).toBe(0x12345678n);
      load('8e d8', LDT_DATA);
      load('8e d0', LDT_DATA);
      load('8e c0', LDT_CODE);
      const selectors = [0, 2, 3, 4, 5].map((number) => fixture.view.getUint16(fixture.cpu + VCPU_SELECTORS + 2 * number, true));
      expect(selectors).toEqual([LDT_CODE, LDT_DATA, LDT_DATA, LDT_DATA, LDT_DATA].map(Number));
    },
  },
];

const LDT_DATA = 0x0fn;
const LDT_CODE = 0x17n;

/**
 * Entries of the local descriptor table, and what may be seen of each from privilege level 3. LAR shows no limit bits: the manual
 * leaves them open.
 */
const LDT: readonly {
  readonly selector: bigint;
  readonly descriptor: bigint;
  readonly rights: bigint | null;
  readonly limit: bigint | null;
  readonly readable: boolean;
  readonly writable: boolean;
}[] = [
  // writable data, base 0x12345678, limit in bytes
  { selector: LDT_DATA, descriptor: 0x1241_f234_5678_2fffn, rights: 0x40f200n, limit: 0x12fffn, readable: true, writable: true },
  // readable 32-bit code, limit in pages
  {
    selector: LDT_CODE,
    descriptor: 0x00cf_fa00_0000_ffffn,
    rights: 0xc0fa00n,
    limit: 0xffffffffn,
    readable: true,
    writable: false,
  },
  // execute-only code
  { selector: 0x1fn, descriptor: 0x00cf_f800_0000_ffffn, rights: 0xc0f800n, limit: 0xffffffffn, readable: false, writable: false },
  // read-only data
  { selector: 0x27n, descriptor: 0x0040_f000_0000_0010n, rights: 0x40f000n, limit: 0x10n, readable: true, writable: false },
  // writable data of privilege level 0
  { selector: 0x2fn, descriptor: 0x00cf_9200_0000_ffffn, rights: null, limit: null, readable: false, writable: false },
  // conforming code of privilege level 0
  { selector: 0x37n, descriptor: 0x00cf_9e00_0000_ffffn, rights: 0xc09e00n, limit: 0xffffffffn, readable: true, writable: false },
  // a gate: a system descriptor without a limit
  { selector: 0x3fn, descriptor: 0x0000_ec00_0000_0000n, rights: 0xec00n, limit: null, readable: false, writable: false },
];

/** What CS holds in the scenarios of IRET. */
const CODE_SELECTOR = 0x33n;

function useCodeSelector({ fixture }: Bench): void {
  fixture.view.setUint16(fixture.cpu + VCPU_SELECTORS + 2, Number(CODE_SELECTOR), true);
}

/** Puts the table into the first data page and makes the host look there. */
function useLdt(bench: Bench): void {
  const { fixture } = bench;
  for (const { selector, descriptor } of LDT) bench.poke64(DATA + (selector & ~7n), descriptor);
  fixture.setU64(fixture.cpu + VCPU_LDT_BASE, DATA);
  fixture.setU32(fixture.cpu + VCPU_LDT_LIMIT, 0x47);
  fixture.exports.pvAttach();
}
