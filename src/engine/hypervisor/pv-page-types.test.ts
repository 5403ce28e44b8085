import { beforeEach, describe, expect, test } from 'vitest';
import { DOMID_SELF } from '../abi/domid.ts';
import { EFAULT, EINVAL, ESRCH } from '../abi/errno.ts';
import {
  __HYPERVISOR_mmu_update,
  __HYPERVISOR_mmuext_op,
  __HYPERVISOR_set_gdt,
  __HYPERVISOR_update_descriptor,
  __HYPERVISOR_update_va_mapping,
  __HYPERVISOR_vm_assist,
} from '../abi/hypercall.ts';
import {
  MMUEXT_CLEAR_PAGE,
  MMUEXT_COPY_PAGE,
  MMUEXT_NEW_BASEPTR,
  MMUEXT_NEW_USER_BASEPTR,
  MMUEXT_PIN_L1_TABLE,
  MMUEXT_PIN_L2_TABLE,
  MMUEXT_PIN_L4_TABLE,
  MMUEXT_UNPIN_TABLE,
  MMU_MACHPHYS_UPDATE,
  MMU_PT_UPDATE_PRESERVE_AD,
  UVMF_INVLPG,
  VMASST_CMD_enable,
  VMASST_TYPE_writable_pagetables,
} from '../abi/mmu.ts';
import { VCPU_CR3_KERNEL, VCPU_RAX, VCPU_RBX, VCPU_RIP } from '../cpu/layout.ts';
import { TYPE_DESCRIPTORS, TYPE_L1, TYPE_L2, TYPE_L3, TYPE_L4, TYPE_NONE, TYPE_WRITABLE } from '../pv/layout.ts';
import {
  CODE,
  DATA,
  FREE_PFN,
  L1_PFN,
  L2_PFN,
  L3_PFN,
  L4_PFN,
  MAX_PAGES,
  NX,
  P,
  PAGES,
  PvGuest,
  RW,
  TABLES,
  US,
  maddrOf,
  mfnOf,
} from './testing/pv-guest.ts';

let guest: PvGuest;
beforeEach(() => {
  guest = new PvGuest();
});

/** Slot of an unused page of the guest's last-level table, and its address. */
const SPARE_SLOT = 0x20;
const SPARE = 0x400000n + 0x20000n;

const update = (pointer: bigint, value: bigint, domain: number = DOMID_SELF): number =>
  guest.hypercall(__HYPERVISOR_mmu_update, guest.quads(0, pointer, value), 1, guest.words(0x100, 0), domain);
const extended = (command: number, first: bigint | number, second: bigint | number = 0): number =>
  guest.hypercall(__HYPERVISOR_mmuext_op, guest.quads(0, command, first, second), 1, 0, DOMID_SELF);
const mapAt = (va: bigint, value: bigint, flags: bigint | number = UVMF_INVLPG): number =>
  guest.hypercall(__HYPERVISOR_update_va_mapping, va, value, flags);
const pointerTo = (tablePfn: number, slot: number): bigint => maddrOf(tablePfn) + BigInt(slot * 8);

test('pinning the root validated the whole tree', () => {
  expect(guest.frame(L4_PFN)).toEqual({ type: TYPE_L4, uses: 2, references: 4 });
  expect(guest.frame(L3_PFN)).toMatchObject({ type: TYPE_L3, uses: 1 });
  expect(guest.frame(L2_PFN)).toMatchObject({ type: TYPE_L2, uses: 1 });
  expect(guest.frame(L1_PFN)).toMatchObject({ type: TYPE_L1, uses: 1 });
  expect(guest.frame(1)).toEqual({ type: TYPE_WRITABLE, uses: 1, references: 2 });
  expect(guest.frame(0)).toEqual({ type: TYPE_NONE, uses: 0, references: 2 });
});

