/**
 * Access lists of nodes. The first entry names the owner, who may do everything, and what everybody not listed may do; each
 * further entry says what one domain may do. Privileged connections may do everything everywhere.
 */
import { StoreError } from './error.ts';

/** n nothing, r read, w write, b both. */
export type Access = 'n' | 'r' | 'w' | 'b';

export interface Permission {
  readonly domid: number;
  readonly access: Access;
}

/** Never empty. */
export type Permissions = readonly [Permission, ...Permission[]];

/** Who asks. */
export interface Subject {
  readonly domid: number;
  readonly privileged: boolean;
  /** The domain whose rights this one has besides its own (SET_TARGET). */
  readonly target: number | undefined;
}

export const READ = 1;
export const WRITE = 2;
export const OWNER = 4;

const BITS: Record<Access, number> = { n: 0, r: READ, w: WRITE, b: READ | WRITE };

/** The READ, WRITE and OWNER bits that `subject` has. */
export function rightsOf(subject: Subject, permissions: Permissions): number {
  const [owner, ...others] = permissions;
  const speaksFor = (domid: number): boolean => domid === subject.domid || domid === subject.target;
  if (subject.privileged || speaksFor(owner.domid)) return READ | WRITE | OWNER;
  for (const entry of others) if (speaksFor(entry.domid)) return BITS[entry.access];
  return BITS[owner.access];
}

export function ownerOf(permissions: Permissions): number {
  return permissions[0].domid;
}

/** "r5" and the like; EINVAL when it is not one. */
export function parsePermission(text: string): Permission {
  const match = /^([nrwb])([0-9]{1,5})$/.exec(text);
  const domid = Number(match?.[2]);
  if (match === null || domid > 0xffff) {
    throw new StoreError('EINVAL', `"${text}" is not a permission: n, r, w or b and a domain id`);
  }
  return { access: match[1] as Access, domid };
}

/** EINVAL when empty or when one of them is malformed. */
export function parsePermissions(texts: readonly string[]): Permissions {
  const [first, ...rest] = texts;
  if (first === undefined) throw new StoreError('EINVAL', 'a node needs at least one permission');
  return [parsePermission(first), ...rest.map(parsePermission)];
}

export function formatPermission(permission: Permission): string {
  return `${permission.access}${permission.domid}`;
}

/** "n0,r1" */
export function formatPermissions(permissions: Permissions): string {
  return permissions.map(formatPermission).join(',');
}
