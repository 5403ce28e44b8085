/**
 * What clients can do to nodes, with the rights and quotas that apply, on any view of the store. Paths are canonical.
 * A client that may not see a node learns nothing about it: what would be ENOENT becomes EACCES unless the nearest existing
 * ancestor grants the right asked for.
 */
import { StoreError } from './error.ts';
import { baseName, parentPath } from './path.ts';
import type { Permission, Permissions, Subject } from './permissions.ts';
import { OWNER, READ, WRITE, ownerOf, rightsOf } from './permissions.ts';
import type { Accounts } from './quota.ts';
import type { NodeContent, NodeView, StoreNode } from './tree.ts';
import { Tree, nodeBytes } from './tree.ts';

const NO_VALUE = new Uint8Array(0);

export class Operations {
  constructor(
    private readonly accounts: Accounts,
    /** Whether access may be given to `domid`. */
    private readonly domainExists: (domid: number) => boolean,
  ) {}

  /** ENOENT, EACCES. */
  readNode(view: NodeView, subject: Subject, path: string): StoreNode {
    const node = this.accessible(view, subject, path, READ);
    if (node === undefined) throw new StoreError('ENOENT', `${path} does not exist`);
    return node;
  }

  /** Creates the node and its missing ancestors where needed. EACCES, ENOSPC, ENOMEM. */
  write(view: NodeView, subject: Subject, path: string, value: Uint8Array): void {
    const old = this.accessible(view, subject, path, WRITE);
    const node =
      old === undefined ? this.create(view, subject, path, value) : this.replace(view, subject, path, { ...old, value }, old);
    view.changed({ path, exact: false, node, previousPermissions: undefined });
  }

  /** Does nothing to a node that exists. EACCES, ENOSPC, ENOMEM. */
  makeDirectory(view: NodeView, subject: Subject, path: string): void {
    if (this.accessible(view, subject, path, WRITE) !== undefined) return;
    const node = this.create(view, subject, path, NO_VALUE);
    view.changed({ path, exact: false, node, previousPermissions: undefined });
  }

  /** Removes the node and all below it. Nothing to remove is a success when the parent exists, ENOENT else. EINVAL for '/'. */
  remove(view: NodeView, subject: Subject, path: string): void {
    const node = this.accessible(view, subject, path, WRITE);
    if (node === undefined) {
      if (view.read(parentPath(path)) === undefined) throw new StoreError('ENOENT', `${parentPath(path)} does not exist`);
      return;
    }
    if (path === '/') throw new StoreError('EINVAL', 'the root cannot be removed');
    Operations.removeSubtree(view, path);
  }

  /**
   * The removal itself, without a look at rights. Watches below are fired for the removed nodes they name, watches at and above
   * for `path`; each event is made while the parents of the node are still there, so that it can be judged who may see it.
   */
  static removeSubtree(view: NodeView, path: string): void {
    for (const { path: at, node } of Tree.postOrder(view, path)) {
      view.remove(at);
      view.changed({ path: at, exact: at !== path, node, previousPermissions: undefined });
    }
    const parent = view.read(parentPath(path));
    if (parent === undefined) return;
    const name = baseName(path);
    view.write(parentPath(path), { ...parent, children: parent.children.filter((child) => child !== name) });
  }

  /**
   * Only for the owner, who stays the owner unless a privileged client says otherwise. Entries for domains that do not exist are
   * left out. ENOSPC too many, ENOENT the new owner does not exist, EACCES, EPERM.
   */
  setPermissions(view: NodeView, subject: Subject, path: string, wanted: Permissions): void {
    if (!subject.privileged && wanted.length > this.accounts.quotas.permissions) {
      throw new StoreError('ENOSPC', `more than ${this.accounts.quotas.permissions} permissions`);
    }
    const [owner, ...others] = wanted;
    if (!this.domainExists(owner.domid)) throw new StoreError('ENOENT', `there is no domain ${owner.domid}`);
    const kept: Permission[] = others.filter((entry) => this.domainExists(entry.domid));
    const old = this.accessible(view, subject, path, WRITE | OWNER);
    if (old === undefined) throw new StoreError('ENOENT', `${path} does not exist`);
    if (!subject.privileged && owner.domid !== ownerOf(old.permissions)) {
      throw new StoreError('EPERM', `only a privileged client may change the owner of ${path}`);
    }
    const node = this.replace(view, subject, path, { ...old, permissions: [owner, ...kept] }, old);
    view.changed({ path, exact: false, node, previousPermissions: old.permissions });
  }

