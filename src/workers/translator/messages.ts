/** What the translator's thread is told. Regions to compile (RegionJob) come by the port of each vCPU, compiled ones go by its mailbox. */

/** A vCPU's way to the translator's thread. */
export interface TranslatorLink {
  /** Takes RegionJob messages. */
  readonly port: MessagePort;
  /** See mailbox.ts. */
  readonly mailbox: SharedArrayBuffer;
}

export type TranslatorNews =
  | { readonly kind: 'connect'; readonly client: number; readonly link: TranslatorLink }
  /** The vCPU's thread has ended. */
  | { readonly kind: 'disconnect'; readonly client: number };
