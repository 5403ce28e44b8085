/** The life of regions: what enters them, what ends them, and that nobody runs code that is no longer there. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  EXIT_BUDGET,
  EXIT_EXCEPTION,
  EXIT_REQUEST,
  LONG_RUNS_PERIOD,
  PAGE_BYTES,
  REQUEST_LEAVE,
  TLB_ENTRIES,
  VCPU_BLOCK_LOOKUPS,
  VCPU_BUDGET,
  VCPU_INSTRUCTIONS,
  VCPU_REGION_ENTRIES,
  VCPU_REGION_REDOS,
  VCPU_REQUEST,
  VCPU_RIP,
  VCPU_SAMPLE_LEFT,
  VCPU_SAMPLE_RIP,
  VECTOR_GP,
  VECTOR_PF,
} from '../cpu/layout.ts';
import type { TranslatorCore } from './core.ts';
import { EAGER_OPTIONS, Translator } from './translator.ts';
import { ALIAS, CODE, DATA, MOV_EAX, RegionMachine, SECOND } from './testing/region-machine.ts';

const HLT = 0xf4;
const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RSI = 6;
const RDI = 7;

/** mov eax, 1; jmp SECOND */
const TO_SECOND = [...MOV_EAX(1), 0xe9, 0xf6, 0x0f, 0, 0];

let machine: RegionMachine;
beforeEach(() => {
  machine = new RegionMachine();
});

describe('a region', () => {
  it('runs in place of the interpreter and counts what it retires', () => {
    machine.place(machine.first, ...MOV_EAX(7), 0xff, 0xc0);
    expect(machine.translator.translateAt(CODE)).toBe(true);
    const before = machine.count(VCPU_INSTRUCTIONS);
    expect(machine.translated(() => expect(machine.result()).toBe(8n))).toBe(2n);
    // The HLT is the third.
    expect(machine.count(VCPU_INSTRUCTIONS) - before).toBe(3n);
  });

  it('is not made where the first instruction is the interpreter’s', () => {
    expect(machine.translator.translateAt(CODE)).toBe(false);
  });

  it('takes over a block that had been decoded, and blocks decoded later', () => {
    machine.place(machine.first, ...MOV_EAX(7));
    expect(machine.translated(() => machine.result())).toBe(0n);
    machine.translator.translateAt(CODE);
    expect(machine.translated(() => machine.result())).toBe(1n);
  });

  it('leaves an endless loop when its budget is used up', () => {
    machine.place(machine.first, 0xff, 0xc0, 0xeb, 0xfc); // inc eax; jmp to it
    machine.translator.translateAt(CODE);
    machine.start();
    expect(machine.fixture.run(1000)).toBe(EXIT_BUDGET);
    expect(machine.fixture.getState()).toMatchObject({ rip: CODE });
    expect(machine.fixture.getState().gpr[RAX]).toBe(500n);
    expect(machine.fixture.view.getInt32(machine.fixture.cpu + VCPU_BUDGET, true)).toBe(0);
  });

  it('leaves an endless loop when something is requested', () => {
    machine.place(machine.first, 0xff, 0xc0, 0xeb, 0xfc);
    machine.translator.translateAt(CODE);
    machine.start();
    machine.fixture.setU32(machine.fixture.cpu + VCPU_REQUEST, REQUEST_LEAVE);
    expect(machine.fixture.run(1000)).toBe(EXIT_REQUEST);
    expect(machine.fixture.getState().gpr[RAX]).toBeLessThan(2n);
  });
});

describe('a place that is not worth a region', () => {
  const place = (...bytes: number[]): boolean => {
    machine = new RegionMachine(undefined, { minimumInstructions: 4 });
    machine.place(machine.first, ...bytes);
    return machine.translator.translateAt(CODE);
  };

  it('has few instructions and no loop', () => {
    // inc eax; inc eax; inc eax
    expect(place(0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0)).toBe(false);
    expect(place(0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0)).toBe(true);
    // dec ecx; jne to it
    expect(place(0xff, 0xc9, 0x75, 0xfc)).toBe(true);
  });
});

