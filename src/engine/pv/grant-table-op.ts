/**
 * grant_table_op, version 1: the table itself and copies inside the domain. Domain 0 maps grants from its own side
 * (hypervisor/grant-maps.ts); a guest that would map grants of others is told there is no such domain.
 * @xen full HYPERVISOR_grant_table_op/GNTTABOP_setup_table
 * @xen full HYPERVISOR_grant_table_op/GNTTABOP_query_size
 * @xen partial HYPERVISOR_grant_table_op/GNTTABOP_copy "inside the calling domain"
 * @xen refused HYPERVISOR_grant_table_op/GNTTABOP_map_grant_ref "GNTST_bad_domain"
 */
import { PAGE_BYTES } from '../cpu/layout';
import { frameHost, hostOfFrameIndex, machineAddressOf } from '../cpu/frames';
import { copyFromGuest, copyToGuest, storeMarked } from '../cpu/memory';
import { EFAULT, EINVAL, ENOSYS } from '../abi/errno';
import {
  GNTCOPY_dest_gref,
  GNTCOPY_source_gref,
  GNTST_bad_copy_arg,
  GNTST_bad_domain,
  GNTST_bad_gntref,
  GNTST_bad_handle,
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
  GNTTABOP_unmap_grant_ref,
  GNTTAB_COPY_BYTES,
  GNTTAB_MAP_BYTES,
  GNTTAB_QUERY_SIZE_BYTES,
  GNTTAB_SETUP_TABLE_BYTES,
  GNTTAB_UNMAP_BYTES,
  GRANT_ENTRIES_PER_FRAME,
  GTF_permit_access,
  GTF_readonly,
  GTF_type_mask,
} from '../abi/grant-table';
import {
  DOMAIN_GRANT_FIRST_FRAME,
  DOMAIN_GRANT_FRAMES,
  DOMAIN_GRANT_FRAMES_MAX,
  DOMAIN_GRANT_LOCK,
  DOMAIN_ID,
  PV_SCRATCH,
  TYPE_WRITABLE,
} from './layout';
import { dropReference, dropType, lockMemory, takeReference, takeType, unlockMemory, usedFrame } from './frame-use';
import { acquire, release } from './lock';
import { isSelf } from './page-table';

/** (command, array, count) */
export function grantTableOp(cpu: usize, command: u32, array: u64, count: u32): i64 {
  const bytes = elementBytes(command);
  if (!bytes) return -ENOSYS;
  const scratch = cpu + PV_SCRATCH;
  for (let n: u32 = 0; n < count; n++) {
    const place = array + <u64>n * bytes;
    if (!copyFromGuest(cpu, scratch, place, bytes)) return -EFAULT;
    const outcome = one(cpu, command, scratch);
    if (outcome) return outcome;
    if (!copyToGuest(cpu, place, scratch, bytes)) return -EFAULT;
  }
  return 0;
}

function elementBytes(command: u32): u32 {
  switch (command) {
    case GNTTABOP_map_grant_ref:
      return GNTTAB_MAP_BYTES;
    case GNTTABOP_unmap_grant_ref:
      return GNTTAB_UNMAP_BYTES;
    case GNTTABOP_setup_table:
      return GNTTAB_SETUP_TABLE_BYTES;
    case GNTTABOP_copy:
      return GNTTAB_COPY_BYTES;
    case GNTTABOP_query_size:
      return GNTTAB_QUERY_SIZE_BYTES;
    case GNTTABOP_set_version:
      return 4;
    case GNTTABOP_get_version:
      return 8;
  }
  return 0;
}

function one(cpu: usize, command: u32, element: usize): i32 {
  switch (command) {
    case GNTTABOP_map_grant_ref:
      store<i16>(element, GNTST_bad_domain, 18);
      return 0;
    case GNTTABOP_unmap_grant_ref:
      store<i16>(element, GNTST_bad_handle, 20);
      return 0;
    case GNTTABOP_setup_table:
      return setupTable(cpu, element);
    case GNTTABOP_copy:
      store<i16>(element, <i16>copyOne(cpu, element), 36);
      return 0;
    case GNTTABOP_query_size:
      if (!isSelf(load<u16>(element))) {
        store<i16>(element, GNTST_permission_denied, 12);
        return 0;
      }
      store<u32>(element, load<u32>(DOMAIN_GRANT_FRAMES), 4);
      store<u32>(element, load<u32>(DOMAIN_GRANT_FRAMES_MAX), 8);
      store<i16>(element, GNTST_okay, 12);
      return 0;
    case GNTTABOP_set_version:
      if (load<u32>(element) != 1) return load<u32>(element) == 2 ? -ENOSYS : -EINVAL;
      return 0;
    case GNTTABOP_get_version:
      // {u16 dom, u32 version at 4}
      if (!isSelf(load<u16>(element))) return -EINVAL;
      store<u32>(element, 1, 4);
      return 0;
  }
  return -ENOSYS;
}

