/**
 * The frames of this memory: machine frame numbers to places, records, and the marks that make stores to a frame visible
 * (decoded code, page tables, dirty log).
 */
import {
  CONTROL,
  CONTROL_FIRST_MFN,
  CONTROL_FRAMES_BASE,
  CONTROL_FRAME_COUNT,
  CONTROL_FRAME_RECORDS,
  FRAME_BYTES,
  FRAME_CODE_VCPUS,
  FRAME_FLAGS,
  FRAMEF_LOG_DIRTY,
  PAGE_SHIFT,
} from './layout';

/** Copies of the control area's words, which never change while the domain lives. */
let framesBase: usize = 0;
let frameCount: u64 = 0;
let firstMfn: u64 = 0;
let frameRecords: usize = 0;

/** Reads where the frames of this memory are; once for each instance, before anything else. */
export function attachFrames(): void {
  framesBase = load<u32>(CONTROL, CONTROL_FRAMES_BASE);
  frameCount = load<u32>(CONTROL, CONTROL_FRAME_COUNT);
  firstMfn = load<u32>(CONTROL, CONTROL_FIRST_MFN);
  frameRecords = load<u32>(CONTROL, CONTROL_FRAME_RECORDS);
}

/** Host pointer of a machine frame, 0 = not a frame of this memory. */
export function frameHost(mfn: u64): usize {
  const index = mfn - firstMfn;
  if (index >= frameCount) return 0;
  return framesBase + ((<usize>index) << PAGE_SHIFT);
}

/** Record of the frame that `host` points into; `host` must lie in the frames. */
export function frameRecordOf(host: usize): usize {
  return frameRecords + ((host - framesBase) >> PAGE_SHIFT) * FRAME_BYTES;
}

/** Record of a machine frame, 0 = not a frame of this memory. */
export function frameRecord(mfn: u64): usize {
  const index = mfn - firstMfn;
  if (index >= frameCount) return 0;
  return frameRecords + <usize>index * FRAME_BYTES;
}

/** Index of the frame that `host` points into. */
export function frameIndexOf(host: usize): u32 {
  return <u32>((host - framesBase) >> PAGE_SHIFT);
}

export function hostOfFrameIndex(index: u32): usize {
  return framesBase + ((<usize>index) << PAGE_SHIFT);
}

export function recordOfFrameIndex(index: u32): usize {
  return frameRecords + <usize>index * FRAME_BYTES;
}

export function isFrame(host: usize): bool {
  return <u64>((host - framesBase) >> PAGE_SHIFT) < frameCount && host >= framesBase;
}

/** Machine address of a host pointer into the frames. */
export function machineAddressOf(host: usize): u64 {
  return (firstMfn << PAGE_SHIFT) + <u64>(host - framesBase);
}

/** Whether stores to the frame need the slow path. */
export function frameIsMarked(record: usize): bool {
  return atomic.load<u32>(record, FRAME_CODE_VCPUS) != 0 || (atomic.load<u32>(record, FRAME_FLAGS) & FRAMEF_LOG_DIRTY) != 0;
}
