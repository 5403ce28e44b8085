/** What vCPUs may keep of page tables: nothing that a guest can tell from walking them anew at each flush and change of root. */
import { beforeEach, describe, expect, test } from 'vitest';
import { DOMID_SELF } from '../abi/domid.ts';
import { __HYPERVISOR_mmu_update, __HYPERVISOR_mmuext_op } from '../abi/hypercall.ts';
import {
  MMUEXT_CLEAR_PAGE,
  MMUEXT_COPY_PAGE,
  MMUEXT_INVLPG_LOCAL,
  MMUEXT_NEW_BASEPTR,
  MMUEXT_NEW_USER_BASEPTR,
  MMUEXT_PIN_L4_TABLE,
  MMUEXT_TLB_FLUSH_LOCAL,
  MMUEXT_UNPIN_TABLE,
} from '../abi/mmu.ts';
import {
  CODE_TLB_ENTRY_BYTES,
  TLB_ENTRIES,
  USER_BANKS,
  VCPU_CODE_TLB,
  VCPU_FLUSHES,
  VCPU_INSTRUCTIONS_TRANSLATED,
  VCPU_RAX,
  VCPU_RIP,
  VCPU_TLB_MISSES,
} from '../cpu/layout.ts';
import { EAGER_OPTIONS, createTranslator } from '../jit/index.ts';
import { DOMAIN_CONTEXT } from '../pv/layout.ts';
import { vcpuBlockOf } from './domain-memory.ts';
import { CODE, FREE_PFN, L1_PFN, L3_PFN, L4_PFN, NX, P, PvGuest, RW, US, USER_CODE, maddrOf, mfnOf } from './testing/pv-guest.ts';

let guest: PvGuest;
beforeEach(() => {
  guest = new PvGuest();
  for (const pfn of [2, 3, 4]) guest.view.setBigUint64(guest.ram(pfn), BigInt(pfn), true);
});

/** A page that the fixture leaves unmapped, and its slot in last-level tables. */
const SPARE_SLOT = 0x20;
const SPARE = 0x400000n + 0x20000n;
/** Slot of the upper half of a root, and the address it begins at. */
const UPPER_SLOT = 300;
const UPPER = BigInt.asUintN(64, -(1n << 48n) + (BigInt(UPPER_SLOT) << 39n));

const pointerTo = (tablePfn: number, slot: number): bigint => maddrOf(tablePfn) + BigInt(slot * 8);
const change = (tablePfn: number, slot: number, entry: bigint): void => {
  const requests = guest.quads(0, pointerTo(tablePfn, slot), entry);
  expect(guest.hypercall(__HYPERVISOR_mmu_update, requests, 1, 0, DOMID_SELF)).toBe(0);
};
const extended = (command: number, first: bigint | number = 0, second: bigint | number = 0): number =>
  guest.hypercall(__HYPERVISOR_mmuext_op, guest.quads(0, command, first, second), 1, 0, DOMID_SELF);
const userPage = (pfn: number): bigint => maddrOf(pfn) | P | US;

const movRax = (address: bigint): number[] => [
  0x48,
  0xa1,
  ...Array.from({ length: 8 }, (_, n) => Number((address >> BigInt(n * 8)) & 0xffn)),
];
/** What kernel mode reads at an address. */
const kernelReads = (address: bigint): bigint => {
  guest.execute(movRax(address));
  return guest.get(VCPU_RAX);
};

const setMode = (user: number): void => {
  (guest.core as unknown as { setMode(cpu: number, user: number): void }).setMode(guest.cpu, user);
};
/** Runs user code from an address, for some instructions. */
const runUser = (address: bigint, count: number): void => {
  setMode(1);
  guest.set(VCPU_RIP, address);
  guest.core.run(guest.cpu, count);
  setMode(0);
};
/** What user mode reads at SPARE. */
const userReads = (): bigint => {
  guest.userCode([...movRax(SPARE), 0xeb, 0xfe]);
  runUser(USER_CODE, 1);
  return guest.get(VCPU_RAX);
};
const useRoot = (mfn: number): void => {
  expect(extended(MMUEXT_NEW_USER_BASEPTR, mfn)).toBe(0);
};