/** {u16 dom, u32 nr_frames at 4, i16 status at 8, u64 frame_list at 16}: grows the table if needed, lists its frames. */
function setupTable(cpu: usize, element: usize): i32 {
  if (!isSelf(load<u16>(element))) {
    store<i16>(element, GNTST_permission_denied, 8);
    return 0;
  }
  const wanted = load<u32>(element, 4);
  if (wanted > load<u32>(DOMAIN_GRANT_FRAMES_MAX)) {
    store<i16>(element, GNTST_general_error, 8);
    return 0;
  }
  acquire(cpu, DOMAIN_GRANT_LOCK);
  if (wanted > load<u32>(DOMAIN_GRANT_FRAMES)) store<u32>(DOMAIN_GRANT_FRAMES, wanted);
  release(DOMAIN_GRANT_LOCK);
  const list = load<u64>(element, 16);
  const first = load<u32>(DOMAIN_GRANT_FIRST_FRAME);
  const word = element + 64;
  for (let n: u32 = 0; n < wanted; n++) {
    store<u64>(word, machineAddressOf(hostOfFrameIndex(first + n)) >> 12);
    if (!copyToGuest(cpu, list + <u64>n * 8, word, 8)) return -EFAULT;
  }
  store<i16>(element, GNTST_okay, 8);
  return 0;
}

/**
 * {source: u64 gref or gmfn, u16 domid at 8, u16 offset at 10; dest: the same from 16 on; u16 len at 32, u16 flags at 34}.
 * Both sides in this domain.
 */
function copyOne(cpu: usize, element: usize): i32 {
  const length = <u32>load<u16>(element, 32);
  const flags = <u32>load<u16>(element, 34);
  const sourceOffset = <u32>load<u16>(element, 10);
  const targetOffset = <u32>load<u16>(element, 26);
  if (!isSelf(load<u16>(element, 8)) || !isSelf(load<u16>(element, 24))) return GNTST_bad_domain;
  if (sourceOffset + length > <u32>PAGE_BYTES || targetOffset + length > <u32>PAGE_BYTES) return GNTST_bad_copy_arg;
  const source = copyFrame(load<u64>(element), (flags & GNTCOPY_source_gref) != 0, false);
  const target = copyFrame(load<u64>(element, 16), (flags & GNTCOPY_dest_gref) != 0, true);
  if (source == NO_FRAME || target == NO_FRAME) return copyFailure;
  lockMemory(cpu);
  const from = usedFrame(source);
  const to = usedFrame(target);
  let outcome: i32 = GNTST_bad_page;
  if (from && to && !takeType(cpu, to, TYPE_WRITABLE)) {
    takeReference(to);
    const host = frameHost(target) + targetOffset;
    memory.copy(host, frameHost(source) + sourceOffset, length);
    if (length) storeMarked(cpu, host, length);
    dropType(cpu, to);
    dropReference(cpu, to);
    outcome = GNTST_okay;
  }
  unlockMemory();
  return outcome;
}

const NO_FRAME: u64 = 0xffffffffffffffff;
/** GNTST_* of the last copyFrame that found none. */
let copyFailure: i32 = 0;

/** Machine frame of one side of a copy. A grant reference must allow this domain itself. */
function copyFrame(number: u64, isReference: bool, write: bool): u64 {
  if (!isReference) return number;
  const gref = <u32>number;
  if (gref >= load<u32>(DOMAIN_GRANT_FRAMES) * GRANT_ENTRIES_PER_FRAME) {
    copyFailure = GNTST_bad_gntref;
    return NO_FRAME;
  }
  const entry = atomic.load<u64>(hostOfFrameIndex(load<u32>(DOMAIN_GRANT_FIRST_FRAME)) + ((<usize>gref) << 3));
  const flags = (<u32>entry) & 0xffff;
  const allowed = ((<u32>(entry >> 16)) & 0xffff) == load<u32>(DOMAIN_ID);
  if ((flags & GTF_type_mask) != GTF_permit_access || !allowed || (write && (flags & GTF_readonly) != 0)) {
    copyFailure = GNTST_bad_gntref;
    return NO_FRAME;
  }
  return entry >> 32;
}