  /** The node when it is there and `subject` has all the rights asked for, undefined when it may know that there is none. */
  private accessible(view: NodeView, subject: Subject, path: string, rights: number): StoreNode | undefined {
    const node = view.read(path);
    if (node !== undefined && (rightsOf(subject, node.permissions) & rights) === rights) return node;
    if (node === undefined && (this.rightsAbove(view, subject, path) & rights) !== 0) return undefined;
    throw new StoreError('EACCES', `domain ${subject.domid} has no access to ${path}`);
  }

  private rightsAbove(view: NodeView, subject: Subject, path: string): number {
    let at = path;
    do {
      at = parentPath(at);
      const node = view.read(at);
      if (node !== undefined) return rightsOf(subject, node.permissions);
    } while (at !== '/');
    return 0;
  }

  private replace(view: NodeView, subject: Subject, path: string, content: NodeContent, old: StoreNode): StoreNode {
    this.requireNodeSize(subject, path, content);
    this.accounts.requireMemory(subject, nodeBytes(content) - nodeBytes(old));
    return view.write(path, content);
  }

  /** New nodes take over their parent's access list; what an unprivileged domain makes is its own. */
  private create(view: NodeView, subject: Subject, path: string, value: Uint8Array): StoreNode {
    const missing = [path];
    let ancestorPath = parentPath(path);
    let ancestor = view.read(ancestorPath);
    while (ancestor === undefined) {
      if (ancestorPath === '/') throw new StoreError('ENOENT', 'the store has no root');
      missing.push(ancestorPath);
      ancestorPath = parentPath(ancestorPath);
      ancestor = view.read(ancestorPath);
    }
    const [owner, ...others] = ancestor.permissions;
    const permissions: Permissions = [subject.privileged ? owner : { ...owner, domid: subject.domid }, ...others];
    const top = baseName(missing[missing.length - 1] ?? path);
    const writes: { path: string; content: NodeContent }[] = [
      { path: ancestorPath, content: { ...ancestor, children: [...ancestor.children, top] } },
    ];
    for (let level = missing.length - 1; level >= 0; level--) {
      const below = missing[level - 1];
      const content = {
        permissions,
        value: below === undefined ? value : NO_VALUE,
        children: below === undefined ? [] : [baseName(below)],
      };
      writes.push({ path: missing[level] ?? path, content });
    }
    this.requireRoomFor(view, subject, missing.length, writes, nodeBytes(ancestor));
    let created: StoreNode | undefined;
    for (const { path: at, content } of writes) created = view.write(at, content);
    if (created === undefined) throw new StoreError('EIO', `${path} was not created`);
    return created;
  }

  private requireRoomFor(
    view: NodeView,
    subject: Subject,
    newNodes: number,
    writes: readonly { path: string; content: NodeContent }[],
    replacedBytes: number,
  ): void {
    const limit = this.accounts.quotas.nodes;
    if (!subject.privileged && view.ownedNodes(subject.domid) + newNodes > limit) {
      throw new StoreError('ENOSPC', `domain ${subject.domid} would own more than ${limit} nodes`);
    }
    let bytes = -replacedBytes;
    for (const { path, content } of writes) {
      this.requireNodeSize(subject, path, content);
      bytes += nodeBytes(content) + path.length;
    }
    this.accounts.requireMemory(subject, bytes);
  }

  private requireNodeSize(subject: Subject, path: string, content: NodeContent): void {
    const limit = this.accounts.quotas.nodeBytes;
    if (!subject.privileged && nodeBytes(content) > limit) {
      throw new StoreError('ENOSPC', `${path} would be larger than ${limit} bytes`);
    }
  }
}