describe('a region with several targets', () => {
  /** sum(edi): if edi == 0 return 0; n = edi--; return sum(edi) + n. The program calls it with RDI and halts. */
  const RECURSION = [
    ...[0xe8, 0x01, 0, 0, 0, HLT], // call sum
    ...[0x31, 0xc0, 0x85, 0xff, 0x74, 0x0b], // sum: xor eax, eax; test edi, edi; je end
    ...[0x57, 0xff, 0xcf, 0xe8, 0xf2, 0xff, 0xff, 0xff], // push rdi; dec edi; call sum
    ...[0x5f, 0x01, 0xf8, 0xc3], // pop rdi; add eax, edi; end: ret
  ];
  /** inc eax; jmp rbx */
  const TO_RBX = [0xff, 0xc0, 0xff, 0xe3];
  /** add eax, 16; dec ecx; jne -> jmp rdx; hlt */
  const LOOP_TO_RDX = [0x83, 0xc0, 0x10, 0xff, 0xc9, 0x74, 0x02, 0xff, 0xe2, HLT];

  it('follows recursion and its returns without leaving', () => {
    machine.place(machine.first, ...RECURSION);
    machine.translator.translateAt(CODE);
    const entered = machine.count(VCPU_REGION_ENTRIES);
    expect(machine.result({ [RDI]: 100n, [RSP]: DATA + 0x1000n })).toBe(5050n);
    expect(machine.count(VCPU_REGION_ENTRIES) - entered).toBe(1n);
  });

  it('grows by a place it is left to, and then goes there and back without leaving', () => {
    machine.place(machine.first, ...TO_RBX);
    machine.place(machine.second, ...LOOP_TO_RDX);
    machine.translator.translateAt(CODE);
    const registers = { [RBX]: SECOND, [RCX]: 50n, [RDX]: CODE };
    expect(machine.result(registers)).toBe(850n);
    expect(machine.translator.extend(CODE, SECOND)).toBe(true);
    const entered = machine.count(VCPU_REGION_ENTRIES);
    expect(machine.result(registers)).toBe(850n);
    expect(machine.count(VCPU_REGION_ENTRIES) - entered).toBe(1n);
  });

  it('is entered at the place it grew by, in another page', () => {
    machine.place(machine.first, ...TO_RBX);
    machine.place(machine.second, ...LOOP_TO_RDX);
    machine.translator.translateAt(CODE);
    machine.translator.extend(CODE, SECOND);
    machine.start({ [RBX]: SECOND, [RCX]: 2n, [RDX]: CODE });
    machine.fixture.setU64(machine.fixture.cpu + VCPU_RIP, SECOND);
    expect(machine.fixture.run()).toBe(EXIT_EXCEPTION);
    expect(machine.fixture.getState().gpr[RAX]).toBe(33n);
  });

  it('takes notice of its budget between targets', () => {
    machine.place(machine.first, ...TO_RBX);
    machine.place(machine.second, ...LOOP_TO_RDX);
    machine.translator.translateAt(CODE);
    machine.translator.extend(CODE, SECOND);
    machine.start({ [RBX]: SECOND, [RCX]: 1000n, [RDX]: CODE });
    expect(machine.fixture.run(60)).toBe(EXIT_BUDGET);
    expect(machine.fixture.getState().gpr[RCX]).toBeGreaterThan(980n);
  });

  it('grows by itself where it is left often', () => {
    machine.place(machine.first, ...TO_RBX);
    machine.place(machine.second, ...LOOP_TO_RDX);
    machine.translator.translateAt(CODE);
    machine.translator.translateAt(SECOND);
    machine.start({ [RBX]: SECOND, [RCX]: 1_000_000n, [RDX]: CODE });
    for (let turn = 0; turn < 20; turn++) {
      machine.fixture.run(10_000);
      machine.translator.sample();
    }
    expect(machine.translator.counters.grown).toBe(1);
  });
});