/** Makes four tables from a pfn on, root first, with `pages` in the last one; the root's frame. */
const makeRoot = (pfn: number, pages: readonly (readonly [slot: number, entry: bigint])[], upper = 0n): number => {
  guest.bytes.fill(0, guest.ram(pfn), guest.ram(pfn + 4));
  const put = (table: number, slot: number, value: bigint): void => {
    guest.view.setBigUint64(guest.ram(table, slot * 8), value, true);
  };
  put(pfn, 0, maddrOf(pfn + 1) | P | RW | US);
  put(pfn, UPPER_SLOT, upper);
  put(pfn + 1, 0, maddrOf(pfn + 2) | P | RW | US);
  put(pfn + 2, 2, maddrOf(pfn + 3) | P | RW | US);
  for (const [slot, entry] of pages) put(pfn + 3, slot, entry);
  expect(extended(MMUEXT_PIN_L4_TABLE, mfnOf(pfn))).toBe(0);
  return mfnOf(pfn);
};
const USER_CODE_SLOT = 12;
const userPages = (spare: number): [number, bigint][] => [
  [USER_CODE_SLOT, userPage(13)],
  [SPARE_SLOT, userPage(spare)],
];
const misses = (): bigint => guest.get(VCPU_TLB_MISSES);

/** A region of two pages, the second at SPARE, which leaves the number of its frame in RAX. */
const makeRegion = (): void => {
  for (const pfn of [2, 3]) guest.bytes.set([0xb8, pfn, 0, 0, 0, 0xeb, 0xfe], guest.ram(pfn));
  const distance = new Uint8Array(Int32Array.of(Number(SPARE - USER_CODE) - 5).buffer);
  guest.userCode([0xe9, ...distance]);
  useRoot(guest.userRoot);
  const translator = createTranslator(guest.core, guest.memory, guest.cpu, EAGER_OPTIONS);
  setMode(1);
  expect(translator.translateAt(USER_CODE)).toBe(true);
  setMode(0);
};
const regionResult = (): bigint => {
  const before = guest.get(VCPU_INSTRUCTIONS_TRANSLATED);
  runUser(USER_CODE, 10);
  // All of it, or what the interpreter executes instead.
  ranInRegion = guest.get(VCPU_INSTRUCTIONS_TRANSLATED) - before >= 10n;
  return guest.get(VCPU_RAX);
};
let ranInRegion = false;
/** As when another page has taken the place of SPARE's in the code TLB. */
const displaceSpare = (): void => {
  const index = Number(SPARE >> 12n) & (TLB_ENTRIES - 1);
  setMode(1);
  const entry = guest.view.getUint32(guest.cpu + VCPU_CODE_TLB, true) + index * CODE_TLB_ENTRY_BYTES;
  setMode(0);
  expect(guest.view.getBigUint64(entry, true)).toBe(SPARE);
  guest.view.setBigUint64(entry, 0xffffffffffffffffn, true);
};

describe('a region', () => {
  test('is left when one of its pages is mapped elsewhere, whether the TLB still has that or not', () => {
    for (const displaced of [false, true]) {
      guest = new PvGuest();
      change(L1_PFN, SPARE_SLOT, userPage(2));
      makeRegion();
      expect(regionResult()).toBe(2n);
      expect(ranInRegion).toBe(true);
      if (displaced) displaceSpare();
      change(L1_PFN, SPARE_SLOT, userPage(3));
      expect(regionResult()).toBe(3n);
      change(L1_PFN, SPARE_SLOT, userPage(2));
      expect(regionResult()).toBe(2n);
      expect(ranInRegion).toBe(true);
    }
  });

  test('does not look for its pages anew when other pages change', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    makeRegion();
    regionResult();
    displaceSpare();
    change(L1_PFN, SPARE_SLOT + 1, userPage(4));
    change(L1_PFN, SPARE_SLOT + 1, 0n);
    const before = misses();
    expect(regionResult()).toBe(2n);
    expect(misses()).toBe(before);
    expect(ranInRegion).toBe(true);
  });

  test('of a root is none of another root’s, which has something else there', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    makeRegion();
    const other = makeRoot(FREE_PFN, userPages(3));
    for (let round = 0; round < 2; round += 1) {
      useRoot(guest.userRoot);
      expect(regionResult()).toBe(2n);
      useRoot(other);
      expect(regionResult()).toBe(3n);
    }
  });
});

