/**
 * The nodes. A node is an immutable record found by its absolute path; its generation is unique over the store's life and changes
 * with every write, child lists included: that is what transactions compare. Names of special watches are nodes outside the tree.
 * Every change keeps the accounts of the owners right.
 */
import { childPath } from './path.ts';
import type { Permissions } from './permissions.ts';
import { ownerOf } from './permissions.ts';
import type { Accounts } from './quota.ts';

export interface NodeContent {
  readonly permissions: Permissions;
  readonly value: Uint8Array;
  /** Names of the children in order of creation. */
  readonly children: readonly string[];
}

export interface StoreNode extends NodeContent {
  readonly generation: number;
}

export interface Change {
  readonly path: string;
  /** Only watches of exactly this path are meant, not those of its ancestors. */
  readonly exact: boolean;
  /** The node after the change; the node itself, as it was, when it has just been removed. */
  readonly node: StoreNode | undefined;
  /** Access list before the change, where that may have been wider. */
  readonly previousPermissions: Permissions | undefined;
}

/** What an operation works on: the store itself, or a transaction's view of it. */
export interface NodeView {
  read(path: string): StoreNode | undefined;
  write(path: string, content: NodeContent): StoreNode;
  remove(path: string): void;
  changed(change: Change): void;
  /** Nodes `domid` owns as seen here. */
  ownedNodes(domid: number): number;
}

export const INTRODUCE_DOMAIN = '@introduceDomain';
export const RELEASE_DOMAIN = '@releaseDomain';

const RECORD_HEADER_BYTES = 24;
const RECORD_PERMISSION_BYTES = 8;

/** Size of a node as the quota counts it. */
export function nodeBytes(content: NodeContent): number {
  let bytes = RECORD_HEADER_BYTES + content.permissions.length * RECORD_PERMISSION_BYTES + content.value.length;
  for (const name of content.children) bytes += name.length + 1;
  return bytes;
}

export class Tree {
  private readonly nodes = new Map<string, StoreNode>();
  private lastGeneration = 0;

  constructor(private readonly accounts: Accounts) {}

  get(path: string): StoreNode | undefined {
    return this.nodes.get(path);
  }

  nextGeneration(): number {
    return ++this.lastGeneration;
  }

  put(path: string, content: NodeContent): StoreNode {
    const { permissions, value, children } = content;
    const node = { permissions, value, children, generation: this.nextGeneration() };
    this.discharge(path);
    this.nodes.set(path, node);
    const account = this.accounts.of(ownerOf(permissions));
    account.nodes++;
    account.memoryBytes += path.length + nodeBytes(node);
    return node;
  }

  delete(path: string): void {
    this.discharge(path);
    this.nodes.delete(path);
  }

  /** Nodes at and below `path`, children before their parents, siblings in order of creation. */
  static postOrder(view: Pick<NodeView, 'read'>, path: string): { path: string; node: StoreNode }[] {
    const found: { path: string; node: StoreNode }[] = [];
    const walk = (at: string): void => {
      const node = view.read(at);
      if (node === undefined) return;
      for (const name of node.children) walk(childPath(at, name));
      found.push({ path: at, node });
    };
    walk(path);
    return found;
  }

  /** All nodes, special ones included, in no particular order. */
  entries(): IterableIterator<[string, StoreNode]> {
    return this.nodes.entries();
  }

  private discharge(path: string): void {
    const old = this.nodes.get(path);
    if (old === undefined) return;
    const account = this.accounts.of(ownerOf(old.permissions));
    account.nodes--;
    account.memoryBytes -= path.length + nodeBytes(old);
  }
}
