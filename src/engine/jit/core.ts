/** What the translator needs of the compiled core (cpu/regions.ts and its neighbours). Pointers are byte offsets in the memory. */
export interface TranslatorCore {
  readonly table: WebAssembly.Table;
  addRegion(cpu: number, host: number, tableIndex: number, data: number, position: number): number;
  addRegionFrame(cpu: number, record: number, host: number): number;
  allocateRegionBytes(cpu: number, bytes: number): number;
  codePointer(cpu: number, address: bigint): number;
  decodeForRegion(cpu: number, host: number, operation: number, next: number): number;
  dropAllRegions(cpu: number): void;
  markRegionCode(cpu: number, host: number, bytes: number): void;
  hasBlock(cpu: number, host: number): number;
  /** Whether the core keeps guest accesses in x86's order by itself; translated code is to do the same. */
  ordersAccesses(): number;
  readableSlow: unknown;
  readableForRegion: unknown;
  writableForRegion: unknown;
  callHandler: unknown;
  condition: unknown;
  getCarry: unknown;
  replaceCarryOverflow: unknown;
  signedHigh: unknown;
  callFloatHandler: unknown;
  replaceZero: unknown;
  repeatMove: unknown;
  repeatStore: unknown;
}
