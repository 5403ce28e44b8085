/**
 * What one unprivileged domain may use up in the store, and the accounts of what each does use. The limits are the defaults of
 * Xen's C xenstored. Sizes of nodes are counted as it counts them: a fixed header, 8 bytes a permission, value and child names.
 */
import { StoreError } from './error.ts';
import type { Subject } from './permissions.ts';

export interface Quotas {
  /** Nodes owned. */
  readonly nodes: number;
  readonly watches: number;
  /** Transactions open at a time. */
  readonly transactions: number;
  /** Nodes touched in one transaction. */
  readonly transactionNodes: number;
  /** Requests whose replies the domain has not taken yet; no more are read until it does. */
  readonly outstanding: number;
  /** Entries of one node's access list. */
  readonly permissions: number;
  /** Bytes of one node. */
  readonly nodeBytes: number;
  /** Bytes of a path without its /local/domain/N/ prefix. */
  readonly pathBytes: number;
  /** Bytes of nodes, watches, transactions and undelivered messages together. */
  readonly memoryBytes: number;
}

export const DEFAULT_QUOTAS: Quotas = {
  nodes: 1000,
  watches: 128,
  transactions: 10,
  transactionNodes: 1024,
  outstanding: 20,
  permissions: 5,
  nodeBytes: 2048,
  pathBytes: 2048,
  memoryBytes: 2.5 * 1024 * 1024,
};

export interface Account {
  nodes: number;
  watches: number;
  transactions: number;
  outstanding: number;
  memoryBytes: number;
}

export class Accounts {
  private readonly byDomid = new Map<number, Account>();

  constructor(readonly quotas: Quotas) {}

  of(domid: number): Account {
    let account = this.byDomid.get(domid);
    if (account === undefined) {
      account = { nodes: 0, watches: 0, transactions: 0, outstanding: 0, memoryBytes: 0 };
      this.byDomid.set(domid, account);
    }
    return account;
  }

  /** Domids that have an account. */
  domids(): number[] {
    return [...this.byDomid.keys()];
  }

  /** For a domain that is gone and owns nothing any more. */
  forget(domid: number): void {
    this.byDomid.delete(domid);
  }

  /** ENOMEM when `subject` would hold more than its share with `extraBytes` more. */
  requireMemory(subject: Subject, extraBytes: number): void {
    if (subject.privileged || extraBytes <= 0) return;
    if (this.of(subject.domid).memoryBytes + extraBytes > this.quotas.memoryBytes) {
      throw new StoreError('ENOMEM', `domain ${subject.domid} is over its ${this.quotas.memoryBytes} bytes of store memory`);
    }
  }
}
