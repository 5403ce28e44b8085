/** Scenarios of paging, and of code that is written while it runs. @sdm Vol. 3A chapter 4, 9.1.3 (self-modifying code) */
import { expect } from 'vitest';
import { PAGE_BYTES } from '../layout.ts';
import { CODE, CODE_ALIAS, DATA, DATA_END, HIGH, STACK, type Scenario, hexBytes } from './bench.ts';
import { RAX, RBX, RCX, RDI, RSI, RSP } from './machine-state.ts';

const GP = 13;
const PF = 14;

const ACCESSED = 0x20n;
const DIRTY = 0x40n;
const LARGE = 0x80n;

/** A page of its own for each scenario that plays with rights. */
const EXTRA = 0x10_0000_0000n;

export const memoryScenarios: readonly Scenario[] = [
  {
    name: 'a read sets the accessed bit, a write the dirty bit too',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      fixture.map(EXTRA);
      const entry = fixture.pageTableEntry(EXTRA);
      bench.run('48 8b 03', { gpr: { [RBX]: EXTRA } });
      expect(fixture.getU64(entry) & (ACCESSED | DIRTY)).toBe(ACCESSED);
      bench.run('48 89 03', { gpr: { [RBX]: EXTRA } });
      expect(fixture.getU64(entry) & (ACCESSED | DIRTY)).toBe(ACCESSED | DIRTY);
    },
  },
  {
    name: 'a refused write sets no dirty bit',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      fixture.map(EXTRA, { write: false });
      expect(bench.run('48 89 03', { gpr: { [RBX]: EXTRA + 8n } }).fault).toEqual({ vector: PF, error: 7, address: EXTRA + 8n });
      expect(fixture.getU64(fixture.pageTableEntry(EXTRA)) & DIRTY).toBe(0n);
    },
  },
  {
    name: 'page-fault error codes tell present, write, user and fetch, in both modes',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const kernelPage = EXTRA + 0x1000n;
      const readOnly = EXTRA + 0x2000n;
      fixture.map(kernelPage, { user: false });
      fixture.map(readOnly, { write: false });
      const missing = EXTRA + 0x3000n;
      const cases: readonly (readonly [hex: string, address: bigint, user: boolean, error: number | null])[] = [
        ['48 8b 03', missing, true, 4],
        ['48 8b 03', missing, false, 0],
        ['48 89 03', missing, true, 6],
        ['48 89 03', missing, false, 2],
        ['48 8b 03', kernelPage, true, 5],
        ['48 8b 03', kernelPage, false, null],
        ['48 89 03', kernelPage, true, 7],
        ['48 89 03', readOnly, true, 7],
        ['48 89 03', readOnly, false, 3],
        ['48 8b 03', readOnly, false, null],
        ['ff e3', missing, true, 0x14],
        ['ff e3', missing, false, 0x10],
        ['ff e3', readOnly, true, 0x15],
        ['ff e3', readOnly, false, 0x11],
        ['48 83 03 01', readOnly, true, 7],
        ['f0 48 83 03 01', missing, true, 6],
        ['48 87 03', readOnly, true, 7],
        ['48 0f b1 03', readOnly, true, 7],
      ];
      for (const [hex, address, user, error] of cases) {
        const ending = bench.run(hex, { user, gpr: { [RBX]: address, [RAX]: 1n } });
        if (error === null) expect(ending.fault, `${hex} ${user ? 'user' : 'kernel'}`).toMatchObject({ vector: GP });
        else expect(ending.fault, `${hex} ${user ? 'user' : 'kernel'}`).toEqual({ vector: PF, error, address });
      }
    },
  },
  {
    name: 'kernel mode may not execute a page without the right either',
    covers: [],
    run(bench) {
      const ending = bench.run('ff e3', { user: false, gpr: { [RBX]: DATA } });
      expect(ending.fault).toEqual({ vector: PF, error: 0x11, address: DATA });
    },
  },
  {
    name: 'rights are those of all levels together',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      fixture.map(EXTRA);
      // take the write right at the level above
      const holder = fixture.pageTableEntry(EXTRA, 21n);
      fixture.setU64(holder, fixture.getU64(holder) & ~2n);
      expect(bench.run('48 89 03', { gpr: { [RBX]: EXTRA } }).fault).toEqual({ vector: PF, error: 7, address: EXTRA });
      expect(bench.run('48 8b 03', { gpr: { [RBX]: EXTRA } }).fault).toMatchObject({ vector: GP });
    },
  },
  {
    name: 'a 2 MiB page maps its 512 frames',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const address = 0x20_0000_0000n;
      const frame = fixture.takeFrame();
      const holder = fixture.pageTableEntry(address, 21n);
      const machine = fixture.machineAddress(frame);
      const base = machine & ~0x1fffffn;
      fixture.setU64(holder, base | LARGE | 7n);
      const inside = address + (machine - base) + 0x123n;
      fixture.bytes[fixture.hostOf(frame) + 0x123] = 0xab;
      const ending = bench.run('0f b6 03', { gpr: { [RBX]: inside } });
      expect(ending.fault).toMatchObject({ vector: GP });
      expect(ending.state.gpr[RAX]).toBe(0xabn);
      expect(fixture.getU64(holder) & ACCESSED).toBe(ACCESSED);
    },
  },
  {
    name: 'a frame that is not of this machine is a page fault, not an access',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      fixture.map(EXTRA);
      const entry = fixture.pageTableEntry(EXTRA);
      for (const foreign of [0n, 1n, 0xfffffffn]) {
        fixture.setU64(entry, (foreign << 12n) | 7n);
        fixture.exports.flushTlb(fixture.cpu);
        expect(bench.run('48 8b 03', { gpr: { [RBX]: EXTRA } }).fault).toMatchObject({ vector: PF, address: EXTRA });
      }
    },
  },
  {
    name: 'a changed entry takes effect after the flush of its page',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const first = fixture.map(EXTRA);
      const second = fixture.takeFrame();
      fixture.setU64(first, 0x1111n);
      fixture.setU64(fixture.hostOf(second), 0x2222n);
      expect(bench.run('48 8b 03', { gpr: { [RBX]: EXTRA } }).state.gpr[RAX]).toBe(0x1111n);
      fixture.map(EXTRA, {}, second);
      fixture.exports.flushPage(fixture.cpu, EXTRA);
      expect(bench.run('48 8b 03', { gpr: { [RBX]: EXTRA } }).state.gpr[RAX]).toBe(0x2222n);
      // user and kernel mode have translations of their own: both must be gone
      expect(bench.run('48 8b 03', { user: false, gpr: { [RBX]: EXTRA } }).state.gpr[RAX]).toBe(0x2222n);
    },
  },
  {
    name: 'code runs in the upper half, and RIP-relative and sign-extended addresses reach it',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const offset = fixture.map(HIGH, { execute: true });
      fixture.bytes.fill(0xf4, offset, offset + PAGE_BYTES);
      // mov rax, [rip+0x100-7]; mov rcx, [abs 0xffffffff81000108]
      fixture.bytes.set(hexBytes('48 8b 05 f9 00 00 00 48 8b 0c 25 08 01 00 81'), offset);
      fixture.setU64(offset + 0x100, 0x1234567890n);
      fixture.setU64(offset + 0x108, 0x42n);
      const ending = bench.runAt(HIGH, { user: false });
      expect(ending.fault).toMatchObject({ vector: GP });
      expect(ending.offset).toBe(15);
      expect(ending.state.gpr[RAX]).toBe(0x1234567890n);
      expect(ending.state.gpr[RCX]).toBe(0x42n);
    },
  },
  {
    name: 'addresses that are not canonical are #GP(0), just above and just below the hole',
    covers: [],
    run(bench) {
      for (const address of [0x8000_0000_0000n, 0xffff_7fff_ffff_ffffn, 0x7fff_ffff_fffcn + 8n, 0x1234_0000_0000_0000n]) {
        const ending = bench.run('48 8b 03', { gpr: { [RBX]: address } });
        expect(ending.fault, address.toString(16)).toMatchObject({ vector: GP, error: 0 });
        expect(ending.offset).toBe(0);
      }
    },
  },
  {
    name: 'an instruction across two pages is fetched from both; a fault on the second names its address',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const first = fixture.map(EXTRA, { execute: true });
      const bytes = hexBytes('48 b8 11 22 33 44 55 66 77 88');
      fixture.bytes.set(bytes.slice(0, 4), first + 4092);
      const missing = bench.runAt(EXTRA + 4092n);
      expect(missing.fault).toEqual({ vector: PF, error: 0x14, address: EXTRA + 0x1000n });
      expect(missing.offset).toBe(0);
      const second = fixture.map(EXTRA + 0x1000n, { execute: true });
      fixture.bytes.fill(0xf4, second, second + PAGE_BYTES);
      fixture.bytes.set(bytes.slice(4), second);
      const whole = bench.runAt(EXTRA + 4092n);
      expect(whole.offset).toBe(10);
      expect(whole.state.gpr[RAX]).toBe(0x8877665544332211n);
    },
  },
  {
    name: 'after its second page was mapped elsewhere, an instruction across two pages is decoded again',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const first = fixture.map(EXTRA, { execute: true });
      const bytes = hexBytes('48 b8 11 22 33 44 55 66 77 88');
      fixture.bytes.set(bytes.slice(0, 4), first + 4092);
      const frames = [fixture.takeFrame(), fixture.takeFrame()] as const;
      frames.forEach((frame, index) => {
        const offset = fixture.hostOf(frame);
        fixture.bytes.fill(0xf4, offset, offset + PAGE_BYTES);
        fixture.bytes.set([0xa0 + index, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5], offset);
      });
      fixture.map(EXTRA + 0x1000n, { execute: true }, frames[0]);
      expect((bench.runAt(EXTRA + 4092n).state.gpr[RAX] ?? 0n) & 0xff0000n).toBe(0xa00000n);
      fixture.map(EXTRA + 0x1000n, { execute: true }, frames[1]);
      fixture.exports.flushTlb(fixture.cpu);
      expect((bench.runAt(EXTRA + 4092n).state.gpr[RAX] ?? 0n) & 0xff0000n).toBe(0xa10000n);
    },
  },
  {
    name: 'a store into the code that follows it in the same block takes effect at once',
    covers: [],
    run(bench) {
      // mov byte [rbx], 0xc1 turns the inc rax (48 ff c0) behind it into inc rcx
      const code = bench.place('c6 03 c1 48 ff c0 90');
      const ending = bench.runAt(code, { gpr: { [RBX]: code - CODE + CODE_ALIAS + 5n } });
      expect(ending.fault).toMatchObject({ vector: GP });
      expect(ending.offset).toBe(7);
      expect([ending.state.gpr[RAX], ending.state.gpr[RCX]]).toEqual([0n, 1n]);
    },
  },
  {
    name: 'a store through another mapping of a page drops code that ran from it before',
    covers: [],
    run(bench) {
      const code = bench.place('48 ff c0 90');
      expect(bench.runAt(code).state.gpr[RAX]).toBe(1n);
      bench.run('c6 03 c1', { gpr: { [RBX]: code - CODE + CODE_ALIAS + 2n } });
      const again = bench.runAt(code);
      expect([again.state.gpr[RAX], again.state.gpr[RCX]]).toEqual([0n, 1n]);
    },
  },
  {
    name: 'every kind of store drops code: 1 to 16 bytes, locked, string, across pages, by vector registers',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const stores = [
        '88 03',
        '66 89 03',
        '89 03',
        '48 89 03',
        'f0 48 09 03',
        '48 87 03',
        'aa',
        'f3 ab',
        '0f 11 03',
        '66 0f d6 03',
        '0f c1 03',
        'dd 1b',
      ];
      for (const [number, store] of stores.entries()) {
        const page = EXTRA + BigInt(number) * 0x10000n;
        const frame = fixture.takeFrame();
        const offset = fixture.map(page, { execute: true }, frame);
        fixture.bytes.fill(0xf4, offset, offset + PAGE_BYTES);
        fixture.bytes.set(hexBytes('90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90'), offset + 0x100);
        expect(bench.runAt(page + 0x100n).offset, store).toBe(16);
        // RAX holds HLTs; what the store does not take from it leaves something that is not 16 NOPs
        bench.run(store, {
          gpr: { [RAX]: 0xf4f4f4f4f4f4f4f4n, [RBX]: page + 0x100n, [RDI]: page + 0x100n, [RCX]: 2n, [RSI]: page + 0x100n },
        });
        const after = bench.runAt(page + 0x100n);
        const now = Array.from(fixture.bytes.subarray(offset + 0x100, offset + 0x110));
        const unchanged = now.every((byte) => byte === 0x90);
        expect(unchanged, `${store} stored`).toBe(false);
        if (now[0] === 0xf4) expect(after.offset, store).toBe(0);
        else expect(after.offset, store).not.toBe(16);
      }
    },
  },
  {
    name: 'writes by others are seen once they are told of: storeMarked drops the code',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const offset = fixture.map(EXTRA, { execute: true });
      fixture.bytes.fill(0xf4, offset, offset + PAGE_BYTES);
      fixture.bytes.set(hexBytes('48 ff c0'), offset);
      expect(bench.runAt(EXTRA).state.gpr[RAX]).toBe(1n);
      fixture.bytes.set(hexBytes('48 ff c1'), offset);
      fixture.exports.storeMarked(0, offset, 3);
      const again = bench.runAt(EXTRA);
      expect([again.state.gpr[RAX], again.state.gpr[RCX]]).toEqual([0n, 1n]);
    },
  },
  {
    name: 'accesses across two pages take their bytes from both frames',
    covers: [],
    run(bench) {
      const { fixture } = bench;
      const first = fixture.map(EXTRA);
      fixture.takeFrame(); // the frames are not neighbours
      const second = fixture.map(EXTRA + 0x1000n);
      fixture.bytes.set([1, 2, 3], first + 4093);
      fixture.bytes.set([4, 5, 6, 7, 8], second);
      expect(bench.run('48 8b 03', { gpr: { [RBX]: EXTRA + 4093n } }).state.gpr[RAX]).toBe(0x0807060504030201n);
      bench.run('48 89 0b', { gpr: { [RBX]: EXTRA + 4093n, [RCX]: 0x1122334455667788n } });
      expect(Array.from(fixture.bytes.subarray(first + 4093, first + 4096))).toEqual([0x88, 0x77, 0x66]);
      expect(Array.from(fixture.bytes.subarray(second, second + 5))).toEqual([0x55, 0x44, 0x33, 0x22, 0x11]);
      bench.run('f0 48 01 0b', { gpr: { [RBX]: EXTRA + 4093n, [RCX]: 1n } });
      expect(fixture.bytes[first + 4093]).toBe(0x89);
    },
  },
  {
    name: 'a store whose second page is missing writes nothing to the first',
    covers: [],
    run(bench) {
      for (const hex of ['48 89 0b', '48 01 0b', 'f0 48 01 0b', '48 87 0b', '0f 11 03', '48 0f b1 0b']) {
        const { fixture } = bench;
        const before = fixture.getU64(fixture.hostOf(fixture.frameOf(DATA + 0x1000n)) + 4088);
        const ending = bench.run(hex, { gpr: { [RBX]: DATA_END - 4n, [RCX]: -1n } });
        expect(ending.fault, hex).toEqual({ vector: PF, error: 6, address: DATA_END });
        expect(fixture.getU64(fixture.hostOf(fixture.frameOf(DATA + 0x1000n)) + 4088), hex).toBe(before);
      }
    },
  },
  {
    name: 'a page-fault on the stack of a call leaves RIP and RSP where they were',
    covers: [],
    run(bench) {
      for (const hex of ['e8 10 00 00 00', 'ff d3', '50', '9c', 'c8 00 00 00']) {
        const stack = STACK & ~0xfffn;
        const ending = bench.run(hex, { gpr: { [RSP]: stack, [RBX]: CODE } });
        expect(ending.fault, hex).toEqual({ vector: PF, error: 6, address: stack - 8n });
        expect(ending.offset, hex).toBe(0);
        expect(ending.state.gpr[RSP], hex).toBe(stack);
      }
    },
  },
];
