import { beforeEach, describe, expect, test } from 'vitest';
import { DOMID_SELF } from '../abi/domid.ts';
import { EFAULT, EINVAL, ENOSYS, EPERM } from '../abi/errno.ts';
import {
  GNTCOPY_source_gref,
  GNTST_bad_copy_arg,
  GNTST_bad_domain,
  GNTST_bad_gntref,
  GNTST_bad_page,
  GNTST_general_error,
  GNTST_okay,
  GNTST_permission_denied,
  GNTTABOP_copy,
  GNTTABOP_get_version,
  GNTTABOP_map_grant_ref,
  GNTTABOP_query_size,
  GNTTABOP_set_version,
  GNTTABOP_setup_table,
  GNTTABOP_transfer,
  GTF_permit_access,
  GTF_readonly,
} from '../abi/grant-table.ts';
import { __HYPERVISOR_grant_table_op, __HYPERVISOR_memory_op, __HYPERVISOR_update_va_mapping } from '../abi/hypercall.ts';
import {
  XENMEM_current_reservation,
  XENMEM_decrease_reservation,
  XENMEM_exchange,
  XENMEM_machphys_mapping,
  XENMEM_maximum_reservation,
  XENMEM_memory_map,
  XENMEM_populate_physmap,
} from '../abi/memory-op.ts';
import { VCPU_RAX } from '../cpu/layout.ts';
import { DOMAIN_MAX_PAGES, DOMAIN_TOTAL_PAGES } from '../pv/layout.ts';
import { DATA, DOMID, FIRST_MFN, FREE_PFN, L1_PFN, MAX_PAGES, P, PAGES, PvGuest, RW, maddrOf, mfnOf } from './testing/pv-guest.ts';

let guest: PvGuest;
beforeEach(() => {
  guest = new PvGuest();
});
const memoryOp = (command: number, argument: bigint): number => guest.hypercall(__HYPERVISOR_memory_op, command, argument);
const NONE = 0xffffffffffffffffn;

/** struct xen_memory_reservation at DATA + 0x400 whose list is at DATA. */
const reservation = (count: number, order = 0, domid: number = DOMID_SELF, list = DATA): bigint =>
  guest.quads(0x400, list, count, order, domid);

describe('ballooning', () => {
  test('released pages can be had again, wiped, with the M2P kept', () => {
    guest.bytes.fill(0x77, guest.ram(FREE_PFN), guest.ram(FREE_PFN) + 4096);
    guest.quads(0, mfnOf(FREE_PFN), mfnOf(FREE_PFN + 1));
    expect(memoryOp(XENMEM_decrease_reservation, reservation(2))).toBe(2);
    expect(guest.view.getUint32(DOMAIN_TOTAL_PAGES, true)).toBe(PAGES - 2);
    expect(guest.machineToPhysical(mfnOf(FREE_PFN))).toBe(NONE);
    expect(guest.frame(FREE_PFN).references).toBe(0);
    guest.view.setUint32(DOMAIN_MAX_PAGES, PAGES - 1, true);
    guest.quads(0, FREE_PFN, FREE_PFN + 1);
    expect(memoryOp(XENMEM_populate_physmap, reservation(2))).toBe(1);
    const mfn = Number(guest.quad(0));
    expect(guest.machineToPhysical(mfn)).toBe(BigInt(FREE_PFN));
    expect(guest.quad(8)).toBe(BigInt(FREE_PFN + 1));
    expect(guest.view.getUint32(DOMAIN_TOTAL_PAGES, true)).toBe(PAGES - 1);
    expect(guest.bytes[guest.ram(FREE_PFN)]).toBe(0);
  });

  test('every frame up to the maximum can be populated, and none beyond', () => {
    guest.quads(0, ...Array.from({ length: 20 }, (_, index) => 0x100 + index));
    expect(memoryOp(XENMEM_populate_physmap, reservation(20))).toBe(MAX_PAGES - PAGES);
    const mfns = Array.from({ length: MAX_PAGES - PAGES }, (_, index) => Number(guest.quad(index * 8)));
    expect(new Set(mfns).size).toBe(MAX_PAGES - PAGES);
    expect(Math.min(...mfns)).toBe(mfnOf(PAGES));
    expect(Math.max(...mfns)).toBe(mfnOf(MAX_PAGES - 1));
  });

  test('extents of several pages are adjacent and aligned', () => {
    guest.quads(0, 0x100);
    expect(memoryOp(XENMEM_populate_physmap, reservation(1, 2))).toBe(1);
    const first = Number(guest.quad(0));
    for (let n = 0; n < 4; n += 1) expect(guest.machineToPhysical(first + n)).toBe(BigInt(0x100 + n));
    guest.quads(0, 0x200);
    expect(memoryOp(XENMEM_populate_physmap, reservation(1, 5))).toBe(0);
  });

  test('a page that is still mapped stays until its last mapping goes', () => {
    guest.quads(0, mfnOf(1));
    const map = guest.hypercall(__HYPERVISOR_update_va_mapping, 0x420000n, maddrOf(FREE_PFN) | P | RW, 0);
    expect(map).toBe(0);
    guest.quads(0, mfnOf(FREE_PFN));
    expect(memoryOp(XENMEM_decrease_reservation, reservation(1))).toBe(1);
    expect(guest.view.getUint32(DOMAIN_TOTAL_PAGES, true)).toBe(PAGES);
    expect(memoryOp(XENMEM_decrease_reservation, reservation(1))).toBe(0);
    guest.hypercall(__HYPERVISOR_update_va_mapping, 0x420000n, 0n, 0);
    expect(guest.view.getUint32(DOMAIN_TOTAL_PAGES, true)).toBe(PAGES - 1);
    expect(guest.frame(FREE_PFN)).toEqual({ type: 0, uses: 0, references: 0 });
  });

  test.each([
    ['a frame of the hypervisor', FIRST_MFN],
    ['a free frame', mfnOf(PAGES)],
    ['a frame of somebody else', 7],
  ])('%s is not released', (_, mfn) => {
    guest.quads(0, mfn);
    expect(memoryOp(XENMEM_decrease_reservation, reservation(1))).toBe(0);
  });

  test.each([
    ['another domain', () => memoryOp(XENMEM_populate_physmap, reservation(1, 0, 3)), -EPERM],
    ['a list that cannot be read', () => memoryOp(XENMEM_populate_physmap, reservation(1, 0, DOMID_SELF, 0x7000000000n)), 0],
    ['an argument that cannot be read', () => memoryOp(XENMEM_populate_physmap, 0x7000000000n), -EFAULT],
    ['too large an extent', () => memoryOp(XENMEM_populate_physmap, reservation(1, 20)), 0],
    ['exchange', () => memoryOp(XENMEM_exchange, DATA), -ENOSYS],
    ['an unknown command', () => memoryOp(60, DATA), -ENOSYS],
  ])('%s', (_, act, expected) => {
    expect(act()).toBe(expected);
  });

  test('reservations are told', () => {
    guest.words(0, DOMID_SELF);
    expect(memoryOp(XENMEM_current_reservation, DATA)).toBe(PAGES);
    expect(memoryOp(XENMEM_maximum_reservation, DATA)).toBe(MAX_PAGES);
    guest.words(0, 3);
    expect(memoryOp(XENMEM_current_reservation, DATA)).toBe(-EPERM);
  });
});

