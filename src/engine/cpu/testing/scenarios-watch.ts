/** Scenarios of data breakpoints. @sdm Vol.3B 18.2.4, 18.3.1.2 */
import { expect } from 'vitest';
import { VCPU_DR } from '../layout.ts';
import { type Bench, DATA, type Ending, type Scenario } from './bench.ts';
import { RBX, RCX, RDI } from './machine-state.ts';

const DB = 1;
/** DR7 with breakpoint 0 enabled: R/W in bits 16-17, LEN in bits 18-19. */
const onWrite = (length: bigint): bigint => 1n | (1n << 16n) | (length << 18n);
const onAccess = (length: bigint): bigint => 1n | (3n << 16n) | (length << 18n);
const LENGTH_1 = 0n;
const LENGTH_8 = 2n;
const LENGTH_4 = 3n;

function watching(bench: Bench, address: bigint, dr7: bigint): void {
  const { fixture } = bench;
  fixture.setU64(fixture.cpu + VCPU_DR, address);
  fixture.setU64(fixture.cpu + VCPU_DR + 6 * 8, 0xffff0ff0n);
  fixture.setU64(fixture.cpu + VCPU_DR + 7 * 8, dr7);
}

function expectTrap(bench: Bench, ending: Ending, offset: number): void {
  expect(ending.fault).toMatchObject({ vector: DB });
  expect(ending.offset).toBe(offset);
  expect(bench.fixture.getU64(bench.fixture.cpu + VCPU_DR + 6 * 8) & 15n).toBe(1n);
}

export const watchScenarios: readonly Scenario[] = [
  {
    name: 'a write breakpoint traps behind the store that hits it, not behind loads and other stores',
    covers: [],
    run(bench) {
      watching(bench, DATA + 16n, onWrite(LENGTH_4));
      // mov rax,[rbx+16]; mov [rbx+8],rax; mov [rbx+19],al; nop
      const ending = bench.run('48 8b 43 10 48 89 43 08 88 43 13 90', { gpr: { [RBX]: DATA } });
      expectTrap(bench, ending, 11);
    },
  },
  {
    name: 'an access breakpoint traps behind a load, and sees accesses that only overlap it',
    covers: [],
    run(bench) {
      watching(bench, DATA + 32n, onAccess(LENGTH_1));
      // mov rax,[rbx+24]; mov rax,[rbx+25]; nop
      const ending = bench.run('48 8b 43 18 48 8b 43 19 90', { gpr: { [RBX]: DATA } });
      expectTrap(bench, ending, 8);
    },
  },
  {
    name: 'the watched address counts from its length',
    covers: [],
    run(bench) {
      // The low bits of the address are ignored: eight bytes from DATA + 8.
      watching(bench, DATA + 13n, onWrite(LENGTH_8));
      const ending = bench.run('c6 43 07 00 c6 43 10 00 c6 43 08 00 90', { gpr: { [RBX]: DATA } });
      expectTrap(bench, ending, 12);
    },
  },
  {
    name: 'a repeated store traps behind the iteration that hits',
    covers: [],
    run(bench) {
      watching(bench, DATA + 2n, onWrite(LENGTH_1));
      const ending = bench.run('f3 aa 90', { gpr: { [RDI]: DATA, [RCX]: 5n } });
      expectTrap(bench, ending, 0);
      expect(ending.state.gpr[RCX]).toBe(2n);
    },
  },
];