describe('on one vCPU', () => {
  test('a changed entry is followed at once, with and without a flush', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    expect(kernelReads(SPARE)).toBe(2n);
    change(L1_PFN, SPARE_SLOT, userPage(3));
    expect(kernelReads(SPARE)).toBe(3n);
    change(L1_PFN, SPARE_SLOT, userPage(4));
    expect(extended(MMUEXT_INVLPG_LOCAL, SPARE)).toBe(0);
    expect(kernelReads(SPARE)).toBe(4n);
  });

  test('a flush of tables that did not change costs no translation', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    kernelReads(SPARE);
    extended(MMUEXT_TLB_FLUSH_LOCAL);
    kernelReads(SPARE);
    const before = misses();
    extended(MMUEXT_TLB_FLUSH_LOCAL);
    expect(kernelReads(SPARE)).toBe(2n);
    expect(misses()).toBe(before);
  });

  test('translations of a root are there when user mode comes back to it', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    expect(extended(MMUEXT_PIN_L4_TABLE, guest.userRoot)).toBe(0);
    const other = makeRoot(FREE_PFN, userPages(3));
    for (let round = 0; round < 2; round += 1) {
      useRoot(guest.userRoot);
      expect(userReads()).toBe(2n);
      useRoot(other);
      expect(userReads()).toBe(3n);
    }
    const before = misses();
    useRoot(guest.userRoot);
    expect(userReads()).toBe(2n);
    useRoot(other);
    expect(userReads()).toBe(3n);
    expect(misses()).toBe(before);
  });

  test('more roots than banks are told apart', () => {
    const roots: [number, bigint][] = [];
    for (let n = 0; n < USER_BANKS + 2; n += 1)
      roots.push([makeRoot(FREE_PFN + n * 4, userPages(2 + (n % 3))), BigInt(2 + (n % 3))]);
    for (const [root, value] of [...roots, ...roots.toReversed()]) {
      useRoot(root);
      expect(userReads()).toBe(value);
    }
  });

  test('an entry of a root that is not in use is changed', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    const other = makeRoot(FREE_PFN, userPages(3));
    useRoot(guest.userRoot);
    expect(userReads()).toBe(2n);
    useRoot(other);
    expect(userReads()).toBe(3n);
    change(L1_PFN, SPARE_SLOT, userPage(4));
    useRoot(guest.userRoot);
    expect(userReads()).toBe(4n);
  });

  test('a table of a root that is not in use is replaced by another', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    const other = makeRoot(FREE_PFN, userPages(3));
    makeRoot(FREE_PFN + 4, userPages(4));
    useRoot(other);
    expect(userReads()).toBe(3n);
    useRoot(guest.userRoot);
    change(FREE_PFN + 2, 2, maddrOf(FREE_PFN + 7) | P | RW | US);
    useRoot(other);
    expect(userReads()).toBe(4n);
  });

  test('a table that is empty is replaced without a flush', () => {
    const other = makeRoot(FREE_PFN, userPages(3));
    makeRoot(FREE_PFN + 4, userPages(4));
    useRoot(other);
    expect(userReads()).toBe(3n);
    const replace = (table: number): bigint => {
      const before = guest.get(VCPU_FLUSHES);
      change(FREE_PFN + 2, 2, maddrOf(table) | P | RW | US);
      return guest.get(VCPU_FLUSHES) - before;
    };
    for (const slot of [SPARE_SLOT, USER_CODE_SLOT]) change(FREE_PFN + 3, slot, 0n);
    expect(replace(FREE_PFN + 7)).toBe(0n);
    expect(userReads()).toBe(4n);
    // One that still leads somewhere is not.
    expect(replace(FREE_PFN + 3)).toBe(1n);
  });

  test('the frame of a root becomes another process’s', () => {
    const root = makeRoot(FREE_PFN, userPages(3));
    useRoot(root);
    expect(userReads()).toBe(3n);
    useRoot(guest.userRoot);
    expect(extended(MMUEXT_UNPIN_TABLE, root)).toBe(0);
    expect(makeRoot(FREE_PFN, userPages(4))).toBe(root);
    useRoot(root);
    expect(userReads()).toBe(4n);
  });

  test('code in a page that another root maps writable is marked there too', () => {
    guest.bytes.set([0xb8, 1, 0, 0, 0, 0xeb, 0xfe], guest.ram(3));
    const writer = makeRoot(FREE_PFN, [
      [USER_CODE_SLOT, userPage(13)],
      [SPARE_SLOT, userPage(3) | RW | NX],
    ]);
    const runner = makeRoot(FREE_PFN + 4, userPages(3));
    // mov byte [SPARE + 1], al
    const store = [0xa2, ...movRax(SPARE + 1n).slice(2)];
    const write = (value: number): void => {
      useRoot(writer);
      guest.userCode([0xb0, value, ...store, 0xeb, 0xfe]);
      runUser(USER_CODE, 2);
    };
    write(7);
    for (const value of [7, 8, 9]) {
      if (value > 7) write(value);
      useRoot(runner);
      runUser(SPARE, 1);
      expect(guest.get(VCPU_RAX)).toBe(BigInt(value));
    }
  });
});