describe('last-level entries', () => {
  const cases: readonly [string, bigint, number][] = [
    ['RAM, writable', maddrOf(FREE_PFN) | P | RW, 0],
    ['RAM, read-only', maddrOf(FREE_PFN) | P, 0],
    ['RAM with software bits and NX', maddrOf(FREE_PFN) | P | RW | 0xe00n | (1n << 58n) | NX, 0],
    ['a global entry', maddrOf(FREE_PFN) | P | 0x100n, 0],
    ['not present, whatever else', 0xdeadbeef000n | RW, 0],
    ['the shared_info page', (BigInt(mfnOf(0) - 65) * 4096n) | P | RW, 0],
    ['a page table, read-only', maddrOf(L1_PFN) | P, 0],
    ['a page table, writable', maddrOf(L1_PFN) | P | RW, -EINVAL],
    ['the root table, writable', maddrOf(L4_PFN) | P | RW, -EINVAL],
    ['a page that was never populated', maddrOf(PAGES) | P, -EINVAL],
    ['a frame behind the domain', maddrOf(MAX_PAGES) | P, -EINVAL],
    ['a frame in front of the domain', 0x1000n | P, -EINVAL],
    ['a huge frame number', 0xffffffffff000n | P, -EINVAL],
    ['write-through', maddrOf(FREE_PFN) | P | 8n, -EINVAL],
    ['cache-disabled', maddrOf(FREE_PFN) | P | 16n, -EINVAL],
    ['a PAT bit', maddrOf(FREE_PFN) | P | 0x80n, -EINVAL],
    ['the grant bit', maddrOf(FREE_PFN) | P | (1n << 62n), -EINVAL],
  ];
  test.each(cases)('%s', (_, entry, expected) => {
    expect(mapAt(SPARE, entry)).toBe(expected);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(expected === 0 ? entry : 0n);
    expect(update(pointerTo(L1_PFN, SPARE_SLOT), 0n)).toBe(0);
    expect(update(pointerTo(L1_PFN, SPARE_SLOT), entry)).toBe(expected);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(expected === 0 ? entry : 0n);
  });

  test('a refused entry takes nothing and lets nothing go', () => {
    const before = [guest.frame(FREE_PFN), guest.frame(1)];
    expect(mapAt(DATA, maddrOf(L1_PFN) | P | RW)).toBe(-EINVAL);
    expect([guest.frame(FREE_PFN), guest.frame(1)]).toEqual(before);
    expect(guest.tableEntry(L1_PFN, 1) & P).toBe(P);
  });

  test('counts follow the entries', () => {
    mapAt(SPARE, maddrOf(FREE_PFN) | P | RW);
    expect(guest.frame(FREE_PFN)).toEqual({ type: TYPE_WRITABLE, uses: 1, references: 2 });
    mapAt(SPARE, maddrOf(FREE_PFN) | P);
    expect(guest.frame(FREE_PFN)).toEqual({ type: TYPE_WRITABLE, uses: 0, references: 2 });
    mapAt(SPARE, 0n);
    expect(guest.frame(FREE_PFN)).toEqual({ type: TYPE_WRITABLE, uses: 0, references: 1 });
  });

  test('PRESERVE_AD keeps accessed and dirty bits, a normal update does not', () => {
    mapAt(SPARE, maddrOf(FREE_PFN) | P | RW | 0x60n);
    update(pointerTo(L1_PFN, SPARE_SLOT) | BigInt(MMU_PT_UPDATE_PRESERVE_AD), maddrOf(FREE_PFN) | P);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(maddrOf(FREE_PFN) | P | 0x60n);
    update(pointerTo(L1_PFN, SPARE_SLOT), maddrOf(FREE_PFN) | P);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(maddrOf(FREE_PFN) | P);
  });

  test.each([
    ['an address without a last-level table', 0x600000n],
    ['an address without any table', 0x7f0000000000n],
    ['the hypervisor’s range', 0xffff820000000000n],
  ])('update_va_mapping of %s', (_, va) => {
    expect(mapAt(va, maddrOf(FREE_PFN) | P)).toBe(-EINVAL);
  });

  test('the next access sees the new mapping', () => {
    const readSpare = [0x48, 0x8b, 0x04, 0x25, 0x00, 0x00, 0x42, 0x00]; // mov rax, [0x420000]
    guest.view.setBigUint64(guest.ram(FREE_PFN), 0x1111n, true);
    guest.view.setBigUint64(guest.ram(FREE_PFN + 1), 0x2222n, true);
    mapAt(SPARE, maddrOf(FREE_PFN) | P);
    guest.execute(readSpare);
    expect(guest.get(VCPU_RAX)).toBe(0x1111n);
    mapAt(SPARE, maddrOf(FREE_PFN + 1) | P);
    guest.execute(readSpare);
    expect(guest.get(VCPU_RAX)).toBe(0x2222n);
  });
});