describe('a TLB miss', () => {
  /** mov eax, [rdi]; add eax, [rsi]; dec ecx; jne to the first */
  const LOADS = [0x8b, 0x07, 0x03, 0x06, 0xff, 0xc9, 0x75, 0xf8];
  /** Has the same entry of the TLB as DATA. */
  const CONFLICTING = DATA + BigInt(TLB_ENTRIES * PAGE_BYTES);
  const place = (thorough: boolean): void => {
    machine = new RegionMachine(undefined, { thorough });
    machine.fixture.view.setUint32(machine.fixture.map(CONFLICTING), 30, true);
    machine.place(machine.first, ...LOADS);
    machine.translator.translateAt(CODE);
  };
  const run = (rounds: bigint): bigint => machine.result({ [RDI]: DATA, [RSI]: CONFLICTING, [RCX]: rounds });
  const givenBack = (work: () => void): bigint => {
    const before = machine.count(VCPU_REGION_REDOS);
    work();
    return machine.count(VCPU_REGION_REDOS) - before;
  };

  it('is served by a region made thoroughly', () => {
    place(true);
    expect(givenBack(() => expect(run(100n)).toBe(30n))).toBe(0n);
  });

  it('gives the instruction back to the interpreter otherwise', () => {
    place(false);
    // The first load misses and leaves; the interpreter, on its way, executes the second; each round begins in the region again.
    expect(givenBack(() => expect(run(100n)).toBe(30n))).toBe(100n);
  });

  it('has a region made anew that is often left for it', () => {
    place(false);
    for (let turn = 0; machine.translator.counters.thorough === 0; turn++) {
      expect(turn).toBeLessThan(100);
      run(1000n);
      machine.translator.sample();
    }
    machine.translator.sample();
    expect(machine.translator.counters).toMatchObject({ regions: 2, thorough: 1 });
    expect(givenBack(() => expect(run(1000n)).toBe(30n))).toBe(0n);
    // Once is enough, whatever instructions are given back for from then on.
    for (let turn = 0; turn < 100; turn++) {
      run(1000n);
      machine.translator.sample();
    }
    expect(machine.translator.counters.regions).toBe(2);
  });
});

describe('a region that much is executed in', () => {
  it('is made anew thoroughly, once', () => {
    machine = new RegionMachine(undefined, { thorough: false, longRunThreshold: 2 });
    machine.place(machine.first, 0xff, 0xc0, 0xeb, 0xfc); // inc eax; jmp to it
    machine.translator.translateAt(CODE);
    machine.start();
    for (let turn = 0; turn < 8; turn++) {
      // The first long run is a sample, and then one in each period.
      expect(machine.translator.counters.thorough).toBe(turn < 2 ? 0 : 1);
      expect(machine.fixture.run(LONG_RUNS_PERIOD)).toBe(EXIT_BUDGET);
      machine.translator.sample();
    }
    expect(machine.translator.counters).toMatchObject({ regions: 2, thorough: 1 });
    expect(machine.fixture.getState().gpr[RAX]).toBe(BigInt(4 * LONG_RUNS_PERIOD));
  });

  it('stays as it is where little is executed at a time', () => {
    machine = new RegionMachine(undefined, { thorough: false, longRunThreshold: 1 });
    machine.place(machine.first, 0xff, 0xc9, 0x75, 0xfc); // dec ecx; jne to it
    machine.translator.translateAt(CODE);
    for (let turn = 0; turn < 50_000; turn++) machine.result({ [RCX]: 20n });
    machine.translator.sample();
    expect(machine.translator.counters).toMatchObject({ regions: 1, thorough: 0 });
  });
});