describe('a page of code', () => {
  const returns = (value: number): number[] => [0xb8, value, 0, 0, 0, 0xeb, 0xfe];
  const runsTo = (): bigint => {
    runUser(SPARE, 1);
    return guest.get(VCPU_RAX);
  };
  beforeEach(() => {
    guest.bytes.set(returns(1), guest.ram(3));
    guest.bytes.set(returns(2), guest.ram(4));
    change(L1_PFN, SPARE_SLOT, userPage(3) | RW);
    useRoot(guest.userRoot);
    expect(runsTo()).toBe(1n);
  });

  test('that is copied over is run as it is then', () => {
    expect(extended(MMUEXT_COPY_PAGE, mfnOf(3), mfnOf(4))).toBe(0);
    expect(runsTo()).toBe(2n);
  });

  test('that is cleared is run as it is then', () => {
    expect(extended(MMUEXT_CLEAR_PAGE, mfnOf(3))).toBe(0);
    // Now it is full of "add [rax], al".
    guest.set(VCPU_RAX, SPARE + 0x807n);
    runUser(SPARE, 1);
    expect(guest.bytes[guest.ram(3, 0x807)]).not.toBe(0);
  });
});

describe('kernel roots', () => {
  /** What the kernel needs of the lower half. */
  const kernelPages = (spare: number): [number, bigint][] => [
    [0, maddrOf(0) | P],
    [1, maddrOf(1) | P | RW | NX],
    [5, maddrOf(5) | P | RW | NX],
    [SPARE_SLOT, userPage(spare)],
  ];

  test('keep what their upper halves share, and nothing of the lower', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    const shared = maddrOf(L3_PFN) | P | RW | US;
    change(L4_PFN, UPPER_SLOT, shared);
    const other = makeRoot(FREE_PFN, kernelPages(3), shared);
    for (let round = 0; round < 3; round += 1) {
      expect(extended(MMUEXT_NEW_BASEPTR, mfnOf(L4_PFN))).toBe(0);
      expect(kernelReads(SPARE)).toBe(2n);
      const before = misses();
      expect(kernelReads(UPPER + 0x403000n)).toBe(3n);
      if (round > 0) expect(misses()).toBe(before);
      expect(extended(MMUEXT_NEW_BASEPTR, other)).toBe(0);
      expect(kernelReads(SPARE)).toBe(3n);
    }
  });

  test('with different upper halves keep nothing', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    change(L4_PFN, UPPER_SLOT, maddrOf(L3_PFN) | P | RW | US);
    expect(kernelReads(UPPER + SPARE)).toBe(2n);
    const other = makeRoot(FREE_PFN, kernelPages(3), maddrOf(FREE_PFN + 1) | P | RW | US);
    expect(extended(MMUEXT_NEW_BASEPTR, other)).toBe(0);
    expect(kernelReads(UPPER + SPARE)).toBe(3n);
  });
});

