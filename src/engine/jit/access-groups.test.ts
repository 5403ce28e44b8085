/** Accesses that share one look into the TLB behave as each on its own, wherever they lie and whichever of them faults. */
import { describe, expect, it } from 'vitest';
import { EXIT_EXCEPTION, VCPU_INSTRUCTIONS_TRANSLATED, VCPU_REGION_REDOS } from '../cpu/layout.ts';
import { CoreFixture } from '../cpu/testing/fixture.ts';
import { newState } from '../cpu/testing/machine-state.ts';
import type { TranslatorCore } from './core.ts';
import { DEFAULT_OPTIONS, Translator } from './translator.ts';

const CODE = 0x400000n;
const LOWER = 0x600000n;
const UPPER = LOWER + 0x1000n;
const RSP = 4;

/** Pushes, pops and fields around RSP and a copy of it; the faults of each are at an instruction of its own. */
const PROGRAM = [
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

type Page = 'writable' | 'read-only' | 'absent';

function run(lower: Page, upper: Page, rsp: bigint, translate: boolean) {
  const fixture = new CoreFixture(64);
  const code = fixture.map(CODE, { write: false, execute: true });
  fixture.bytes.set(PROGRAM, code);
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
  state.rip = CODE;
  fixture.setState(state);
  if (translate) {
    const options = { ...DEFAULT_OPTIONS, thorough: true };
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

describe('accesses that lie together', () => {
  it.each([
    ['writable', 'writable'],
    ['read-only', 'writable'],
    ['absent', 'writable'],
    ['writable', 'read-only'],
    ['writable', 'absent'],
    ['absent', 'absent'],
  ] as const)('end as interpreted around a page end: %s below, %s above', (lower, upper) => {
    for (let distance = -24n; distance <= 72n; distance += 4n) {
      const rsp = UPPER + distance;
      expect(run(lower, upper, rsp, true).outcome, `RSP ${rsp.toString(16)}`).toEqual(run(lower, upper, rsp, false).outcome);
    }
  });

  it('stay in the region where they lie in one page, and are given back where they do not', () => {
    const inside = run('writable', 'writable', UPPER + 0x800n, true);
    expect(inside.translated).toBeGreaterThanOrEqual(15n);
    expect(inside.redone).toBe(0n);
    expect(run('writable', 'writable', UPPER + 16n, true).redone).toBe(1n);
  });
});