describe('higher tables', () => {
  test('an entry promotes the frame below, and gives it back', () => {
    expect(update(pointerTo(L2_PFN, 5), maddrOf(FREE_PFN) | P | RW | US)).toBe(0);
    expect(guest.frame(FREE_PFN)).toEqual({ type: TYPE_L1, uses: 1, references: 2 });
    expect(update(pointerTo(L2_PFN, 5), 0n)).toBe(0);
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 1 });
    expect(mapAt(SPARE, maddrOf(FREE_PFN) | P | RW)).toBe(0);
  });

  const cases: readonly [string, number, number, bigint][] = [
    ['a large page', L2_PFN, 5, maddrOf(FREE_PFN) | P | RW | US | 0x80n],
    ['a global table', L2_PFN, 5, maddrOf(FREE_PFN) | P | 0x100n],
    ['a page that is mapped writable', L2_PFN, 5, maddrOf(1) | P | RW | US],
    ['a table of the wrong level', L3_PFN, 5, maddrOf(L1_PFN) | P | RW | US],
    ['the shared_info page', L2_PFN, 5, (BigInt(mfnOf(0) - 65) << 12n) | P],
    ['a frame of somebody else', L4_PFN, 5, 0x1000n | P],
    ['the hypervisor’s first slot', L4_PFN, 256, maddrOf(L3_PFN) | P | RW | US],
    ['the hypervisor’s last slot', L4_PFN, 271, 0n],
    ['a table that refers to itself', L4_PFN, 300, maddrOf(L4_PFN) | P],
  ];
  test.each(cases)('%s is refused', (_, table, slot, entry) => {
    const before = guest.tableEntry(table, slot);
    expect(update(pointerTo(table, slot), entry)).toBe(-EINVAL);
    expect(guest.tableEntry(table, slot)).toBe(before);
  });

  test('a table with one bad entry is refused and everything it took is let go', () => {
    guest.view.setBigUint64(guest.ram(FREE_PFN, 0), maddrOf(FREE_PFN + 1) | P | RW, true);
    guest.view.setBigUint64(guest.ram(FREE_PFN, 8 * 511), maddrOf(L4_PFN) | P | RW, true);
    expect(update(pointerTo(L2_PFN, 5), maddrOf(FREE_PFN) | P | RW | US)).toBe(-EINVAL);
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 1 });
    expect(guest.frame(FREE_PFN + 1)).toMatchObject({ uses: 0, references: 1 });
  });
});