describe('code that changes', () => {
  it('ends the region made from it', () => {
    machine.place(machine.first, ...MOV_EAX(7));
    machine.translator.translateAt(CODE);
    expect(machine.result()).toBe(7n);
    machine.patch(machine.first, ...MOV_EAX(9));
    expect(machine.translated(() => expect(machine.result()).toBe(9n))).toBe(0n);
    machine.translator.translateAt(CODE);
    expect(machine.translated(() => expect(machine.result()).toBe(9n))).toBe(1n);
  });

  it('that is put back revives it without another translation', () => {
    machine.place(machine.first, ...MOV_EAX(7));
    machine.translator.translateAt(CODE);
    machine.patch(machine.first, ...MOV_EAX(9));
    expect(machine.result()).toBe(9n);
    machine.patch(machine.first, ...MOV_EAX(7));
    expect(machine.translator.translateAt(CODE)).toBe(true);
    expect(machine.translator.counters).toMatchObject({ regions: 1, revived: 1 });
    expect(machine.translated(() => expect(machine.result()).toBe(7n))).toBe(1n);
    machine.patch(machine.first, ...MOV_EAX(3));
    expect(machine.result()).toBe(3n);
  });

  it('in another of its pages ends it too', () => {
    machine.place(machine.first, ...TO_SECOND);
    machine.place(machine.second, 0x83, 0xc0, 0x10); // add eax, 16
    machine.translator.translateAt(CODE);
    expect(machine.translated(() => expect(machine.result()).toBe(17n))).toBe(3n);
    machine.patch(machine.second, 0x83, 0xc0, 0x20);
    expect(machine.translated(() => expect(machine.result()).toBe(33n))).toBe(0n);
  });

  it('by the region’s own store takes effect with the next instruction', () => {
    // mov byte [rdi], 9; mov eax, 7, whose immediate the store changes through another address
    machine.place(machine.first, 0xc6, 0x07, 9, ...MOV_EAX(7));
    machine.translator.translateAt(CODE);
    expect(machine.result({ [RDI]: ALIAS + 4n })).toBe(9n);
  });

  it('by a string instruction inside the region takes effect with the next instruction', () => {
    // mov ebx, 5; stosb; mov eax, 7
    machine.place(machine.first, 0xbb, 5, 0, 0, 0, 0xaa, ...MOV_EAX(7));
    machine.translator.translateAt(CODE);
    expect(machine.result({ [RAX]: 9n, [RDI]: ALIAS + 7n })).toBe(9n);
    expect(machine.fixture.getState().gpr[RBX]).toBe(5n);
  });

  it('is not run from a page that is mapped elsewhere now', () => {
    machine.place(machine.first, ...TO_SECOND);
    machine.place(machine.second, 0x83, 0xc0, 0x10);
    machine.translator.translateAt(CODE);
    expect(machine.result()).toBe(17n);
    const other = machine.fixture.map(SECOND, { write: false, execute: true });
    machine.fixture.bytes.fill(HLT, other, other + 4096);
    machine.place(other, 0x83, 0xc0, 0x40);
    machine.fixture.exports.flushTlb(machine.fixture.cpu);
    expect(machine.result()).toBe(65n);
  });
});

describe('a block that was dropped', () => {
  it('is looked up once by the branches that led to it', () => {
    // inc eax; jmp rbx: to dec ecx; jne to the start; hlt, which no region has.
    const back = machine.first + 0x40;
    machine.place(machine.first, ...[0xff, 0xc0], ...[0xff, 0xe3]);
    machine.place(back, ...[0xff, 0xc9], ...[0x75, 0xbc], HLT);
    machine.place(machine.second, ...MOV_EAX(1));
    const registers = { [RBX]: CODE + 0x40n, [RCX]: 100n };
    expect(machine.result(registers)).toBe(100n);
    machine.translator.translateAt(CODE);
    // The region is made anew, and with it the block that it is entered by.
    expect(machine.translator.extend(CODE, SECOND)).toBe(true);
    const before = machine.count(VCPU_BLOCK_LOOKUPS);
    expect(machine.translated(() => expect(machine.result(registers)).toBe(100n))).toBe(200n);
    expect(machine.count(VCPU_BLOCK_LOOKUPS) - before).toBeLessThan(5n);
    // What it was replaced by can be dropped as well.
    machine.patch(machine.first, 0xff, 0xc8);
    expect(BigInt.asIntN(32, machine.result(registers))).toBe(-100n);
  });
});

