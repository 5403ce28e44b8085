/** Scenarios of far transfers, with a local descriptor table of segments that may and may not be gone to. @sdm Vol.2 CALL, JMP, RET */
import { expect } from 'vitest';
import { EXIT_BUDGET, EXIT_CRASH, EXIT_EXCEPTION, VCPU_LDT_BASE, VCPU_LDT_LIMIT, VCPU_SELECTORS } from '../layout.ts';
import { type Bench, DATA, DATA_END, type Ending, type Scenario, STACK } from './bench.ts';
import { RAX, RSP } from './machine-state.ts';

const GP = 13;
const NP = 11;

/** 64-bit code of privilege level 3, as the kernels of domains have it. */
const LONG_CODE = 0x0fn;

/** Entries of the table, and what the CPU says to each as the target of a transfer. */
const SEGMENTS: readonly {
  readonly name: string;
  readonly selector: bigint;
  readonly descriptor: bigint;
  readonly fault: number | null;
}[] = [
  { name: '64-bit code', selector: LONG_CODE, descriptor: 0x00af_fa00_0000_ffffn, fault: null },
  { name: 'execute-only 64-bit code', selector: 0x17n, descriptor: 0x00af_f800_0000_ffffn, fault: null },
  { name: 'conforming 64-bit code of level 0', selector: 0x1fn, descriptor: 0x00af_9e00_0000_ffffn, fault: null },
  { name: '64-bit code of level 0', selector: 0x27n, descriptor: 0x00af_9a00_0000_ffffn, fault: GP },
  { name: '64-bit code that is not present', selector: 0x2fn, descriptor: 0x00af_7a00_0000_ffffn, fault: NP },
  { name: '32-bit code', selector: 0x37n, descriptor: 0x00cf_fa00_0000_ffffn, fault: GP },
  { name: 'code with L and D', selector: 0x3fn, descriptor: 0x00ef_fa00_0000_ffffn, fault: GP },
  { name: 'data', selector: 0x47n, descriptor: 0x00cf_f200_0000_ffffn, fault: GP },
  { name: 'a call gate', selector: 0x4fn, descriptor: 0x0000_ec00_0000_0000n, fault: GP },
];

/** Selectors with nothing behind them: null ones are #GP(0), whatever their RPL. */
const NOTHING: readonly { readonly selector: bigint; readonly error: number }[] = [
  { selector: 0n, error: 0 },
  { selector: 3n, error: 0 },
  { selector: 0x57n, error: 0x54 },
  { selector: 0xfff7n, error: 0xfff4 },
];

/** Where the operands in memory lie: behind the table. */
const OPERAND = DATA + 0x800n;
/** ModRM and SIB for [rax]. */
const AT_RAX = { call: '18', jmp: '28' } as const;

function useLdt(bench: Bench): void {
  const { fixture } = bench;
  for (const { selector, descriptor } of SEGMENTS) bench.poke64(DATA + (selector & ~7n), descriptor);
  fixture.setU64(fixture.cpu + VCPU_LDT_BASE, DATA);
  fixture.setU32(fixture.cpu + VCPU_LDT_LIMIT, 0x4f);
  fixture.exports.pvAttach();
}

function useCodeSelector({ fixture }: Bench): void {
  fixture.view.setUint16(fixture.cpu + VCPU_SELECTORS + 2, Number(LONG_CODE), true);
}

function codeSelector({ fixture }: Bench): number {
  return fixture.view.getUint16(fixture.cpu + VCPU_SELECTORS + 2, true);
}

function arrived(bench: Bench, ending: Ending, target: bigint, selector: bigint, name: string): void {
  // It runs in circles there.
  expect(ending.exit, name).toBe(EXIT_BUDGET);
  expect(ending.state.rip, name).toBe(target);
  expect(codeSelector(bench), name).toBe(Number(selector | 3n));
}

function refused(bench: Bench, ending: Ending, vector: number, error: number, name: string): void {
  // With a hypervisor behind it, a CPU without trap table crashes.
  expect([EXIT_EXCEPTION, EXIT_CRASH], name).toContain(ending.exit);
  expect(bench.fixture.fault(), name).toMatchObject({ vector, error });
  expect(ending.offset, name).toBe(0);
  expect(ending.state.gpr[RSP], name).toBe(STACK);
  expect(codeSelector(bench), name).toBe(Number(LONG_CODE));
}

/** One way to go to `selector`:`rip`; sets up its operand and runs it. */
interface Transfer {
  readonly name: string;
  go(bench: Bench, selector: bigint, rip: bigint): Ending;
}

const TRANSFERS: readonly Transfer[] = [
  {
    name: 'retf',
    go(bench, selector, rip) {
      bench.poke64(STACK, rip, selector);
      return bench.run('48 cb', { budget: 20 });
    },
  },
  ...(['call', 'jmp'] as const).map((name): Transfer => ({
    name,
    go(bench, selector, rip) {
      bench.poke64(OPERAND, rip, selector);
      return bench.run(`48 ff ${AT_RAX[name]}`, { gpr: { [RAX]: OPERAND }, budget: 20 });
    },
  })),
];