test('the memory map is one range of RAM up to the maximum', () => {
  guest.quads(0, 4, DATA + 0x100n);
  expect(memoryOp(XENMEM_memory_map, DATA)).toBe(0);
  expect(guest.word(0)).toBe(1);
  expect([guest.quad(0x100), guest.quad(0x108), guest.word(0x110)]).toEqual([0n, BigInt(MAX_PAGES * 4096), 1]);
  guest.quads(0, 0, DATA + 0x100n);
  expect(memoryOp(XENMEM_memory_map, DATA)).toBe(-EINVAL);
});

test('the machine-to-physical table is where it is said to be, to be read and not written', () => {
  expect(memoryOp(XENMEM_machphys_mapping, DATA)).toBe(0);
  expect([guest.quad(0), guest.quad(8)]).toEqual([0xffff800000000000n, 0xffff804000000000n]);
  expect(Number(guest.quad(16))).toBeGreaterThanOrEqual(mfnOf(MAX_PAGES - 1));
  guest.setTraps([14, 0, 0x400800n]);
  const at = 0xffff800000000000n + BigInt(mfnOf(3) * 8);
  guest.set(0x18, at); // RBX
  guest.execute([0x48, 0x8b, 0x03]);
  expect(guest.get(VCPU_RAX)).toBe(3n);
  guest.set(0x20, 0x405ff0n); // RSP
  guest.execute([0x48, 0x89, 0x03]);
  expect(guest.machineToPhysical(mfnOf(3))).toBe(3n);
  expect(guest.state().rip).toBe(0x400800n);
});