describe('an instruction that lies in two pages', () => {
  /** mov eax, ...; inc eax; dec ecx; jne: back to the first. The first has three bytes in the first page. */
  const BEGIN = PAGE_BYTES - 3;
  const CROSSING = MOV_EAX(0x20);
  const REST = [0xff, 0xc0, 0xff, 0xc9, 0x75, 0xf5];
  const place = (): void => {
    machine.place(machine.first, 0xe9, ...littleEndian(BEGIN - 5));
    machine.place(machine.first + BEGIN, ...CROSSING.slice(0, 3));
    machine.place(machine.second, ...CROSSING.slice(3), ...REST);
  };
  const littleEndian = (value: number): number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];
  /** How many instructions are translated in ten rounds of the loop that end with this in RAX. */
  const run = (rax: bigint): bigint => machine.translated(() => expect(machine.result({ [RCX]: 10n })).toBe(rax));
  beforeEach(place);

  it('is part of a region', () => {
    machine.translator.translateAt(CODE);
    const entered = machine.count(VCPU_REGION_ENTRIES);
    expect(run(0x21n)).toBe(41n);
    expect(machine.count(VCPU_REGION_ENTRIES) - entered).toBe(1n);
  });

  it.each(['first', 'second'])('ends the region when its bytes in the %s page are written', (which) => {
    machine.translator.translateAt(CODE);
    expect(run(0x21n)).toBe(41n);
    // mov ebx in place of mov eax; or another immediate: 0x00010020, say.
    if (which === 'first') machine.patch(machine.first + BEGIN, 0xbb);
    else machine.patch(machine.second, 1);
    expect(run(which === 'first' ? 10n : 0x10021n)).toBe(0n);
    machine.translator.translateAt(CODE);
    expect(run(which === 'first' ? 10n : 0x10021n)).toBe(41n);
    // As it was: the same code is made anew, or put back to use.
    place();
    machine.patch(machine.first + BEGIN, 0xb8);
    machine.patch(machine.second, 0);
    machine.translator.translateAt(CODE);
    expect(run(0x21n)).toBe(41n);
  });

  it('is another when the second page is', () => {
    machine.translator.translateAt(CODE);
    expect(run(0x21n)).toBe(41n);
    const other = machine.fixture.map(SECOND, { write: false, execute: true });
    machine.fixture.bytes.fill(HLT, other, other + PAGE_BYTES);
    machine.place(other, 2, ...CROSSING.slice(4), ...REST);
    machine.fixture.exports.flushTlb(machine.fixture.cpu);
    expect(run(0x20021n)).toBe(0n);
  });

  it('stops before what cannot be fetched', () => {
    machine.fixture.map(SECOND, { execute: false });
    machine.translator.translateAt(CODE);
    machine.start({ [RCX]: 10n });
    expect(machine.fixture.run()).toBe(EXIT_EXCEPTION);
    expect(machine.fixture.fault()).toMatchObject({ vector: 14, address: SECOND });
    expect(machine.fixture.getState().rip).toBe(CODE + BigInt(BEGIN));
  });

  it('is never what a region is entered by', () => {
    expect(machine.translator.translateAt(CODE + BigInt(BEGIN))).toBe(false);
  });
});

describe('a fault in a region', () => {
  it('is reported by the instruction, with what came before it done', () => {
    // inc eax; cmp eax, 5; mov [rdi], eax; inc eax
    machine.place(machine.first, 0xff, 0xc0, 0x83, 0xf8, 5, 0x89, 0x07, 0xff, 0xc0);
    machine.translator.translateAt(CODE);
    machine.start({ [RAX]: 4n, [RDI]: DATA + 0x1000n });
    expect(machine.fixture.run()).toBe(EXIT_EXCEPTION);
    expect(machine.fixture.fault()).toEqual({ vector: 14, error: 6, address: DATA + 0x1000n });
    const state = machine.fixture.getState();
    expect(state.rip).toBe(CODE + 5n);
    expect(state.gpr[RAX]).toBe(5n);
    // ZF and PF of the comparison.
    expect(state.rflags & 0x8d5).toBe(0x44);
  });
});

describe('an empty TLB', () => {
  const slot = BigInt(TLB_ENTRIES - 1) << 12n;
  it.each([
    ['the lowest page', 0n, VECTOR_PF],
    ['the highest page', 0xffff_ffff_ffff_f000n, VECTOR_PF],
    ['the highest page of the lower half', 0x7fff_ffff_f000n, VECTOR_PF],
    ['the lowest page of the upper half', 0xffff_8000_0000_0000n, VECTOR_PF],
    ['the last slot', slot, VECTOR_PF],
    ['no canonical address of the last slot', 0xff00_0000_0000_0000n | slot, VECTOR_GP],
    ['no canonical address of the first slot', 0x00ff_ffff_ff00_0000n, VECTOR_GP],
    ['what is all ones but for the slot', 0xffff_ffff_ffff_f000n ^ slot, VECTOR_PF],
  ])('serves no address: %s', (_, page, vector) => {
    // add ebx, eax; then mov rcx, [rdi] or mov [rdi], rcx
    for (const opcode of [0x8b, 0x89])
      for (const offset of [0n, 8n, 0xff8n, 0xfffn])
        for (const translates of [false, true]) {
          machine = new RegionMachine();
          machine.place(machine.first, 0x01, 0xc3, 0x48, opcode, 0x0f);
          if (translates) machine.translator.translateAt(CODE);
          machine.result({ [RDI]: page + offset });
          expect(machine.fixture.fault().vector, `${page + offset}`).toBe(vector);
          expect(machine.fixture.getState().rip).toBe(CODE + 2n);
        }
  });
});

