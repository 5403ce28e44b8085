/** Ways from one region to another: they are taken only as long as they lead to the code that is there. */
import { beforeEach, describe, expect, it } from 'vitest';
import { VCPU_REGION_ENTRIES, WAY_ENTRIES } from '../cpu/layout.ts';
import { ALIAS, CODE, RegionMachine, SECOND } from './testing/region-machine.ts';

const HLT = 0xf4;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RDI = 7;
const ROUNDS = 50n;

/** One region goes to the other by a register, and that comes back until the rounds are over. */
const THERE = [
  [0xff, 0xc0], // inc eax
  [0xff, 0xe2], // jmp rdx
].flat();
const BACK = [
  [0x83, 0xc0, 0x10], // add eax, 16
  [0xff, 0xc9], // dec ecx
  [0x74, 0x02], // jz end
  [0xff, 0xe3], // jmp rbx
  [HLT], // end
].flat();

const registers = { [RCX]: ROUNDS, [RDX]: SECOND, [RBX]: CODE };

let machine: RegionMachine;
beforeEach(() => {
  machine = new RegionMachine(undefined, { growthThreshold: 1_000_000 });
  machine.place(machine.first, ...THERE);
  machine.place(machine.second, ...BACK);
  expect(machine.translator.translateAt(CODE)).toBe(true);
  expect(machine.translator.translateAt(SECOND)).toBe(true);
});

/** The result, and how many instructions were executed in regions. */
function run(changed: Readonly<Record<number, bigint>> = {}): { result: bigint; translated: bigint } {
  let result = 0n;
  const translated = machine.translated(() => {
    result = machine.result({ ...registers, ...changed });
  });
  return { result, translated };
}

describe('a way from a region to another', () => {
  it('is taken each time', () => {
    const before = machine.count(VCPU_REGION_ENTRIES);
    expect(run()).toEqual({ result: 17n * ROUNDS, translated: 6n * ROUNDS - 1n });
    expect(machine.count(VCPU_REGION_ENTRIES) - before).toBe(2n * ROUNDS);
  });

  it('does not lead to code that has been written', () => {
    run();
    machine.patch(machine.second + 2, 0x20);
    expect(run().result).toBe(33n * ROUNDS);
  });

  it('does not lead to code that a region on the way writes', () => {
    // mov [rdi], cl: the constant that the other region adds, through another address
    machine = new RegionMachine(undefined, { growthThreshold: 1_000_000 });
    machine.place(machine.second, 0x88, 0x0f, ...THERE);
    machine.place(machine.first, ...BACK);
    machine.translator.translateAt(CODE);
    machine.translator.translateAt(SECOND);
    // Each round but the first adds what the round before has written; then one more than rounds are left.
    const sum = (ROUNDS * (ROUNDS - 1n)) / 2n;
    expect(run({ [RDX]: CODE, [RBX]: SECOND, [RDI]: ALIAS + 2n }).result).toBe(16n + sum + ROUNDS - 1n);
  });

  it.each([
    ['all translations are dropped', () => machine.fixture.exports.flushTlb(machine.fixture.cpu)],
    ['those of the page are', () => machine.fixture.exports.flushPage(machine.fixture.cpu, SECOND)],
  ])('does not lead to a page that is mapped elsewhere once %s', (_, flush) => {
    run();
    const other = machine.fixture.map(SECOND, { write: false, execute: true });
    machine.place(other, ...BACK.with(2, 0x40));
    flush();
    expect(run().result).toBe(65n * ROUNDS);
  });

  it('leads to the region that has taken the place of another', () => {
    run();
    expect(machine.translator.extend(SECOND, CODE)).toBe(true);
    const before = machine.count(VCPU_REGION_ENTRIES);
    expect(run()).toEqual({ result: 17n * ROUNDS, translated: 6n * ROUNDS - 1n });
    expect(machine.count(VCPU_REGION_ENTRIES) - before).toBeLessThan(3n);
  });

  it('gives way to another of its slot', () => {
    // The same low bits of the page number, and of the address.
    const far = SECOND + (BigInt(WAY_ENTRIES) << 12n);
    machine.place(machine.fixture.map(far, { write: false, execute: true }), ...BACK.with(2, 0x40));
    run();
    run({ [RDX]: far });
    expect(machine.translator.translateAt(far)).toBe(true);
    for (let n = 0; n < 2; n++) {
      expect(run({ [RDX]: far })).toEqual({ result: 65n * ROUNDS, translated: 6n * ROUNDS - 1n });
      expect(run()).toEqual({ result: 17n * ROUNDS, translated: 6n * ROUNDS - 1n });
    }
  });
});
