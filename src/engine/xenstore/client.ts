/**
 * The store for programs of domain 0: xend, back ends, commands. Calls are synchronous and privileged; relative paths are under
 * /local/domain/0. Watch callbacks come later, each from a fresh stack, in the order of the events.
 * Values are text in UTF-8 unless bytes are asked for.
 */
import type { XsdError } from '../abi/xs-wire.ts';
import type { Connection, EventSink } from './connection.ts';
import { StoreError } from './error.ts';
import type { Operations } from './operations.ts';
import type { Permissions } from './permissions.ts';
import { decodeUtf8, encodeUtf8 } from './text.ts';
import type { Transaction } from './transactions.ts';
import type { Change, NodeView, StoreNode } from './tree.ts';
import type { Watch } from './watches.ts';

/** What can be done to nodes, directly or within a transaction. All methods throw StoreError (EINVAL for a bad path). */
export interface StoreAccess {
  /** undefined when there is no such node. */
  read(path: string): string | undefined;
  readBytes(path: string): Uint8Array | undefined;
  exists(path: string): boolean;
  /** Creates missing ancestors. */
  write(path: string, value: string | Uint8Array): void;
  mkdir(path: string): void;
  /** The node and all below it; true when there was one. */
  remove(path: string): boolean;
  /** Names of the children in order of creation; undefined when there is no such node. */
  list(path: string): readonly string[] | undefined;
  getPermissions(path: string): Permissions | undefined;
  setPermissions(path: string, permissions: Permissions): void;
}

export type WatchCallback = (path: string, token: string) => void;

export interface ClientHost {
  readonly operations: Operations;
  readonly directView: NodeView;
  fire(change: Change): void;
  schedule(task: () => void): void;
  log(line: string): void;
  disconnect(client: StoreClient): void;
}

/** Attempts at a transaction whose function itself changes the store behind the transaction's back. */
const TRANSACTION_ATTEMPTS = 5;

function hasCode(error: unknown, code: XsdError): boolean {
  return error instanceof StoreError && error.code === code;
}

abstract class NodeAccess implements StoreAccess {
  constructor(
    protected readonly host: ClientHost,
    readonly connection: Connection,
  ) {}

  read(path: string): string | undefined {
    const node = this.node(path);
    return node === undefined ? undefined : decodeUtf8(node.value);
  }

  readBytes(path: string): Uint8Array | undefined {
    return this.node(path)?.value.slice();
  }

  exists(path: string): boolean {
    return this.node(path) !== undefined;
  }

  write(path: string, value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? encodeUtf8(value) : value.slice();
    this.host.operations.write(this.view(), this.connection.subject, this.connection.path(path), bytes);
  }

  mkdir(path: string): void {
    this.host.operations.makeDirectory(this.view(), this.connection.subject, this.connection.path(path));
  }

  remove(path: string): boolean {
    const present = this.node(path) !== undefined;
    if (present) this.host.operations.remove(this.view(), this.connection.subject, this.connection.path(path));
    return present;
  }

  list(path: string): readonly string[] | undefined {
    return this.node(path)?.children;
  }

  getPermissions(path: string): Permissions | undefined {
    return this.node(path, true)?.permissions;
  }

  setPermissions(path: string, permissions: Permissions): void {
    const absolute = this.connection.path(path, true);
    this.host.operations.setPermissions(this.view(), this.connection.subject, absolute, permissions);
  }

  protected abstract view(): NodeView;

  private node(path: string, special = false): StoreNode | undefined {
    try {
      return this.host.operations.readNode(this.view(), this.connection.subject, this.connection.path(path, special));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
}

class TransactionAccess extends NodeAccess {
  constructor(
    host: ClientHost,
    connection: Connection,
    private readonly transaction: Transaction,
  ) {
    super(host, connection);
  }

  protected override view(): NodeView {
    return this.transaction;
  }
}

/** Events on their way to the callbacks of one client. */
class EventDelivery {
  readonly callbacks = new Map<Watch, WatchCallback>();
  private pending: { readonly watch: Watch; readonly path: string }[] = [];
  private scheduled = false;

  constructor(private readonly host: ClientHost) {}

  /** As with domains, an event that waits already is not queued twice, unless it is one of the special watches. */
  queue(watch: Watch, path: string): void {
    if (!path.startsWith('@') && this.pending.some((event) => event.watch === watch && event.path === path)) return;
    this.pending.push({ watch, path });
    if (this.scheduled) return;
    this.scheduled = true;
    this.host.schedule(() => {
      this.deliver();
    });
  }

  private deliver(): void {
    this.scheduled = false;
    const events = this.pending;
    this.pending = [];
    for (const { watch, path } of events) {
      // The watch may have been dropped since, by a callback before this one too.
      const callback = this.callbacks.get(watch);
      try {
        callback?.(path, watch.token);
      } catch (error) {
        this.host.log(`xenstored: watch callback for ${path} failed: ${String(error)}`);
      }
    }
  }
}

export class StoreClient extends NodeAccess {
  private readonly delivery: EventDelivery;
  private closed = false;

  constructor(host: ClientHost, connect: (sink: EventSink) => Connection) {
    const delivery = new EventDelivery(host);
    super(
      host,
      connect((watch, path) => {
        delivery.queue(watch, path);
      }),
    );
    this.delivery = delivery;
  }

  /**
   * Calls back once soon with the path itself, then at every change at or below it. Tokens tell the watches of one path apart
   * and are passed to the callback. EEXIST for a path and token that are watched already.
   */
  watch(path: string, token: string, callback: WatchCallback): void {
    this.requireOpen();
    const watch = this.connection.addWatch(path, token);
    this.delivery.callbacks.set(watch, callback);
    this.connection.sendFirstEvent(watch);
  }

  /** No callback of that watch comes after this. ENOENT. */
  unwatch(path: string, token: string): void {
    this.delivery.callbacks.delete(this.connection.removeWatch(path, token));
  }

  /**
   * Runs `body` and commits what it did, all or nothing; an exception leaves the store as it was and is passed on. Nothing else
   * runs meanwhile, so a conflict can only come from `body` writing to the store itself; it is then run again.
   * EAGAIN when that goes on.
   */
  transaction<Result>(body: (access: StoreAccess) => Result): Result {
    this.requireOpen();
    for (let attempt = 1; ; attempt++) {
      const transaction = this.connection.startTransaction();
      let result: Result;
      try {
        result = body(new TransactionAccess(this.host, this.connection, transaction));
      } catch (error) {
        this.end(transaction, false);
        throw error;
      }
      try {
        this.end(transaction, true);
        return result;
      } catch (error) {
        if (!hasCode(error, 'EAGAIN') || attempt === TRANSACTION_ATTEMPTS) throw error;
      }
    }
  }

  /** Drops the watches; every later call fails with EIO. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.delivery.callbacks.clear();
    this.connection.reset();
    this.host.disconnect(this);
  }

  protected override view(): NodeView {
    this.requireOpen();
    return this.host.directView;
  }

  private end(transaction: Transaction, commit: boolean): void {
    this.connection.endTransaction(transaction, commit, (change) => {
      this.host.fire(change);
    });
  }

  private requireOpen(): void {
    if (this.closed) throw new StoreError('EIO', 'this connection to the store is closed');
  }
}
