/** What the translator's thread is told. */

/** A vCPU's way to the translator's thread and back: two rings (record-ring.ts) of what records.ts describes. */
export interface TranslatorLink {
  readonly jobs: SharedArrayBuffer;
  readonly regions: SharedArrayBuffer;
}

export type TranslatorNews =
  | { readonly kind: 'connect'; readonly client: number; readonly link: TranslatorLink }
  /** The vCPU's thread has ended. */
  | { readonly kind: 'disconnect'; readonly client: number };