describe('pins', () => {
  test('a page mapped writable cannot be pinned, and a pinned one not be mapped writable', () => {
    expect(extended(MMUEXT_PIN_L1_TABLE, mfnOf(1))).toBe(-EINVAL);
    expect(extended(MMUEXT_PIN_L1_TABLE, mfnOf(FREE_PFN))).toBe(0);
    expect(mapAt(SPARE, maddrOf(FREE_PFN) | P | RW)).toBe(-EINVAL);
    expect(extended(MMUEXT_UNPIN_TABLE, mfnOf(FREE_PFN))).toBe(0);
    expect(mapAt(SPARE, maddrOf(FREE_PFN) | P | RW)).toBe(0);
  });

  test.each([
    ['twice', () => (extended(MMUEXT_PIN_L1_TABLE, mfnOf(FREE_PFN)), extended(MMUEXT_PIN_L1_TABLE, mfnOf(FREE_PFN)))],
    ['as another level', () => (extended(MMUEXT_PIN_L1_TABLE, mfnOf(FREE_PFN)), extended(MMUEXT_PIN_L2_TABLE, mfnOf(FREE_PFN)))],
    ['without a frame', () => extended(MMUEXT_PIN_L1_TABLE, 5)],
    ['a frame that is free', () => extended(MMUEXT_PIN_L1_TABLE, mfnOf(PAGES + 1))],
    ['unpinning what is not pinned', () => extended(MMUEXT_UNPIN_TABLE, mfnOf(FREE_PFN))],
  ])('%s is refused', (_, act) => {
    expect(act()).toBe(-EINVAL);
  });

  test('a table stays a table while it is in use after unpinning', () => {
    expect(extended(MMUEXT_UNPIN_TABLE, mfnOf(L4_PFN))).toBe(0);
    expect(guest.frame(L4_PFN)).toMatchObject({ type: TYPE_L4, uses: 1 });
    expect(extended(MMUEXT_PIN_L4_TABLE, mfnOf(L4_PFN))).toBe(0);
  });

  test('the hypervisor’s slots of a root table are emptied', () => {
    guest.view.setBigUint64(guest.ram(FREE_PFN, 256 * 8), 0xdead0001n, true);
    guest.view.setBigUint64(guest.ram(FREE_PFN, 271 * 8), 0xdead0001n, true);
    expect(extended(MMUEXT_PIN_L4_TABLE, mfnOf(FREE_PFN))).toBe(0);
    expect([guest.tableEntry(FREE_PFN, 256), guest.tableEntry(FREE_PFN, 271)]).toEqual([0n, 0n]);
  });
});

describe('base pointers', () => {
  test('NEW_USER_BASEPTR takes a root, 0 lets it go', () => {
    expect(extended(MMUEXT_NEW_USER_BASEPTR, guest.userRoot)).toBe(0);
    expect(guest.userTable).toBe(BigInt(guest.userRoot) << 12n);
    expect(extended(MMUEXT_NEW_USER_BASEPTR, mfnOf(1))).toBe(-EINVAL);
    expect(guest.userTable).toBe(BigInt(guest.userRoot) << 12n);
    expect(extended(MMUEXT_NEW_USER_BASEPTR, 0)).toBe(0);
    expect(guest.userTable).toBe(0n);
  });

  test('NEW_BASEPTR needs a root table', () => {
    const before = guest.get(VCPU_CR3_KERNEL);
    expect(extended(MMUEXT_NEW_BASEPTR, mfnOf(L3_PFN))).toBe(-EINVAL);
    expect(extended(MMUEXT_NEW_BASEPTR, 0)).toBe(-EINVAL);
    expect(guest.get(VCPU_CR3_KERNEL)).toBe(before);
    expect(extended(MMUEXT_NEW_BASEPTR, guest.userRoot)).toBe(0);
    expect(guest.get(VCPU_CR3_KERNEL)).toBe(BigInt(guest.userRoot) << 12n);
  });
});