describe('samples', () => {
  const left = (): number => machine.fixture.view.getInt32(machine.fixture.cpu + VCPU_BUDGET, true);
  const due = (): number => machine.fixture.view.getInt32(machine.fixture.cpu + VCPU_SAMPLE_LEFT, true);

  it('come each time so many instructions have been interpreted, over several runs', () => {
    machine.place(machine.first, 0xff, 0xc0, 0xeb, 0xfc); // inc eax; jmp to it
    machine.start();
    expect(machine.fixture.run(250, 100)).toBe(EXIT_BUDGET);
    expect([left(), due()]).toEqual([150, 0]);
    expect(machine.fixture.run(150, 100)).toBe(EXIT_BUDGET);
    expect([left(), due()]).toEqual([50, 0]);
    // The budget ends first: no sample is due, and the next run goes on counting.
    expect(machine.fixture.run(50, 100)).toBe(EXIT_BUDGET);
    expect([left(), due()]).toEqual([0, 50]);
    expect(machine.fixture.run(250, 100)).toBe(EXIT_BUDGET);
    expect([left(), due()]).toEqual([200, 0]);
    expect(machine.fixture.getState().gpr[RAX]).toBe(150n);
  });

  it('are of the block interpreted last, also where a region follows it', () => {
    // cpuid; jmp SECOND; there inc ebx; jmp back
    machine.place(machine.first, 0x0f, 0xa2, 0xe9, 0xf9, 0x0f, 0, 0);
    machine.place(machine.second, 0xff, 0xc3, 0xe9, 0xf9, 0xef, 0xff, 0xff);
    machine.translator.translateAt(SECOND);
    machine.start();
    expect(machine.fixture.run(1000, 100)).toBe(EXIT_BUDGET);
    expect(machine.fixture.getState().rip).toBe(SECOND);
    expect(machine.fixture.getU64(machine.fixture.cpu + VCPU_SAMPLE_RIP)).toBe(CODE + 2n);
  });

  it('do not come of what regions execute', () => {
    machine.place(machine.first, 0xff, 0xc0, 0xeb, 0xfc);
    machine.translator.translateAt(CODE);
    machine.start();
    expect(machine.fixture.run(1000, 100)).toBe(EXIT_BUDGET);
    expect([left(), due()]).toEqual([0, 100]);
  });

  it('come of a loop with a region in it for the rest of the loop', () => {
    // cpuid, which is the interpreter's; jmp SECOND; there inc ebx; jmp back
    machine.place(machine.first, 0x0f, 0xa2, 0xe9, 0xf9, 0x0f, 0, 0);
    machine.place(machine.second, 0xff, 0xc3, 0xe9, 0xf9, 0xef, 0xff, 0xff);
    machine.translator.translateAt(SECOND);
    machine.start();
    expect(machine.fixture.run(1000, 100)).toBe(EXIT_BUDGET);
    // Half of it is interpreted.
    expect(Math.abs(left() - 800)).toBeLessThan(10);
    expect(due()).toBeLessThanOrEqual(0);
  });
});

describe('many regions', () => {
  it('are forgotten together when there are more than the bound, and come back', () => {
    const { fixture } = machine;
    const translator = new Translator(fixture.exports as unknown as TranslatorCore, fixture.memory, fixture.cpu, {
      ...EAGER_OPTIONS,
      maximumRegions: 4,
    });
    for (let n = 0; n < 6; n++) machine.place(machine.first + n * 16, ...MOV_EAX(n + 1));
    for (let n = 0; n < 6; n++) expect(translator.translateAt(CODE + BigInt(n * 16))).toBe(true);
    expect(translator.counters.resets).toBeGreaterThan(0);
    expect(machine.translated(() => expect(machine.result()).toBe(1n))).toBe(0n);
    translator.translateAt(CODE);
    expect(machine.translated(() => expect(machine.result()).toBe(1n))).toBe(1n);
  });
});