describe('grant table', () => {
  const grantOp = (command: number, argument: bigint, count = 1): number =>
    guest.hypercall(__HYPERVISOR_grant_table_op, command, argument, count);
  const status = (offset: number): number => guest.view.getInt16(guest.data(offset), true);

  test('setup_table grows the table and lists its frames', () => {
    expect(grantOp(GNTTABOP_query_size, guest.words(0, DOMID_SELF, 0, 0, 0))).toBe(0);
    expect([guest.word(4), guest.word(8), status(12)]).toEqual([1, 64, GNTST_okay]);
    guest.quads(0, BigInt(DOMID_SELF) | (3n << 32n), 0n, DATA + 0x100n);
    expect(grantOp(GNTTABOP_setup_table, DATA)).toBe(0);
    expect(status(8)).toBe(GNTST_okay);
    expect([0, 1, 2].map((n) => Number(guest.quad(0x100 + n * 8)))).toEqual([FIRST_MFN + 1, FIRST_MFN + 2, FIRST_MFN + 3]);
    grantOp(GNTTABOP_query_size, guest.words(0, DOMID_SELF, 0, 0, 0));
    expect(guest.word(4)).toBe(3);
    const mapped = guest.hypercall(__HYPERVISOR_update_va_mapping, 0x420000n, (BigInt(FIRST_MFN + 1) << 12n) | P | RW, 0);
    expect(mapped).toBe(0);
  });

  test.each([
    ['too many frames', BigInt(DOMID_SELF) | (65n << 32n), GNTST_general_error],
    ['another domain', 3n | (1n << 32n), GNTST_permission_denied],
  ])('setup_table for %s', (_, first, expected) => {
    guest.quads(0, first, 0n, DATA + 0x100n);
    expect(grantOp(GNTTABOP_setup_table, DATA)).toBe(0);
    expect(status(8)).toBe(expected);
  });

  test('only version 1 is there', () => {
    expect(grantOp(GNTTABOP_set_version, guest.words(0, 1))).toBe(0);
    expect(grantOp(GNTTABOP_set_version, guest.words(0, 2))).toBe(-ENOSYS);
    expect(grantOp(GNTTABOP_set_version, guest.words(0, 3))).toBe(-EINVAL);
    expect(grantOp(GNTTABOP_get_version, guest.words(0, DOMID_SELF, 0))).toBe(0);
    expect(guest.word(4)).toBe(1);
    expect(grantOp(GNTTABOP_transfer, DATA)).toBe(-ENOSYS);
  });

  test('grants of other domains cannot be mapped', () => {
    guest.bytes.fill(0, guest.data(), guest.data(64));
    expect(grantOp(GNTTABOP_map_grant_ref, DATA, 2)).toBe(0);
    expect([status(18), status(50)]).toEqual([GNTST_bad_domain, GNTST_bad_domain]);
  });

  describe('copies', () => {
    const copy = (source: bigint, target: bigint, length: number, flags: number, sourceDomid = DOMID_SELF, offset = 0): number => {
      guest.quads(
        0,
        source,
        BigInt(sourceDomid) | (BigInt(offset) << 16n),
        target,
        BigInt(DOMID_SELF),
        BigInt(length) | (BigInt(flags) << 16n),
      );
      expect(grantOp(GNTTABOP_copy, DATA)).toBe(0);
      return status(36);
    };
    const grant = (gref: number, flags: number, domid: number, mfn: number): void => {
      const at = guest.plan.framesBase + 4096 + gref * 8;
      guest.view.setUint16(at, flags, true);
      guest.view.setUint16(at + 2, domid, true);
      guest.view.setUint32(at + 4, mfn, true);
    };

    test('from frame to frame and from a grant to the domain itself', () => {
      guest.bytes.set([1, 2, 3, 4], guest.ram(FREE_PFN, 100));
      expect(copy(BigInt(mfnOf(FREE_PFN)), BigInt(mfnOf(FREE_PFN + 1)), 4, 0, DOMID_SELF, 100)).toBe(GNTST_okay);
      expect([...guest.bytes.slice(guest.ram(FREE_PFN + 1), guest.ram(FREE_PFN + 1) + 4)]).toEqual([1, 2, 3, 4]);
      grant(9, GTF_permit_access | GTF_readonly, DOMID, mfnOf(FREE_PFN));
      expect(copy(9n, BigInt(mfnOf(FREE_PFN + 2)), 4, GNTCOPY_source_gref, DOMID_SELF, 100)).toBe(GNTST_okay);
      expect(guest.bytes[guest.ram(FREE_PFN + 2, 3)]).toBe(4);
    });

    test.each([
      ['behind the page', () => copy(BigInt(mfnOf(1)), BigInt(mfnOf(2)), 100, 0, DOMID_SELF, 4000), GNTST_bad_copy_arg],
      ['another domain', () => copy(1n, BigInt(mfnOf(2)), 4, 0, 3), GNTST_bad_domain],
      ['a free frame', () => copy(BigInt(mfnOf(PAGES)), BigInt(mfnOf(2)), 4, 0), GNTST_bad_page],
      ['into a page table', () => copy(BigInt(mfnOf(1)), BigInt(mfnOf(L1_PFN)), 4, 0), GNTST_bad_page],
      ['an entry that grants nothing', () => copy(9n, BigInt(mfnOf(2)), 4, GNTCOPY_source_gref), GNTST_bad_gntref],
      ['an entry behind the table', () => copy(512n, BigInt(mfnOf(2)), 4, GNTCOPY_source_gref), GNTST_bad_gntref],
    ])('%s', (_, act, expected) => {
      expect(act()).toBe(expected);
    });
  });
});
