/** Inodes as earlier versions of the machine stored them: a record each, with the whole contents. `number` is the key; 1 is the root. */
export type StoredInode = { readonly number: number; readonly mode: number; readonly mtimeMs: number } & (
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'directory'; readonly entries: readonly (readonly [name: string, number: number])[] }
);
