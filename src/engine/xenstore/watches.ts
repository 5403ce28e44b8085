/**
 * Watches of a connection and who is told of a change. A watch hears of its own path and of everything below; the event carries
 * the path that changed, relative when the watch was. An event goes only to those who may read the node (before or after the
 * change) or its parent.
 */
import { isWithin, parentPath } from './path.ts';
import type { Subject } from './permissions.ts';
import { READ, rightsOf } from './permissions.ts';
import type { Change, StoreNode } from './tree.ts';

export interface Watch {
  /** Canonical path, or the name of a special watch. */
  readonly path: string;
  readonly token: string;
  /** Characters to drop from the front of an event's path. */
  readonly prefixLength: number;
}

/** The path an event shows to the watch that it is for. */
export function eventPath(watch: Watch, changedPath: string): string {
  return changedPath.slice(watch.prefixLength);
}

export function matches(watch: Watch, change: Change): boolean {
  return change.exact ? change.path === watch.path : isWithin(change.path, watch.path);
}

/** `read` looks into the store itself, not into a transaction. */
export function mayHearOf(subject: Subject, change: Change, read: (path: string) => StoreNode | undefined): boolean {
  const previous = change.previousPermissions;
  if (previous !== undefined && (rightsOf(subject, previous) & READ) !== 0) return true;
  if (change.node === undefined) return false;
  if ((rightsOf(subject, change.node.permissions) & READ) !== 0) return true;
  const parent = read(parentPath(change.path));
  return parent !== undefined && (rightsOf(subject, parent.permissions) & READ) !== 0;
}
