/** Scenarios of branches, traps, debugging and the run loop's exits. @sdm Vol. 2, Vol. 3B 18.2 and 18.3 */
import { expect } from 'vitest';
import {
  EXIT_BUDGET,
  EXIT_EXCEPTION,
  EXIT_REQUEST,
  REQUEST_LEAVE,
  VCPU_CR0,
  VCPU_DR,
  VCPU_INSTRUCTIONS,
  VCPU_REQUEST,
} from '../layout.ts';
import { CODE, DATA, DATA_END, STACK, type Scenario } from './bench.ts';
import { FLAGS_BASE, FLAG_ZF, RAX, RBP, RCX, RDI, RSI, RSP } from './machine-state.ts';

const DB = 1;
const NM = 7;
const UD = 6;
const SS = 12;
const GP = 13;
const PF = 14;
const TRAP_FLAG = 0x100;
const RESUME_FLAG = 0x10000;
const NOT_CANONICAL = 0x0000_8000_0000_0000n;

export const controlScenarios: readonly Scenario[] = [
  {
    name: 'near branches ignore the operand-size prefix (Intel)',
    covers: [],
    run(bench) {
      const target = bench.place('90');
      for (const [hex, expected] of [
        ['66 ff e0', target],
        ['66 ff d0', target],
      ] as const) {
        const ending = bench.run(hex, { gpr: { [RAX]: target } });
        expect(ending.state.rip, hex).toBe(expected + 1n);
      }
      bench.poke64(STACK, target);
      const returned = bench.run('66 c3');
      expect(returned.state.rip).toBe(target + 1n);
      expect(returned.state.gpr[RSP]).toBe(STACK + 8n);
      const call = bench.run('66 e8 05 00 00 00');
      expect(call.offset).toBe(11);
      expect(call.state.gpr[RSP]).toBe(STACK - 8n);
    },
  },
  {
    name: 'a branch to an address that is not canonical faults on the branch and changes nothing (Intel)',
    covers: [],
    run(bench) {
      bench.poke64(STACK, NOT_CANONICAL);
      for (const hex of ['c3', 'c2 10 00', 'ff e0', 'ff d0', 'ff 24 24', 'ff 14 24']) {
        const ending = bench.run(hex, { gpr: { [RAX]: NOT_CANONICAL } });
        expect(ending.fault, hex).toMatchObject({ vector: GP, error: 0 });
        expect(ending.offset, hex).toBe(0);
        expect(ending.state.gpr[RSP], hex).toBe(STACK);
      }
    },
  },
  {
    name: 'pushes and pops at a stack that is not canonical are #SS(0)',
    covers: [],
    run(bench) {
      for (const hex of ['50', '58', 'c3', 'c9', 'e8 00 00 00 00', '9c', '6a 00', '48 8b 04 24', '48 8b 45 00']) {
        const stack = NOT_CANONICAL + 0x1000n;
        const ending = bench.run(hex, { gpr: { [RSP]: stack, [RBP]: stack } });
        expect(ending.fault, hex).toMatchObject({ vector: SS, error: 0 });
        expect(ending.offset, hex).toBe(0);
        expect(ending.state.gpr[RSP], hex).toBe(stack);
      }
    },
  },
  {
    name: 'the trap flag stops behind each instruction with #DB and DR6.BS',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      fixture.setU64(fixture.cpu + VCPU_DR + 6 * 8, 0xffff0ff0n);
      const code = bench.place('48 ff c0 48 ff c0 90');
      const first = bench.runAt(code, { rflags: FLAGS_BASE | TRAP_FLAG });
      expect(first.fault).toMatchObject({ vector: DB });
      expect(first.offset).toBe(3);
      expect(first.state.gpr[RAX]).toBe(1n);
      expect(fixture.getU64(fixture.cpu + VCPU_DR + 6 * 8) & 0x4000n).toBe(0x4000n);
    },
  },
  {
    name: 'popf that sets the trap flag traps behind the next instruction',
    covers: [],
    run(bench) {
      bench.poke64(STACK, BigInt(FLAGS_BASE | TRAP_FLAG));
      const ending = bench.run('9d 48 ff c0 48 ff c0');
      expect(ending.fault).toMatchObject({ vector: DB });
      expect(ending.offset).toBe(4);
      expect(ending.state.gpr[RAX]).toBe(1n);
    },
  },
  {
    name: 'a repeated string instruction under the trap flag traps behind each turn',
    covers: [],
    run(bench) {
      const ending = bench.run('f3 aa 90', { rflags: FLAGS_BASE | TRAP_FLAG, gpr: { [RCX]: 3n, [RDI]: DATA, [RAX]: 0x55n } });
      expect(ending.fault).toMatchObject({ vector: DB });
      expect(ending.offset).toBe(0);
      expect(ending.state.gpr[RCX]).toBe(2n);
      expect(ending.state.gpr[RDI]).toBe(DATA + 1n);
    },
  },
  {
    name: 'an instruction breakpoint faults before the instruction, once RF is clear',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const code = bench.place('48 ff c0 48 ff c0 48 ff c0');
      fixture.setU64(fixture.cpu + VCPU_DR, code + 3n);
      fixture.setU64(fixture.cpu + VCPU_DR + 7 * 8, 1n);
      const hit = bench.runAt(code);
      expect(hit.fault).toMatchObject({ vector: DB });
      expect(hit.offset).toBe(3);
      expect(hit.state.gpr[RAX]).toBe(1n);
      expect(fixture.getU64(fixture.cpu + VCPU_DR + 6 * 8) & 15n).toBe(1n);
      const resumed = bench.runAt(code + 3n, { rflags: FLAGS_BASE | RESUME_FLAG });
      expect(resumed.fault).toMatchObject({ vector: GP });
      expect(resumed.offset).toBe(6);
      expect(resumed.state.rflags & RESUME_FLAG, 'the instruction that ran cleared RF').toBe(0);
    },
  },
  {
    name: 'an endless loop ends with its budget, having executed about that many instructions',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const before = fixture.getU64(fixture.cpu + VCPU_INSTRUCTIONS);
      const ending = bench.run('48 ff c0 eb fb', { budget: 1000 });
      expect(ending.exit).toBe(EXIT_BUDGET);
      const executed = Number(fixture.getU64(fixture.cpu + VCPU_INSTRUCTIONS) - before);
      expect(executed).toBeGreaterThanOrEqual(1000);
      expect(executed).toBeLessThan(1100);
      expect(Math.abs(Number(ending.state.gpr[RAX]) - executed / 2)).toBeLessThanOrEqual(1);
    },
  },
  {
    name: 'a request to leave is honoured at the next branch, and the vCPU goes on from there',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const code = bench.place('48 ff c0 eb fb');
      fixture.setU32(fixture.cpu + VCPU_REQUEST, REQUEST_LEAVE);
      const left = bench.runAt(code);
      expect(left.exit).toBe(EXIT_REQUEST);
      expect([0, 3]).toContain(left.offset);
      fixture.setU32(fixture.cpu + VCPU_REQUEST, 0);
      expect(fixture.run(100)).toBe(EXIT_BUDGET);
    },
  },
  {
    name: 'a long repeated string instruction stops for a request with its progress in the registers, and finishes later',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const count = 4096n;
      fixture.setU32(fixture.cpu + VCPU_REQUEST, REQUEST_LEAVE);
      let ending = bench.run('f3 aa', { gpr: { [RCX]: count, [RDI]: DATA, [RAX]: 0x77n }, budget: 64 });
      let turns = 0;
      while (ending.exit !== EXIT_EXCEPTION) {
        expect([EXIT_REQUEST, EXIT_BUDGET]).toContain(ending.exit);
        const { gpr } = fixture.getState();
        expect((gpr[RCX] ?? 0n) + (gpr[RDI] ?? 0n)).toBe(count + DATA);
        fixture.setU32(fixture.cpu + VCPU_REQUEST, 0);
        const exit = fixture.run(64);
        const state = fixture.getState();
        ending = { ...ending, exit, state, fault: exit === EXIT_EXCEPTION ? fixture.fault() : null };
        expect(++turns).toBeLessThan(10_000);
      }
      expect(ending.state.gpr[RCX]).toBe(0n);
      expect(bench.peek(DATA, 4096).every((byte) => byte === 0x77)).toBe(true);
    },
  },
  {
    name: 'a string instruction that faults in the middle has done what came before',
    covers: [],
    run(bench) {
      bench.poke(DATA, [1, 2, 3, 4, 5, 6, 7, 8]);
      const ending = bench.run('f3 48 a5', { gpr: { [RCX]: 4n, [RSI]: DATA, [RDI]: DATA_END - 16n } });
      expect(ending.fault).toEqual({ vector: PF, error: 6, address: DATA_END });
      expect(ending.offset).toBe(0);
      expect(ending.state.gpr[RCX]).toBe(2n);
      expect(ending.state.gpr[RSI]).toBe(DATA + 16n);
      expect(ending.state.gpr[RDI]).toBe(DATA_END);
    },
  },
  {
    name: 'with CR0.TS set x87, MMX and SSE are #NM, and integer instructions are not',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      fixture.setU64(fixture.cpu + VCPU_CR0, fixture.getU64(fixture.cpu + VCPU_CR0) | 8n);
      for (const hex of [
        'd9 e8',
        '0f 77',
        '0f 6f c1',
        '0f 28 c1',
        '66 0f ef c0',
        'f2 0f 10 c1',
        '0f ae 00',
        '0f ae 10',
        '9b',
        '66 0f 38 00 c1',
        '66 0f 3a 63 c1 00',
      ]) {
        const ending = bench.run(hex, { gpr: { [RAX]: DATA } });
        expect(ending.fault, hex).toMatchObject({ vector: NM });
        expect(ending.offset, hex).toBe(0);
      }
      for (const hex of ['48 ff c0', '0f ae f0', '0f 18 00', 'f3 0f b8 c1']) {
        expect(bench.run(hex, { gpr: { [RAX]: DATA } }).fault, hex).toMatchObject({ vector: GP });
      }
    },
  },
  {
    name: 'with CR0.EM set x87 is #NM, MMX and SSE are undefined',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      fixture.setU64(fixture.cpu + VCPU_CR0, fixture.getU64(fixture.cpu + VCPU_CR0) | 4n);
      for (const hex of ['d9 e8', 'd8 00'])
        expect(bench.run(hex, { gpr: { [RAX]: DATA } }).fault, hex).toMatchObject({ vector: NM });
      for (const hex of ['0f 77', '0f 6f c1', '0f 28 c1', '66 0f ef c0', '66 0f 3a 63 c1 00']) {
        expect(bench.run(hex, { gpr: { [RAX]: DATA } }).fault, hex).toMatchObject({ vector: UD });
      }
    },
  },
  {
    name: 'flags left lazily by one block are read by another',
    covers: [],
    run(bench) {
      // sub rax, rax; jmp over; setz cl
      const ending = bench.run('48 29 c0 eb 02 f4 f4 0f 94 c1 9c', { gpr: { [RAX]: 5n } });
      expect(ending.fault).toMatchObject({ vector: GP });
      expect(ending.state.gpr[RCX]).toBe(1n);
      expect(bench.peek64(STACK - 8n) & BigInt(FLAG_ZF)).toBe(BigInt(FLAG_ZF));
    },
  },
  {
    name: 'calls and returns through many frames come back in order',
    covers: [],
    run(bench) {
      // f: dec ecx; jz 1f; call f; 1: inc rax; ret
      const f = bench.place('ff c9 74 05 e8 f7 ff ff ff 48 ff c0 c3');
      const end = bench.place('90');
      bench.poke64(STACK, end);
      const ending = bench.runAt(f, { gpr: { [RCX]: 100n } });
      expect(ending.state.rip).toBe(end + 1n);
      expect(ending.state.gpr[RAX]).toBe(100n);
      expect(ending.state.gpr[RSP]).toBe(STACK + 8n);
      expect(f).toBeGreaterThanOrEqual(CODE);
    },
  },
];