describe('between vCPUs', () => {
  const on = <T>(vcpu: number, action: () => T): T => {
    const owner = guest as unknown as { cpu: number };
    owner.cpu = vcpuBlockOf(vcpu);
    try {
      return action();
    } finally {
      owner.cpu = vcpuBlockOf(0);
    }
  };

  beforeEach(() => {
    // The context that vCPU 0 was started with is still there.
    expect(guest.core.pvSetContext(vcpuBlockOf(1), DOMAIN_CONTEXT)).toBe(0);
    on(1, () => {
      guest.set(VCPU_RIP, CODE);
    });
  });

  test.each([1, 20, 63, 64, 65, 127, 128, 129, 400])('%d changes are caught up with at a flush', (count) => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    expect(on(1, () => kernelReads(SPARE))).toBe(2n);
    change(L1_PFN, SPARE_SLOT, userPage(3));
    for (let n = 1; n < count; n += 1) change(L1_PFN, SPARE_SLOT + 1, userPage(n % 2 ? 2 : 3));
    on(1, () => extended(MMUEXT_TLB_FLUSH_LOCAL));
    expect(on(1, () => kernelReads(SPARE))).toBe(3n);
  });

  test('changes are caught up with when the root in use is loaded once more', () => {
    change(L1_PFN, SPARE_SLOT, userPage(2));
    expect(on(1, () => kernelReads(SPARE))).toBe(2n);
    change(L1_PFN, SPARE_SLOT, userPage(3));
    expect(on(1, () => extended(MMUEXT_NEW_BASEPTR, mfnOf(L4_PFN)))).toBe(0);
    expect(on(1, () => kernelReads(SPARE))).toBe(3n);
    useRoot(guest.userRoot);
    on(1, () => {
      useRoot(guest.userRoot);
      expect(userReads()).toBe(3n);
    });
    change(L1_PFN, SPARE_SLOT, userPage(4));
    on(1, () => {
      expect(extended(MMUEXT_NEW_BASEPTR, mfnOf(L4_PFN))).toBe(0);
      expect(userReads()).toBe(4n);
    });
  });

  test('a root that went is gone for a vCPU that had it', () => {
    const root = makeRoot(FREE_PFN, userPages(3));
    on(1, () => {
      useRoot(root);
      expect(userReads()).toBe(3n);
      useRoot(guest.userRoot);
    });
    expect(extended(MMUEXT_UNPIN_TABLE, root)).toBe(0);
    expect(makeRoot(FREE_PFN, userPages(4))).toBe(root);
    on(1, () => {
      useRoot(root);
      expect(userReads()).toBe(4n);
    });
  });

  test('a table replaced by another vCPU is followed after a change of root', () => {
    const root = makeRoot(FREE_PFN, userPages(3));
    makeRoot(FREE_PFN + 4, userPages(4));
    on(1, () => {
      useRoot(root);
      expect(userReads()).toBe(3n);
      useRoot(guest.userRoot);
    });
    change(FREE_PFN + 2, 2, maddrOf(FREE_PFN + 7) | P | RW | US);
    on(1, () => {
      useRoot(root);
      expect(userReads()).toBe(4n);
    });
  });
});