describe('other updates', () => {
  test('an update of an ordinary page is a plain store', () => {
    expect(update(maddrOf(FREE_PFN) + 16n, 0x123456789abcdef0n)).toBe(0);
    expect(guest.tableEntry(FREE_PFN, 2)).toBe(0x123456789abcdef0n);
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 1 });
  });

  test('MACHPHYS_UPDATE sets the machine-to-physical entry of an own frame only', () => {
    expect(guest.machineToPhysical(mfnOf(FREE_PFN))).toBe(BigInt(FREE_PFN));
    expect(update(maddrOf(FREE_PFN) | BigInt(MMU_MACHPHYS_UPDATE), 0x777n)).toBe(0);
    expect(guest.machineToPhysical(mfnOf(FREE_PFN))).toBe(0x777n);
    expect(update(maddrOf(PAGES) | BigInt(MMU_MACHPHYS_UPDATE), 0x777n)).toBe(-EINVAL);
    expect(update(maddrOf(-1) | BigInt(MMU_MACHPHYS_UPDATE), 0x777n)).toBe(-EINVAL);
  });

  test('done counts what was done before the failure', () => {
    const requests = guest.quads(0, pointerTo(L1_PFN, 0x30), 0n, pointerTo(L1_PFN, 0x31), 0n, 0x1000n, 0n);
    const done = guest.words(0x100, 99);
    expect(guest.hypercall(__HYPERVISOR_mmu_update, requests, 3, done, DOMID_SELF)).toBe(-EINVAL);
    expect(guest.word(0x100)).toBe(2);
  });

  test('foreign domains and unreadable requests', () => {
    expect(update(pointerTo(L1_PFN, 0x30), 0n, 3)).toBe(-ESRCH);
    expect(guest.hypercall(__HYPERVISOR_mmu_update, 0x7000000000n, 1, 0, DOMID_SELF)).toBe(-EFAULT);
  });

  test('CLEAR_PAGE and COPY_PAGE', () => {
    guest.bytes.fill(0x5a, guest.ram(FREE_PFN), guest.ram(FREE_PFN) + 4096);
    expect(extended(MMUEXT_COPY_PAGE, mfnOf(FREE_PFN + 1), mfnOf(FREE_PFN))).toBe(0);
    expect(guest.bytes[guest.ram(FREE_PFN + 1, 4095)]).toBe(0x5a);
    expect(extended(MMUEXT_CLEAR_PAGE, mfnOf(FREE_PFN))).toBe(0);
    expect(guest.bytes[guest.ram(FREE_PFN, 4095)]).toBe(0);
    expect(extended(MMUEXT_CLEAR_PAGE, mfnOf(L1_PFN))).toBe(-EINVAL);
  });
});

describe('direct stores to last-level tables', () => {
  /** VA of the L1's slot in the read-only window on the tables. */
  const slotAddress = TABLES + 0x3000n + BigInt(SPARE_SLOT * 8);
  const storeRax = [0x48, 0x89, 0x03]; // mov [rbx], rax
  const exchange = [0x48, 0x87, 0x03]; // xchg [rbx], rax
  const clearBit = [0x48, 0x0f, 0xba, 0x33, 0x01]; // btr qword [rbx], 1
  const act = (code: number[], value: bigint, address = slotAddress): void => {
    guest.set(VCPU_RAX, value);
    guest.set(VCPU_RBX, address);
    guest.execute(code);
  };

  beforeEach(() => {
    guest.setTraps([14, 4, CODE + 0x800n]);
    guest.hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
  });

  const faulted = (): boolean => guest.get(VCPU_RIP) === CODE + 0x800n;

  test('a valid entry is stored and counted', () => {
    act(storeRax, maddrOf(FREE_PFN) | P | RW);
    expect(faulted()).toBe(false);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(maddrOf(FREE_PFN) | P | RW);
    expect(guest.frame(FREE_PFN)).toEqual({ type: TYPE_WRITABLE, uses: 1, references: 2 });
  });

  test('an exchange returns the old entry', () => {
    act(storeRax, maddrOf(FREE_PFN) | P | RW);
    act(exchange, 0n);
    expect(faulted()).toBe(false);
    expect(guest.get(VCPU_RAX)).toBe(maddrOf(FREE_PFN) | P | RW);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(0n);
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 1 });
  });

  test('a bit operation write-protects', () => {
    act(storeRax, maddrOf(FREE_PFN) | P | RW);
    act(clearBit, 0n);
    expect(faulted()).toBe(false);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(maddrOf(FREE_PFN) | P);
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 2 });
  });

  test('a narrow store changes its bytes only', () => {
    act(storeRax, maddrOf(FREE_PFN) | P | 0x60n);
    act([0xc6, 0x03, 0x01], 0n); // mov byte [rbx], 1
    expect(faulted()).toBe(false);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(maddrOf(FREE_PFN) | P);
  });

  test.each([
    [
      'an entry that maps a table writable',
      () => {
        act(storeRax, maddrOf(L1_PFN) | P | RW);
      },
    ],
    [
      'a frame of somebody else',
      () => {
        act(storeRax, 0x1000n | P);
      },
    ],
    [
      'a store to an L2 table',
      () => {
        act(storeRax, 0n, TABLES + 0x2000n);
      },
    ],
    [
      'a store across two entries',
      () => {
        act(storeRax, 0n, slotAddress + 4n);
      },
    ],
    [
      'a store to a read-only page that is no table',
      () => {
        act(storeRax, 0n, CODE + 0x100n);
      },
    ],
  ])('%s faults', (_, attempt) => {
    const before = [L2_PFN, L1_PFN].map((pfn) => [0, SPARE_SLOT, SPARE_SLOT + 1].map((slot) => guest.tableEntry(pfn, slot)));
    attempt();
    expect(faulted()).toBe(true);
    expect([L2_PFN, L1_PFN].map((pfn) => [0, SPARE_SLOT, SPARE_SLOT + 1].map((slot) => guest.tableEntry(pfn, slot)))).toEqual(
      before,
    );
  });

  test('without the assist the guest gets its page fault', () => {
    const bare = new PvGuest();
    bare.setTraps([14, 4, CODE + 0x800n]);
    bare.set(VCPU_RAX, 0n);
    bare.set(VCPU_RBX, slotAddress);
    bare.execute(storeRax);
    expect(bare.get(VCPU_RIP)).toBe(CODE + 0x800n);
  });
});

