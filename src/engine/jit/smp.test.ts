/** Several vCPUs at once: locked operations on operands that lie badly, and code that one vCPU writes while others run it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODE_ALIAS, DATA, SmpMachine, type SmpProgram } from './testing/smp-machine.ts';

const VCPUS = 3;
const ROUNDS = 1500;

const RSI = 6;
const RBX = 3;
const RDI = 7;
const R8 = 8;
const R9 = 9;
const R10 = 10;

/** A locked operation that adds one, with its address in RBX and RSI; R8 counts the rounds. `bytes` of the operand are compared. */
interface Operation {
  readonly name: string;
  readonly hex: string;
  readonly bytes: number;
  /** The sum is in a counter that the operation protects, not in the operand. */
  readonly lock?: true;
  readonly alignment?: number;
}

const operations: readonly Operation[] = [
  { name: 'lock add dword', hex: 'f0 83 03 01', bytes: 4 },
  { name: 'lock add qword', hex: 'f0 48 83 03 01', bytes: 8 },
  { name: 'lock inc word', hex: 'f0 66 ff 03', bytes: 2 },
  { name: 'lock xadd qword', hex: 'ba 01 00 00 00 f0 48 0f c1 13', bytes: 8 },
  { name: 'lock cmpxchg dword', hex: '8b 03 8d 48 01 f0 0f b1 0b 75 f7', bytes: 4 },
  { name: 'lock cmpxchg qword', hex: '48 8b 03 48 8d 48 01 f0 48 0f b1 0b 75 f5', bytes: 8 },
  { name: 'lock cmpxchg8b', hex: '8b 06 8b 56 04 89 c3 89 d1 83 c3 01 83 d1 00 f0 0f c7 0e 75 f0', bytes: 8 },
  {
    name: 'lock cmpxchg16b',
    hex: '48 8b 06 48 8b 56 08 48 89 c3 48 89 d1 48 ff c3 48 83 c1 03 f0 48 0f c7 0e 75 ec',
    bytes: 8,
    alignment: 16,
  },
  {
    name: 'xchg as a lock',
    hex: 'b8 01 00 00 00 87 03 85 c0 74 04 f3 90 eb f1 48 ff 07 c7 03 00 00 00 00',
    bytes: 4,
    lock: true,
  },
  { name: 'lock bts and btr as a lock', hex: 'f0 0f ba 2b 00 72 f9 48 ff 07 f0 0f ba 33 00', bytes: 4, lock: true },
];

/** Offsets in two adjacent pages of an operand. */
const places = [
  ['aligned', () => 0x100],
  ['inside one word', (bytes: number) => 0x108 - bytes - 1],
  ['across two words', (bytes: number) => 0x118 - (bytes >> 1)],
  ['across two lines', (bytes: number) => 0x140 - (bytes >> 1)],
  ['across two pages', (bytes: number) => 0x1000 - (bytes >> 1)],
] as const;

const COUNTER = 0x800;

function repeated(hex: string): string {
  const length = hex.split(' ').length;
  const back = (256 - (length + 3 + 2)).toString(16).padStart(2, '0');
  return `${hex} 49 ff c8 75 ${back}`;
}

const cases = operations.flatMap((operation) =>
  places
    .filter(([place]) => operation.alignment === undefined || place === 'aligned')
    .filter(([place]) => operation.bytes < 8 || place !== 'inside one word')
    .map(([place, offset]) => ({ title: `${operation.name} ${place}`, operation, at: offset(operation.bytes) })),
);

describe.each([
  ['interpreted', false],
  ['translated at once', true],
])('%s', (_, eager) => {
  const machine = new SmpMachine(VCPUS);
  beforeAll(() => machine.start(eager));
  afterAll(() => machine.stop());

  it.each(cases)('$title loses nothing', async ({ operation, at }) => {
    machine.clearData();
    const address = DATA + BigInt(at);
    const programs = Array.from({ length: VCPUS }, (__, vcpu): SmpProgram => {
      const gpr = { [RBX]: address, [RSI]: address, [RDI]: DATA + BigInt(COUNTER), [R8]: BigInt(ROUNDS) };
      return { at: vcpu * 0x100, hex: repeated(operation.hex), gpr };
    });
    await machine.run(programs);
    const total = BigInt(VCPUS * ROUNDS);
    expect(operation.lock === true ? machine.peek(COUNTER, 8) : machine.peek(at, operation.bytes)).toBe(total);
    if (operation.lock === true) expect(machine.peek(at, operation.bytes)).toBe(0n);
    if (operation.alignment === 16) expect(machine.peek(at + 8, 8)).toBe(total * 3n);
  });

  it('code that another vCPU has written is what runs behind a serialising instruction', async () => {
    machine.clearData();
    const last = 3000;
    const lastBytes = `${(last & 255).toString(16).padStart(2, '0')} ${(last >> 8).toString(16).padStart(2, '0')} 00 00`;
    // The function: mov eax, imm32; ret. The writer puts 1, 2, 3 ... into the immediate, then says so in the data page.
    const functionAt = 0x804;
    const writer: SmpProgram = {
      at: 0,
      hex: `b8 00 00 00 00 45 89 4a 01 4c 89 0e 49 ff c1 49 81 f9 ${lastBytes} 76 ed`,
      gpr: { [RSI]: DATA, [R9]: 1n, [R10]: CODE_ALIAS + BigInt(functionAt) },
    };
    const reader = (vcpu: number): SmpProgram => {
      const at = vcpu * 0x100;
      // mov r12, [rsi]; cpuid; call function; cmp rax, r12; jae +3; inc r15; cmp r12, last; jb back
      const target = functionAt - (at + 3 + 6 + 5);
      const call = [0, 8, 16, 24].map((shift) => ((target >> shift) & 255).toString(16).padStart(2, '0')).join(' ');
      return {
        at,
        hex: `4c 8b 26 31 c0 31 c9 0f a2 e8 ${call} 4c 39 e0 73 03 49 ff c7 49 81 fc ${lastBytes} 72 e1`,
        gpr: { [RSI]: DATA, 4: DATA + 0x1800n + BigInt(vcpu * 0x100) },
      };
    };
    const body: SmpProgram = { at: functionAt, hex: 'b8 00 00 00 00 c3', gpr: {} };
    await machine.run([writer, reader(1), reader(2)], [body]);
    for (const vcpu of [1, 2]) expect(machine.results(vcpu)).toEqual({ r12: BigInt(last), r15: 0n });
  });
});
