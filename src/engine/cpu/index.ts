/**
 * The core's exports. An instance serves one vCPU thread (or dom0's view of a domain): `attach` first, then `run`.
 * The hypervisor's own exports are added by pv/.
 */
import { CONTROL, CONTROL_ARENA_BYTES, VCPU_ARENA, VCPU_ARENA_END, VCPU_CC_OP, VCPU_FCW, VCPU_MXCSR, VCPU_RFLAGS } from './layout';
import { dropAllRegions } from './regions';
import { attachFrames } from './frames';
import { resetBanks, setMode } from './banks';
import { initialiseTables } from './generated/handlers';

export { run } from './interpreter';
export { getRflags, setRflags } from './flags';
export { flushTlb, flushPage, setMode } from './banks';
export { readableSlow, storeMarked } from './memory';
export { hasBlock } from './blocks';
export { condition, getCarry } from './flags';
export { signedHigh } from './product';
export {
  addRegion,
  addRegionFrame,
  allocateRegionBytes,
  callFloatHandler,
  callHandler,
  codePointer,
  decodeForRegion,
  dropAllRegions,
  markRegionCode,
  replaceCarryOverflow,
  readableForRegion,
  replaceZero,
  writableForRegion,
} from './regions';

export { ordersAccesses } from './memory-order';
export { repeatMove, repeatStore } from './region-strings';

/** Prepares this instance: where the frames are, and the table of handlers. Once before anything else. */
export function attach(): void {
  attachFrames();
  initialiseTables();
}

/** Sets up an empty vCPU block whose code arena starts at `arena`: power-on flags, no translations, no code, kernel mode. */
export function resetVcpu(cpu: usize, arena: usize): void {
  store<u32>(cpu, <u32>arena, VCPU_ARENA);
  store<u32>(cpu, <u32>arena + load<u32>(CONTROL, CONTROL_ARENA_BYTES), VCPU_ARENA_END);
  resetBanks(cpu);
  dropAllRegions(cpu);
  setMode(cpu, 0);
  store<u64>(cpu, 0x202, VCPU_RFLAGS);
  store<u32>(cpu, 0, VCPU_CC_OP);
  store<u16>(cpu, 0x37f, VCPU_FCW);
  store<u32>(cpu, 0x1f80, VCPU_MXCSR);
}
