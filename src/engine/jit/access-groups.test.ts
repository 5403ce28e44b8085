/** Accesses that share one look into the TLB behave as each on its own, wherever they lie and whichever of them faults. */
import { describe, expect, it } from 'vitest';
import { EXIT_EXCEPTION, VCPU_FS_BASE, VCPU_INSTRUCTIONS_TRANSLATED, VCPU_REGION_REDOS } from '../cpu/layout.ts';
import { CoreFixture } from '../cpu/testing/fixture.ts';
import { newState } from '../cpu/testing/machine-state.ts';
import type { TranslatorCore } from './core.ts';
import { DEFAULT_OPTIONS, Translator } from './translator.ts';

const CODE = 0x400000n;
const LOWER = 0x600000n;
const UPPER = LOWER + 0x1000n;
const RCX = 1;
const RDX = 2;
const RSP = 4;

/** Pushes, pops and fields around RSP and a copy of it; the faults of each are at an instruction of its own. */
const STRAIGHT = [
  [0x50], // push rax
  [0x51], // push rcx
  [0x48, 0x89, 0xe5], // mov rbp, rsp
  [0x52], // push rdx
  [0x48, 0x8b, 0x5c, 0x24, 0x08], // mov rbx, [rsp+8]
  [0x48, 0x01, 0x5d, 0xf8], // add [rbp-8], rbx
  [0xc6, 0x44, 0x24, 0x05, 0x7f], // mov byte [rsp+5], 0x7f
  [0x48, 0x83, 0xec, 0x10], // sub rsp, 16
  [0x66, 0x89, 0x44, 0x24, 0x0c], // mov [rsp+12], ax
  [0x44, 0x0f, 0xb6, 0x44, 0x24, 0x0d], // movzx r8d, byte [rsp+13]
  [0x48, 0x83, 0xc4, 0x10], // add rsp, 16
  [0x5e], // pop rsi
  [0x48, 0x8d, 0x64, 0x24, 0x08], // lea rsp, [rsp+8]
  [0x4c, 0x8b, 0x4d, 0x08], // mov r9, [rbp+8]
  [0x5f], // pop rdi
  [0xf4],
].flat();

/** Groups that go on in either arm, of which one may not be written to, and meet again where only one has moved RBP. */
const BRANCHING = [
  [0x50], // push rax
  [0x48, 0x89, 0xe5], // mov rbp, rsp
  [0xf6, 0xc2, 0x01], // test dl, 1
  [0x74, 0x10], // jz odd
  [0x48, 0x89, 0x4c, 0x24, 0xf8], // mov [rsp-8], rcx
  [0x48, 0x83, 0xc5, 0x10], // add rbp, 16
  [0x48, 0x03, 0x4d, 0x04], // add rcx, [rbp+4]
  [0x51], // push rcx
  [0xeb, 0x0a], // jmp both
  [0x48, 0x8b, 0x5c, 0x24, 0x10], // odd: mov rbx, [rsp+16]
  [0x48, 0x01, 0x5c, 0x24, 0x08], // add [rsp+8], rbx
  [0x48, 0x8b, 0x75, 0x08], // both: mov rsi, [rbp+8]
  [0xf6, 0xc2, 0x02], // test dl, 2
  [0x74, 0x04], // jz end
  [0x48, 0x89, 0x75, 0x10], // mov [rbp+16], rsi
  [0x4c, 0x8b, 0x45, 0x00], // end: mov r8, [rbp]
  [0x5f], // pop rdi
  [0xf4],
].flat();

/** Each arm opens a group that the other one does not know. */
const MEETING = [
  [0x48, 0x89, 0xe5], // mov rbp, rsp
  [0x48, 0x8b, 0x45, 0x04], // mov rax, [rbp+4]
  [0xf6, 0xc2, 0x01], // test dl, 1
  [0x74, 0x06], // jz odd
  [0x48, 0x89, 0x4d, 0x08], // mov [rbp+8], rcx
  [0xeb, 0x04], // jmp both
  [0x48, 0x89, 0x5d, 0x50], // odd: mov [rbp+80], rbx
  [0x48, 0x89, 0x4d, 0x10], // both: mov [rbp+16], rcx
  [0x48, 0x89, 0x5d, 0x58], // mov [rbp+88], rbx
  [0x48, 0x8b, 0x75, 0x00], // mov rsi, [rbp]
  [0xf4],
].flat();

/** A loop that moves RBP, and what follows it alone. */
const LOOPING = [
  [0x48, 0x89, 0xe5], // mov rbp, rsp
  [0x48, 0x8b, 0x75, 0x04], // mov rsi, [rbp+4]
  [0xb9, 0x03, 0x00, 0x00, 0x00], // mov ecx, 3
  [0x48, 0x03, 0x45, 0x00], // again: add rax, [rbp]
  [0x48, 0x89, 0x45, 0x0c], // mov [rbp+12], rax
  [0x48, 0x83, 0xc5, 0x08], // add rbp, 8
  [0xff, 0xc9], // dec ecx
  [0x75, 0xf0], // jnz again
  [0x48, 0x8b, 0x5d, 0xfc], // mov rbx, [rbp-4]
  [0x48, 0x89, 0x5d, 0x04], // mov [rbp+4], rbx
  [0xf4],
].flat();