export const farScenarios: readonly Scenario[] = [
  {
    name: 'retf pops RIP and CS at every operand size, and what its immediate says',
    covers: ['CB retf v', 'CA retf v,Iw'],
    run(bench) {
      const target = bench.place('eb fe');
      for (const [hex, bytes, released] of [
        ['48 cb', 8n, 16n],
        ['cb', 4n, 8n],
        ['48 ca 20 00', 8n, 0x30n],
        ['ca f0 00', 4n, 0xf8n],
      ] as const) {
        useCodeSelector(bench);
        // What is above a selector does not matter.
        if (bytes === 8n) bench.poke64(STACK, target, LONG_CODE | 0xdead_beef_0000n);
        else bench.poke64(STACK, target | ((LONG_CODE | 0x5555_0000n) << 32n));
        const ending = bench.run(hex, { budget: 20 });
        arrived(bench, ending, target, LONG_CODE, hex);
        expect(ending.state.gpr[RSP], hex).toBe(STACK + released);
      }
      // With 16 bits the target is in the first 64 KiB, where nothing is mapped.
      bench.poke64(STACK, (0x0fn << 16n) | 0x1234n);
      const ending = bench.run('66 cb');
      expect(ending.fault).toEqual({ vector: 14, error: 0x14, address: 0x1234n });
      expect(ending.state.gpr[RSP]).toBe(STACK + 4n);
    },
  },
  {
    name: 'call and jmp through memory at every operand size; call pushes CS and the return address',
    covers: ['FF /3 m callf Mp', 'FF /5 m jmpf Mp'],
    run(bench) {
      const target = bench.place('eb fe');
      for (const name of ['call', 'jmp'] as const)
        for (const [prefix, bytes] of [
          ['48 ', 8n],
          ['', 4n],
        ] as const) {
          const hex = `${prefix}ff ${AT_RAX[name]}`;
          useCodeSelector(bench);
          bench.poke64(OPERAND, target | (bytes === 4n ? LONG_CODE << 32n : 0n), LONG_CODE);
          bench.poke64(STACK - 16n, -1n, -1n);
          const ending = bench.run(hex, { gpr: { [RAX]: OPERAND }, budget: 20 });
          arrived(bench, ending, target, LONG_CODE, hex);
          const rsp = ending.state.gpr[RSP] ?? 0n;
          expect(rsp, hex).toBe(name === 'call' ? STACK - 2n * bytes : STACK);
          if (name === 'jmp') continue;
          const behind = target - BigInt(ending.offset) + BigInt(hex.split(' ').length);
          const pushed = bytes === 8n ? [behind, LONG_CODE] : [behind | (LONG_CODE << 32n)];
          expect(
            pushed.map((_, n) => bench.peek64(rsp + 8n * BigInt(n))),
            hex,
          ).toEqual(pushed);
        }
    },
  },
  {
    name: 'far transfers go to 64-bit code of level 3 and conforming code only, and a fault has had no effect',
    covers: ['CB retf v', 'FF /3 m callf Mp', 'FF /5 m jmpf Mp'],
    run(bench) {
      const target = bench.place('eb fe');
      useLdt(bench);
      for (const transfer of TRANSFERS) {
        for (const { name, selector, fault } of SEGMENTS) {
          useCodeSelector(bench);
          const what = `${transfer.name} to ${name}`;
          const ending = transfer.go(bench, selector, target);
          if (fault === null) arrived(bench, ending, target, selector, what);
          else refused(bench, ending, fault, Number(selector & ~3n), what);
        }
        useCodeSelector(bench);
        for (const { selector, error } of NOTHING)
          refused(bench, transfer.go(bench, selector, target), GP, error, `${transfer.name} to ${selector}`);
        refused(bench, transfer.go(bench, LONG_CODE, 0x8000_0000_0000n), GP, 0, `${transfer.name} to a bad RIP`);
        // The selector is looked at first.
        refused(bench, transfer.go(bench, 0x47n, 0x8000_0000_0000n), GP, 0x44, `${transfer.name} to bad both`);
      }
      // RETF cannot go to an inner level; for CALL and JMP the RPL does not matter.
      const [retf, call, jmp] = TRANSFERS as [Transfer, Transfer, Transfer];
      refused(bench, retf.go(bench, 0x0cn, target), GP, 0x0c, 'retf with RPL 0');
      for (const transfer of [call, jmp])
        arrived(bench, transfer.go(bench, 0x0cn, target), target, LONG_CODE, `${transfer.name} with RPL 0`);
    },
  },
  {
    name: 'far transfers fault on stack and operand before they change anything',
    covers: ['CB retf v', 'FF /3 m callf Mp', 'FF /5 m jmpf Mp'],
    run(bench) {
      useCodeSelector(bench);
      const target = bench.place('eb fe');
      bench.poke64(OPERAND, target, LONG_CODE);
      for (const [hex, gpr, fault] of [
        ['48 cb', { [RSP]: DATA_END }, { vector: 14, error: 4, address: DATA_END }],
        ['48 cb', { [RSP]: 0x8000_0000_0000_0000n }, { vector: 12, error: 0 }],
        ['48 ff 28', { [RAX]: DATA_END - 8n }, { vector: 14, error: 4, address: DATA_END }],
        ['48 ff 18', { [RAX]: OPERAND, [RSP]: 0x300010n }, { vector: 14, error: 6, address: 0x300000n }],
        ['48 ff 18', { [RAX]: 0x8000_0000_0000n }, { vector: GP, error: 0 }],
      ] as const) {
        const ending = bench.run(hex, { gpr });
        expect(ending.fault, hex).toMatchObject(fault);
        expect(ending.offset, hex).toBe(0);
        if (RSP in gpr) expect(ending.state.gpr[RSP], hex).toBe(gpr[RSP]);
      }
      // A register holds no far pointer.
      for (const hex of ['48 ff d8', '48 ff e8']) expect(bench.run(hex).fault, hex).toMatchObject({ vector: 6 });
    },
  },
];