describe('descriptor tables', () => {
  const CODE64 = 0x00af9b000000ffffn;
  const DATA64 = 0x00cf93000000ffffn;
  const TSS = 0x00008b0000000067n;
  const GATE = 0x00008c00e0330000n;

  test('set_gdt raises privilege levels in place and holds the page', () => {
    guest.view.setBigUint64(guest.ram(FREE_PFN, 16), CODE64, true);
    guest.view.setBigUint64(guest.ram(FREE_PFN, 24), DATA64, true);
    expect(guest.hypercall(__HYPERVISOR_set_gdt, guest.quads(0, mfnOf(FREE_PFN)), 16)).toBe(0);
    expect(guest.tableEntry(FREE_PFN, 2)).toBe(CODE64 | (3n << 45n));
    expect(guest.tableEntry(FREE_PFN, 3)).toBe(DATA64 | (3n << 45n));
    expect(guest.frame(FREE_PFN)).toEqual({ type: TYPE_DESCRIPTORS, uses: 1, references: 2 });
    expect(mapAt(SPARE, maddrOf(FREE_PFN) | P | RW)).toBe(-EINVAL);
    expect(guest.hypercall(__HYPERVISOR_set_gdt, guest.quads(0, 0), 0)).toBe(0);
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 1 });
  });

  test.each([
    ['a writable page', () => guest.hypercall(__HYPERVISOR_set_gdt, guest.quads(0, mfnOf(1)), 16)],
    ['too many entries', () => guest.hypercall(__HYPERVISOR_set_gdt, guest.quads(0, mfnOf(FREE_PFN)), 7169)],
    [
      'a task-state descriptor',
      () => {
        guest.view.setBigUint64(guest.ram(FREE_PFN, 8), TSS, true);
        return guest.hypercall(__HYPERVISOR_set_gdt, guest.quads(0, mfnOf(FREE_PFN)), 16);
      },
    ],
  ])('%s is refused', (_, act) => {
    expect(act()).toBe(-EINVAL);
  });

  test.each([
    ['code', CODE64, 0],
    ['data', DATA64, 0],
    ['nothing', 0n, 0],
    ['not present', TSS & ~(1n << 47n), 0],
    ['a gate to the flat code segment', GATE, 0],
    ['a gate to a privileged selector', 0x00008c00e0080000n, -EINVAL],
    ['a task-state segment', TSS, -EINVAL],
  ])('update_descriptor with %s', (_, descriptor, expected) => {
    expect(guest.hypercall(__HYPERVISOR_update_descriptor, maddrOf(FREE_PFN) + 8n, descriptor)).toBe(expected);
    expect(guest.hypercall(__HYPERVISOR_update_descriptor, maddrOf(FREE_PFN) + 4n, descriptor)).toBe(-EINVAL);
    expect(guest.hypercall(__HYPERVISOR_update_descriptor, maddrOf(L1_PFN), descriptor)).toBe(-EINVAL);
  });
});
