import { beforeEach, describe, expect, it } from 'vitest';
import {
  GTF_accept_transfer,
  GTF_invalid,
  GTF_permit_access,
  GTF_readonly,
  GTF_reading,
  GTF_transitive,
  GTF_writing,
} from '../abi/grant-table.ts';
import { CONTROL, CONTROL_MM_LOCK, PAGE_BYTES, VCPU_RAX, VCPU_RIP } from '../cpu/layout.ts';
import { DOMAIN_GRANT_FRAMES, TYPE_WRITABLE } from '../pv/layout.ts';
import { GrantMap } from './grant-map.ts';
import { CODE, DOMID, FREE_PFN, L1_PFN, mfnOf, PvGuest } from './testing/pv-guest.ts';

const GREF = 9;
let guest: PvGuest;
let grants: GrantMap;

beforeEach(() => {
  guest = new PvGuest(1);
  grants = new GrantMap(guest.core, guest.memory, guest.plan);
});

const entryAt = (gref = GREF): number => guest.plan.framesBase + PAGE_BYTES + gref * 8;

function grant(flags: number, mfn: number, { domid = 0, gref = GREF } = {}): void {
  guest.view.setUint16(entryAt(gref), flags, true);
  guest.view.setUint16(entryAt(gref) + 2, domid, true);
  guest.view.setUint32(entryAt(gref) + 4, mfn, true);
}

const flags = (gref = GREF): number => guest.view.getUint16(entryAt(gref), true);