/** mov rbx, fs:[rip + ...], with the address of the displacement 0 there, from `at` on. */
const relative = (at: number, displacement: number): number[] => {
  const bytes = Buffer.from([0x64, 0x48, 0x8b, 0x1d, 0, 0, 0, 0]);
  bytes.writeInt32LE(displacement - (Number(CODE) + at + bytes.length), 4);
  return [...bytes];
};
/** Fields at the base of a segment, which is where RSP is: by their offset, and as far from the instruction. */
const SEGMENT = [
  [0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0], // mov rax, fs:[8]
  [0x64, 0x48, 0x01, 0x04, 0x25, 16, 0, 0, 0], // add fs:[16], rax
  [0x64, 0xc6, 0x04, 0x25, 3, 0, 0, 0, 0x55], // mov byte fs:[3], 0x55
  relative(27, 20),
  [0x48, 0x03, 0x44, 0x24, 0x04], // add rax, [rsp+4]
  relative(40, 32),
  [0x8e, 0xe1], // mov fs, ecx
  [0x64, 0x48, 0x8b, 0x14, 0x25, 8, 0, 0, 0], // mov rdx, fs:[8]
  [0xf4],
].flat();

/** The second is as far from the page of the code as the first from the base of the segment, and lies nowhere. */
const TWO_BASES = [
  [0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0], // mov rax, fs:[8]
  [0x64, 0x48, 0x01, 0x04, 0x25, 16, 0, 0, 0], // add fs:[16], rax
  relative(18, Number(CODE) + 8),
  [0xf4],
].flat();

type Page = 'writable' | 'read-only' | 'absent';

interface Start {
  readonly lower: Page;
  readonly upper: Page;
  readonly rsp: bigint;
  readonly rdx?: bigint;
}

function run(program: readonly number[], { lower, upper, rsp, rdx = 0n }: Start, translate: boolean) {
  const fixture = new CoreFixture(64);
  const code = fixture.map(CODE, { write: false, execute: true });
  fixture.bytes.set(program, code);
  const pages = [
    [LOWER, lower],
    [UPPER, upper],
  ] as const;
  const data = pages.flatMap(([at, page]) => (page === 'absent' ? [] : [fixture.map(at, { write: page === 'writable' })]));
  data.forEach((at, n) => {
    for (let offset = 0; offset < 4096; offset++) fixture.bytes[at + offset] = (offset * 7 + n * 13 + (offset >> 8)) & 0xff;
  });
  const state = newState();
  state.gpr.forEach((_, n) => {
    state.gpr[n] = (0x1122334455667788n * BigInt(n + 1)) & 0x7fffffffffffffffn;
  });
  state.gpr[RSP] = rsp;
  state.gpr[RDX] = rdx;
  state.gpr[RCX] = 0n;
  state.rip = CODE;
  fixture.setState(state);
  fixture.setU64(fixture.cpu + VCPU_FS_BASE, rsp);
  if (translate) {
    const options = { ...DEFAULT_OPTIONS, thorough: true, everything: true, minimumInstructions: 1 };
    const translator = new Translator(fixture.exports as unknown as TranslatorCore, fixture.memory, fixture.cpu, options);
    expect(translator.translateAt(CODE)).toBe(true);
  }
  expect(fixture.run()).toBe(EXIT_EXCEPTION);
  const { gpr, rip, rflags } = fixture.getState();
  return {
    outcome: {
      gpr: [...gpr],
      rip,
      rflags,
      data: data.map((at) => Buffer.from(fixture.bytes.slice(at, at + 4096)).toString('hex')),
    },
    translated: fixture.getU64(fixture.cpu + VCPU_INSTRUCTIONS_TRANSLATED),
    redone: fixture.getU64(fixture.cpu + VCPU_REGION_REDOS),
  };
}

const PAGES = [
  ['writable', 'writable'],
  ['read-only', 'writable'],
  ['absent', 'writable'],
  ['writable', 'read-only'],
  ['writable', 'absent'],
  ['absent', 'absent'],
] as const;

describe('accesses that lie together', () => {
  describe.each([
    ['in one block', STRAIGHT, [0n]],
    ['in arms of branches', BRANCHING, [0n, 1n, 2n, 3n]],
    ['in arms that meet', MEETING, [0n, 1n]],
    ['in a loop and behind it', LOOPING, [0n]],
    ['in a segment', SEGMENT, [0n]],
    ['in a segment, by two bases', TWO_BASES, [0n]],
  ] as const)('%s', (_, program, conditions) => {
    it.each(PAGES)('end as interpreted around a page end: %s below, %s above', (lower, upper) => {
      for (let distance = -24n; distance <= 72n; distance += 4n) {
        for (const rdx of conditions) {
          const start = { lower, upper, rsp: UPPER + distance, rdx };
          const interpreted = run(program, start, false).outcome;
          expect(run(program, start, true).outcome, `RSP ${start.rsp.toString(16)}, RDX ${rdx}`).toEqual(interpreted);
        }
      }
    });
  });

  it.each([
    ['in one block', STRAIGHT, 15n, 16n],
    ['in arms of branches', BRANCHING, 11n, -4n],
    ['in arms that meet', MEETING, 8n, -4n],
    ['in a loop', LOOPING, 20n, -4n],
    ['in a segment', SEGMENT, 6n, -4n],
  ] as const)(
    'stay in the region where they lie in one page, and are given back where not: %s',
    (_, program, instructions, distance) => {
      const inside = run(program, { lower: 'writable', upper: 'writable', rsp: UPPER + 0x800n }, true);
      expect(inside.translated).toBeGreaterThanOrEqual(instructions);
      expect(inside.redone).toBe(0n);
      expect(run(program, { lower: 'writable', upper: 'writable', rsp: UPPER + distance }, true).redone).toBeGreaterThan(0n);
    },
  );
});
