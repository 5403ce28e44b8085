/**
 * What the toolstack uses of xenstored: a connection of domain 0, synchronous. Paths are absolute. Missing nodes read as
 * undefined; every other refusal is thrown.
 */

export interface StorePermission {
  readonly domid: number;
  readonly read: boolean;
  readonly write: boolean;
}

/** The first entry names the owner, and what everybody else may do; the others are exceptions. */
export type StorePermissions = readonly StorePermission[];

export interface StoreOperations {
  read(path: string): string | undefined;
  /** Makes missing parents. */
  write(path: string, value: string): void;
  mkdir(path: string): void;
  /** Nothing happens when it is not there. */
  remove(path: string): void;
  /** Names of the children; undefined when the node does not exist. */
  list(path: string): readonly string[] | undefined;
  getPermissions(path: string): StorePermissions | undefined;
  setPermissions(path: string, permissions: StorePermissions): void;
}

export interface Store extends StoreOperations {
  /** The callback comes later, never from inside a call; first once for the registration itself. */
  watch(path: string, token: string, callback: (path: string, token: string) => void): void;
  unwatch(path: string, token: string): void;
  /** Runs until it commits without a conflict; an exception aborts. */
  transaction<T>(run: (store: StoreOperations) => T): T;
}

/** Owned by dom0, readable by the guest ("n0,rN"). */
export function readableBy(domid: number): StorePermissions {
  return [
    { domid: 0, read: false, write: false },
    { domid, read: true, write: false },
  ];
}

/** Owned by the guest ("nN"). */
export function ownedBy(domid: number): StorePermissions {
  return [{ domid, read: false, write: false }];
}

/** Owned by the guest, readable by dom0 as every node is ("nN,r0"). */
export function ownedByAndReadable(domid: number): StorePermissions {
  return [
    { domid, read: false, write: false },
    { domid: 0, read: true, write: false },
  ];
}