describe('mapping a grant', () => {
  it('lends the page both ways and notes the use in the entry', () => {
    grant(GTF_permit_access, mfnOf(FREE_PFN));
    const page = grants.map(GREF, true)!;
    expect(flags()).toBe(GTF_permit_access | GTF_reading | GTF_writing);
    expect(guest.frame(FREE_PFN)).toEqual({ type: TYPE_WRITABLE, uses: 1, references: 2 });
    guest.bytes[guest.ram(FREE_PFN, 100)] = 7;
    expect(page.bytes[100]).toBe(7);
    page.bytes[200] = 8;
    page.words[0] = 0x01020304;
    expect(guest.bytes[guest.ram(FREE_PFN, 200)]).toBe(8);
    expect(guest.bytes[guest.ram(FREE_PFN)]).toBe(4);
    page.unmap();
    page.unmap();
    expect(flags()).toBe(GTF_permit_access);
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 1 });
    expect(grants.mapped).toBe(0);
  });

  it('counts uses: the entry is free after the last, and not written after the last writer', () => {
    grant(GTF_permit_access, mfnOf(FREE_PFN));
    const reader = grants.map(GREF, false)!;
    expect(flags()).toBe(GTF_permit_access | GTF_reading);
    const writer = grants.map(GREF, true)!;
    writer.unmap();
    expect(flags()).toBe(GTF_permit_access | GTF_reading);
    reader.unmap();
    expect(flags()).toBe(GTF_permit_access);
    grants.map(GREF, true);
    grants.map(GREF, false);
    grants.unmapAll();
    expect(flags()).toBe(GTF_permit_access);
  });

  it('refuses more uses of one reference than it can count', () => {
    grant(GTF_permit_access | GTF_readonly, mfnOf(FREE_PFN));
    for (let use = 0; use < 0xffff; use += 1) expect(grants.map(GREF, false)).toBeDefined();
    expect(grants.map(GREF, false)).toBeUndefined();
    grants.unmapAll();
    expect(flags()).toBe(GTF_permit_access | GTF_readonly);
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 1 });
    expect(grants.map(GREF, false)).toBeDefined();
  });

  it.each<[string, () => void, boolean, boolean]>([
    [
      'read-only, to read',
      () => {
        grant(GTF_permit_access | GTF_readonly, mfnOf(FREE_PFN));
      },
      false,
      true,
    ],
    [
      'read-only, to write',
      () => {
        grant(GTF_permit_access | GTF_readonly, mfnOf(FREE_PFN));
      },
      true,
      false,
    ],
    [
      'an entry that is not there',
      () => {
        grant(GTF_invalid, mfnOf(FREE_PFN));
      },
      false,
      false,
    ],
    [
      'a transfer',
      () => {
        grant(GTF_accept_transfer, mfnOf(FREE_PFN));
      },
      false,
      false,
    ],
    [
      'a transitive grant',
      () => {
        grant(GTF_transitive, mfnOf(FREE_PFN));
      },
      false,
      false,
    ],
    [
      'a grant to another domain',
      () => {
        grant(GTF_permit_access, mfnOf(FREE_PFN), { domid: DOMID });
      },
      false,
      false,
    ],
    [
      'a frame of nobody',
      () => {
        grant(GTF_permit_access, 5);
      },
      false,
      false,
    ],
    [
      'the frame behind the last',
      () => {
        grant(GTF_permit_access, mfnOf(0) + 80);
      },
      false,
      false,
    ],
    [
      'a frame that is not populated',
      () => {
        grant(GTF_permit_access, mfnOf(70));
      },
      false,
      false,
    ],
    [
      'shared_info',
      () => {
        grant(GTF_permit_access, guest.plan.sharedInfoMfn);
      },
      false,
      false,
    ],
    [
      'the grant table itself',
      () => {
        grant(GTF_permit_access, guest.plan.sharedInfoMfn + 1);
      },
      true,
      false,
    ],
    [
      'a page table, to write',
      () => {
        grant(GTF_permit_access, mfnOf(L1_PFN));
      },
      true,
      false,
    ],
    [
      'a page table, to read',
      () => {
        grant(GTF_permit_access, mfnOf(L1_PFN));
      },
      false,
      true,
    ],
  ])('%s', (_name, prepare, writable, allowed) => {
    prepare();
    const before = flags();
    const page = grants.map(GREF, writable);
    expect(page !== undefined).toBe(allowed);
    page?.unmap();
    expect(flags()).toBe(before);
  });

  it('believes no count of table frames above the greatest, and no reference beyond it', () => {
    for (const gref of [-1, 0.5, 512, NaN, 2 ** 31]) expect(grants.map(gref, false), `${gref}`).toBeUndefined();
    guest.view.setUint32(DOMAIN_GRANT_FRAMES, 0xffffffff, true);
    expect(grants.map(64 * 512, false)).toBeUndefined();
    expect(grants.map(64 * 512 - 1, false)).toBeUndefined();
  });

  it('keeps a frame from becoming a page table while it is written, not after', () => {
    grant(GTF_permit_access, mfnOf(FREE_PFN));
    const page = grants.map(GREF, true)!;
    expect(guest.core.pvPinTable(mfnOf(FREE_PFN), 1)).toBeLessThan(0);
    page.unmap();
    expect(guest.core.pvPinTable(mfnOf(FREE_PFN), 1)).toBe(0);
  });

  it('keeps the frame it mapped although the guest changes the entry', () => {
    grant(GTF_permit_access, mfnOf(FREE_PFN));
    const page = grants.map(GREF, true)!;
    guest.view.setUint32(entryAt() + 4, mfnOf(FREE_PFN + 1), true);
    page.bytes[0] = 5;
    expect(guest.bytes[guest.ram(FREE_PFN)]).toBe(5);
    expect(guest.bytes[guest.ram(FREE_PFN + 1)]).toBe(0);
    page.unmap();
    expect(guest.frame(FREE_PFN)).toMatchObject({ uses: 0, references: 1 });
    expect(guest.frame(FREE_PFN + 1)).toMatchObject({ uses: 0, references: 1 });
  });

  it('waits for no lock of a domain that is being destroyed', () => {
    grant(GTF_permit_access, mfnOf(FREE_PFN));
    const page = grants.map(GREF, true)!;
    // A thread that ended while it held the lock.
    guest.view.setInt32(CONTROL + CONTROL_MM_LOCK, 1, true);
    grants.abandon();
    page.unmap();
    page.written(0, 8);
    expect(grants.map(GREF, true)).toBeUndefined();
    expect(grants.mapped).toBe(0);
  });

  it('has the CPU forget code in a page that was written', () => {
    // mov eax, 1; the back end makes it mov eax, 2.
    guest.execute([0xb8, 1, 0, 0, 0]);
    expect(guest.get(VCPU_RAX)).toBe(1n);
    grant(GTF_permit_access, mfnOf(0));
    const page = grants.map(GREF, false)!;
    page.bytes[1] = 2;
    page.written(1, 1);
    guest.set(VCPU_RIP, CODE);
    guest.core.run(guest.cpu, 1);
    expect(guest.get(VCPU_RAX)).toBe(2n);
    page.unmap();
  });
});
