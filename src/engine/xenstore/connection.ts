/**
 * One client as the store sees it: who it is, its watches and its open transactions. How events reach it is the sink's matter:
 * a domain's ring (domain-connection.ts) or callbacks in dom0 (client.ts).
 */
import { StoreError } from './error.ts';
import { canonicalPath, domainPath, isRelative } from './path.ts';
import type { Subject } from './permissions.ts';
import type { Accounts } from './quota.ts';
import { Transaction } from './transactions.ts';
import type { Change, StoreNode, Tree } from './tree.ts';
import type { Watch } from './watches.ts';
import { eventPath, matches, mayHearOf } from './watches.ts';

/** Takes over an event for a watch, with the path to report. Called while the store is at work: it must not call back into it. */
export type EventSink = (watch: Watch, path: string) => void;

export class Connection {
  readonly base: string;
  private currentSubject: Subject;
  private watchList: Watch[] = [];
  private readonly transactions = new Map<number, Transaction>();
  private lastTransactionId = 0;

  constructor(
    domid: number,
    privileged: boolean,
    private readonly tree: Tree,
    private readonly accounts: Accounts,
    private readonly sink: EventSink,
  ) {
    this.base = domainPath(domid);
    this.currentSubject = { domid, privileged, target: undefined };
  }

  get subject(): Subject {
    return this.currentSubject;
  }

  get watches(): readonly Watch[] {
    return this.watchList;
  }

  setTarget(target: number | undefined): void {
    this.currentSubject = { ...this.currentSubject, target };
  }

  /** EINVAL for paths the protocol forbids. */
  path(path: string, special = false): string {
    const maxLength = this.subject.privileged ? undefined : this.accounts.quotas.pathBytes;
    return canonicalPath(path, { base: this.base, special, maxLength });
  }

  /** The caller fires the first event with `sendFirstEvent` once it has replied. EEXIST, E2BIG over the quota, ENOMEM. */
  addWatch(path: string, token: string): Watch {
    const absolute = this.path(path, true);
    if (this.findWatch(absolute, token) >= 0) throw new StoreError('EEXIST', `${path} is watched with that token already`);
    const account = this.accounts.of(this.subject.domid);
    const limit = this.accounts.quotas.watches;
    if (!this.subject.privileged && account.watches >= limit) throw new StoreError('E2BIG', `more than ${limit} watches`);
    this.accounts.requireMemory(this.subject, absolute.length + token.length);
    const watch = { path: absolute, token, prefixLength: isRelative(path) ? this.base.length + 1 : 0 };
    account.watches++;
    account.memoryBytes += absolute.length + token.length;
    this.watchList.push(watch);
    return watch;
  }

  /** Every watch hears of its own path once, right after it was set. */
  sendFirstEvent(watch: Watch): void {
    this.sink(watch, eventPath(watch, watch.path));
  }

  /** Returns the watch that is gone. ENOENT */
  removeWatch(path: string, token: string): Watch {
    const index = this.findWatch(this.path(path, true), token);
    const watch = this.watchList[index];
    if (watch === undefined) throw new StoreError('ENOENT', `${path} is not watched with that token`);
    this.watchList.splice(index, 1);
    this.creditWatch(watch);
    return watch;
  }

  /** Passes a change on to the watches it concerns, in the order they were set. */
  hear(change: Change, read: (path: string) => StoreNode | undefined): void {
    if (this.watchList.length === 0 || !mayHearOf(this.subject, change, read)) return;
    for (const watch of this.watchList) if (matches(watch, change)) this.sink(watch, eventPath(watch, change.path));
  }

  /** ENOSPC when too many are open. */
  startTransaction(): Transaction {
    const limit = this.accounts.quotas.transactions;
    if (!this.subject.privileged && this.transactions.size >= limit) {
      throw new StoreError('ENOSPC', `more than ${limit} transactions`);
    }
    do {
      this.lastTransactionId = (this.lastTransactionId + 1) >>> 0;
    } while (this.lastTransactionId === 0 || this.transactions.has(this.lastTransactionId));
    const transaction = new Transaction(this.lastTransactionId, this.subject, this.tree, this.accounts);
    this.transactions.set(transaction.id, transaction);
    return transaction;
  }

  /** undefined for id 0, "no transaction"; ENOENT for an id that is not open. */
  transaction(id: number): Transaction | undefined {
    if (id === 0) return undefined;
    const transaction = this.transactions.get(id);
    if (transaction === undefined) throw new StoreError('ENOENT', `there is no transaction ${id}`);
    return transaction;
  }

  /** After this the id is free, whatever the outcome. Errors as Transaction.commit. */
  endTransaction(transaction: Transaction, commit: boolean, fire: (change: Change) => void): void {
    this.transactions.delete(transaction.id);
    if (commit) transaction.commit(fire);
    else transaction.end();
  }

  /** Drops all watches and transactions. */
  reset(): void {
    for (const watch of this.watchList) this.creditWatch(watch);
    this.watchList = [];
    for (const transaction of this.transactions.values()) transaction.end();
    this.transactions.clear();
  }

  private findWatch(path: string, token: string): number {
    return this.watchList.findIndex((watch) => watch.path === path && watch.token === token);
  }

  private creditWatch(watch: Watch): void {
    const account = this.accounts.of(this.subject.domid);
    account.watches--;
    account.memoryBytes -= watch.path.length + watch.token.length;
  }
}
