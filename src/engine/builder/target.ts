/** The empty domain that the builder fills: its frames and the channels made for its daemons. */
export interface DomainBuildTarget {
  /** Pages populated: pfn 0 to pages - 1. */
  readonly pages: number;
  /** Machine frame of pfn 0; the others follow without a gap. */
  readonly firstMfn: number;
  /** Guest RAM from pfn 0 on, at least `pages` long. Pages the builder does not write must be zero already. */
  readonly ram: Uint8Array;
  readonly sharedInfoMfn: number;
  /** Ports of the guest's ends of the channels to xenstored and xenconsoled. */
  readonly storePort: number;
  readonly consolePort: number;
}
