/**
 * Frames that domain 0 has mapped through a grant: each mapping holds a reference, and a writable one also a use of the frame
 * as writable, so that no page table or descriptor table can be under a back end's stores. Called on dom0's thread.
 */
import { GNTST_bad_page, GNTST_okay } from '../abi/grant-table';
import { TYPE_WRITABLE } from './layout';
import { allocatedFrame, dropReference, dropType, lockMemory, takeReference, takeType, unlockMemory, usedFrame } from './frame-use';

/** GNTST_okay, or GNTST_bad_page when the frame is not memory of the domain or is used as a table. */
export function pvTakeGranted(mfn: u32, writable: bool): i32 {
  lockMemory(0);
  let outcome: i32 = GNTST_bad_page;
  const record = allocatedFrame(mfn);
  if (record && (!writable || !takeType(0, record, TYPE_WRITABLE))) {
    takeReference(record);
    outcome = GNTST_okay;
  }
  unlockMemory();
  return outcome;
}

/** Undoes one pvTakeGranted of the same frame and access. */
export function pvDropGranted(mfn: u32, writable: bool): void {
  lockMemory(0);
  const record = usedFrame(mfn);
  if (record) {
    if (writable) dropType(0, record);
    dropReference(0, record);
  }
  unlockMemory();
}
