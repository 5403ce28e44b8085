/**
 * Which frames hold decoded code, and what happens when they are written. A frame's record has a bit for each vCPU that decoded
 * bytes of it and a bit for each 64-byte chunk decoded; a store that hits such a chunk makes every such vCPU drop its blocks of
 * the frame: the storing one at once, the others at their next poll (cross-modifying code must serialise anyway: SDM Vol.3A 9.1.3).
 */
import {
  CONTROL,
  CONTROL_VCPU_COUNT,
  DROP_RING_ENTRIES,
  FRAMEF_WRITE_CACHED,
  FRAME_CODE_CHUNKS,
  FRAME_CODE_VCPUS,
  FRAME_FLAGS,
  PAGE_BYTES,
  REQUEST_CODE_DROP,
  VCPU_BLOCKS,
  VCPU_BLOCK_BYTES,
  VCPU_DROP_CONSUMER,
  VCPU_DROP_LOCK,
  VCPU_DROP_PRODUCER,
  VCPU_DROP_RING,
  VCPU_ID,
  VCPU_REQUEST,
} from './layout';
import { frameIndexOf, frameRecordOf } from './frames';
import { downgradeFrame } from './banks';
import { flushRemote } from './rendezvous';
import { dropFrameBlocks } from './blocks';
import { dropAllRegions } from './regions';

/**
 * Marks the chunks of `bytes` at `host` as decoded by this vCPU. Must be called before the bytes are read: it first takes the
 * fast-write right to the frame from every vCPU, so that no later store goes unseen. That may wait for other vCPUs and flush for
 * them meanwhile: translations made before are to be made again when `flushesServed` has changed.
 */
export function markCode(cpu: usize, host: usize, bytes: u32): void {
  const record = frameRecordOf(host);
  const bit: u32 = 1 << load<u32>(cpu, VCPU_ID);
  const offset = (<u32>host) & (PAGE_BYTES - 1);
  const to = min<u32>(offset + bytes - 1, PAGE_BYTES - 1);
  const chunks = (~(<u64>0) << ((<u64>offset) >> 6)) & (~(<u64>0) >> (63 - ((<u64>to) >> 6)));
  // The vCPU before the chunks, and dropCode the other way round: chunks that are marked stay marked while a vCPU is.
  if (!(load<u32>(record, FRAME_CODE_VCPUS) & bit)) atomic.or<u32>(record, bit, FRAME_CODE_VCPUS);
  if ((load<u64>(record, FRAME_CODE_CHUNKS) & chunks) != chunks) atomic.or<u64>(record, chunks, FRAME_CODE_CHUNKS);
  while (atomic.load<u32>(record, FRAME_FLAGS) & FRAMEF_WRITE_CACHED) {
    atomic.and<u32>(record, ~FRAMEF_WRITE_CACHED, FRAME_FLAGS);
    downgradeFrame(cpu, host & ~(<usize>(PAGE_BYTES - 1)));
    flushRemote(cpu, ~(<u32>0));
  }
}

/** A store hit decoded code in the frame at `host`. */
export function dropCode(cpu: usize, host: usize): void {
  const record = frameRecordOf(host);
  const frame = frameIndexOf(host);
  atomic.store<u64>(record, 0, FRAME_CODE_CHUNKS);
  const holders = atomic.xchg<u32>(record, 0, FRAME_CODE_VCPUS);
  const self = cpu ? load<u32>(cpu, VCPU_ID) : ~(<u32>0);
  const count = load<u32>(CONTROL, CONTROL_VCPU_COUNT);
  for (let n: u32 = 0; n < count; n++) {
    if (!(holders & ((<u32>1) << n))) continue;
    if (n == self) dropFrameBlocks(cpu, frame);
    else postDrop(VCPU_BLOCKS + <usize>n * VCPU_BLOCK_BYTES, frame);
  }
}

function postDrop(target: usize, frame: u32): void {
  while (atomic.cmpxchg<u32>(target, 0, 1, VCPU_DROP_LOCK) != 0) {}
  const producer = atomic.load<u32>(target, VCPU_DROP_PRODUCER);
  store<u32>(target + VCPU_DROP_RING + (producer & (DROP_RING_ENTRIES - 1)) * 4, frame);
  atomic.store<u32>(target, producer + 1, VCPU_DROP_PRODUCER);
  atomic.store<u32>(target, 0, VCPU_DROP_LOCK);
  atomic.or<u32>(target, REQUEST_CODE_DROP, VCPU_REQUEST);
}

/** Drops what other vCPUs posted; everything when the ring overflowed. */
export function servePostedDrops(cpu: usize): void {
  atomic.and<u32>(cpu, ~REQUEST_CODE_DROP, VCPU_REQUEST);
  while (atomic.cmpxchg<u32>(cpu, 0, 1, VCPU_DROP_LOCK) != 0) {}
  const producer = atomic.load<u32>(cpu, VCPU_DROP_PRODUCER);
  let consumer = load<u32>(cpu, VCPU_DROP_CONSUMER);
  if (producer - consumer > <u32>DROP_RING_ENTRIES) {
    dropAllRegions(cpu);
    consumer = producer;
  }
  while (consumer != producer) {
    dropFrameBlocks(cpu, load<u32>(cpu + VCPU_DROP_RING + (consumer & (DROP_RING_ENTRIES - 1)) * 4));
    consumer++;
  }
  store<u32>(cpu, consumer, VCPU_DROP_CONSUMER);
  atomic.store<u32>(cpu, 0, VCPU_DROP_LOCK);
}
