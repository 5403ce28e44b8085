/**
 * A transaction: a view of the store that keeps its changes to itself until it is committed. It remembers the generation of every
 * node it touched, absent ones too; a commit in which any of them has changed meanwhile fails with EAGAIN and changes nothing.
 * Not a snapshot: a node is taken over when it is first touched. Events of a commit come in the order of first touch, one a node.
 */
import { StoreError } from './error.ts';
import type { Permissions, Subject } from './permissions.ts';
import { ownerOf } from './permissions.ts';
import type { Account, Accounts } from './quota.ts';
import type { Change, NodeContent, NodeView, StoreNode, Tree } from './tree.ts';
import { nodeBytes } from './tree.ts';

interface TouchedNode {
  /** Generation in the store when first touched; undefined = there was no such node. */
  readonly generation: number | undefined;
  readonly originalPermissions: Permissions | undefined;
  node: StoreNode | undefined;
  modified: boolean;
  /** Event to fire at the commit. */
  event: 'none' | 'exact' | 'subtree';
}

const TOUCHED_NODE_BYTES = 64;

export class Transaction implements NodeView {
  private readonly touched = new Map<string, TouchedNode>();
  private readonly ownedChange = new Map<number, number>();
  private heldBytes = 0;
  private createdNodes = false;
  private failed = false;

  constructor(
    readonly id: number,
    private readonly subject: Subject,
    private readonly tree: Tree,
    private readonly accounts: Accounts,
  ) {
    this.account.transactions++;
  }

  /** ENOSPC when the transaction touches too many nodes; it can then no longer be committed. */
  read(path: string): StoreNode | undefined {
    return this.touch(path).node;
  }

  write(path: string, content: NodeContent): StoreNode {
    const entry = this.touch(path);
    const { permissions, value, children } = content;
    const node = { permissions, value, children, generation: this.tree.nextGeneration() };
    this.hold(nodeBytes(node) - (entry.modified && entry.node !== undefined ? nodeBytes(entry.node) : 0));
    this.countOwner(entry.node, -1);
    this.countOwner(node, +1);
    if (entry.node === undefined) this.createdNodes = true;
    entry.node = node;
    entry.modified = true;
    return node;
  }

  remove(path: string): void {
    const entry = this.touch(path);
    if (entry.modified && entry.node !== undefined) this.hold(-nodeBytes(entry.node));
    this.countOwner(entry.node, -1);
    entry.node = undefined;
    entry.modified = true;
  }

  changed(change: Change): void {
    const entry = this.touch(change.path);
    if (!change.exact) entry.event = 'subtree';
    else if (entry.event === 'none') entry.event = 'exact';
  }

  ownedNodes(domid: number): number {
    return this.accounts.of(domid).nodes + (this.ownedChange.get(domid) ?? 0);
  }

  /** After an operation failed half-way: the commit will be refused with ENOMEM. */
  fail(): void {
    this.failed = true;
  }

  /**
   * Makes the changes part of the store, fires their events through `fire` and ends the transaction, whether it succeeds or not.
   * EAGAIN on a conflict, ENOSPC over the quota of nodes, ENOMEM after a failed operation.
   */
  commit(fire: (change: Change) => void): void {
    this.end();
    if (this.failed) throw new StoreError('ENOMEM', 'an operation of the transaction ran out of its quota');
    this.requireNodeQuota();
    for (const [path, entry] of this.touched) {
      if (this.tree.get(path)?.generation !== entry.generation) {
        throw new StoreError('EAGAIN', `${path} was changed outside the transaction`);
      }
    }
    for (const [path, entry] of this.touched) {
      if (!entry.modified) continue;
      if (entry.node !== undefined) entry.node = this.tree.put(path, entry.node);
      else this.tree.delete(path);
    }
    for (const [path, { event, node, originalPermissions }] of this.touched) {
      if (event !== 'none') fire({ path, exact: event === 'exact', node, previousPermissions: originalPermissions });
    }
  }

  /** Gives back what the transaction holds; its changes are dropped. */
  end(): void {
    this.account.transactions--;
    this.account.memoryBytes -= this.heldBytes;
    this.heldBytes = 0;
  }

  private get account(): Account {
    return this.accounts.of(this.subject.domid);
  }

  private touch(path: string): TouchedNode {
    const known = this.touched.get(path);
    if (known !== undefined) return known;
    if (!this.subject.privileged && this.touched.size >= this.accounts.quotas.transactionNodes) {
      this.failed = true;
      throw new StoreError('ENOSPC', `the transaction touches more than ${this.accounts.quotas.transactionNodes} nodes`);
    }
    this.hold(path.length + TOUCHED_NODE_BYTES);
    const node = this.tree.get(path);
    const entry: TouchedNode = {
      generation: node?.generation,
      originalPermissions: node?.permissions,
      node,
      modified: false,
      event: 'none',
    };
    this.touched.set(path, entry);
    return entry;
  }

  private hold(bytes: number): void {
    try {
      this.accounts.requireMemory(this.subject, bytes);
    } catch (error) {
      this.failed = true;
      throw error;
    }
    this.heldBytes += bytes;
    this.account.memoryBytes += bytes;
  }

  private countOwner(node: StoreNode | undefined, change: number): void {
    if (node === undefined) return;
    const domid = ownerOf(node.permissions);
    this.ownedChange.set(domid, (this.ownedChange.get(domid) ?? 0) + change);
  }

  private requireNodeQuota(): void {
    if (this.subject.privileged || !this.createdNodes) return;
    const limit = this.accounts.quotas.nodes;
    if (this.ownedNodes(this.subject.domid) > limit) {
      throw new StoreError('ENOSPC', `domain ${this.subject.domid} would own more than ${limit} nodes`);
    }
  }
}
