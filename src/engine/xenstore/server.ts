/**
 * xenstored: the tree, the connections of domains and of dom0's programs, and the two special watches. No input or output of its
 * own: domains come with their rings, dom0's programs call in, later work goes through the scheduler it is given.
 */
import { XENSTORE_PAYLOAD_MAX, XS_ERROR, XS_TYPE_NAMES } from '../abi/xs-wire.ts';
import type { SharedRing } from '../hypervisor/control.ts';
import { StoreClient } from './client.ts';
import { Connection } from './connection.ts';
import { runControlCommand } from './control.ts';
import { DomainConnection } from './domain-connection.ts';
import { StoreError } from './error.ts';
import { Operations } from './operations.ts';
import { childPath } from './path.ts';
import type { Permission, Permissions } from './permissions.ts';
import { ownerOf } from './permissions.ts';
import type { Quotas } from './quota.ts';
import { Accounts, DEFAULT_QUOTAS } from './quota.ts';
import type { RequestHost } from './requests.ts';
import { executeRequest } from './requests.ts';
import { byteStringFrom, bytesFromByteString } from './text.ts';
import type { Change, NodeContent, NodeView, StoreNode } from './tree.ts';
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN, Tree } from './tree.ts';
import type { Message } from './wire.ts';

export interface XenstoreOptions {
  /** Runs a task later from a fresh stack, in order, with room for other work in between (not a microtask). */
  readonly schedule: (task: () => void) => void;
  /** Lines for the daemon's log. */
  readonly log: (line: string) => void;
  /** Every message of every domain, for an access log. */
  readonly trace?: (direction: 'IN' | 'OUT', domid: number, message: Message) => void;
  readonly quotas?: Partial<Quotas>;
  /** Whether the hypervisor knows the domain; rights are given to existing domains only. All exist when left out. */
  readonly domainExists?: (domid: number) => boolean;
  /** Maps the page and binds the channel that an INTRODUCE request names. */
  readonly mapRing?: (domid: number, mfn: number, port: number) => SharedRing;
}

interface IntroducedDomain {
  readonly connection: DomainConnection;
  /** Its shutdown has been announced. */
  shutdownAnnounced: boolean;
}

const DOM0 = 0;
const DOM0_ONLY: Permissions = [{ domid: DOM0, access: 'n' }];

export class XenstoreServer {
  private readonly accounts: Accounts;
  private readonly tree: Tree;
  private readonly directView: NodeView;
  private readonly operations: Operations;
  private readonly connections = new Set<Connection>();
  private readonly domains = new Map<number, IntroducedDomain>();
  private readonly requestHost: RequestHost;
  private tracing = false;

  constructor(private readonly options: XenstoreOptions) {
    this.accounts = new Accounts({ ...DEFAULT_QUOTAS, ...options.quotas });
    this.tree = new Tree(this.accounts);
    this.operations = new Operations(this.accounts, options.domainExists ?? (() => true));
    this.directView = {
      read: (path) => this.tree.get(path),
      write: (path, content) => this.tree.put(path, content),
      remove: (path) => {
        this.tree.delete(path);
      },
      changed: (change) => {
        this.fire(change);
      },
      ownedNodes: (domid) => this.accounts.of(domid).nodes,
    };
    this.requestHost = this.makeRequestHost();
    this.plantTree();
  }

  /**
   * Starts listening to a domain on the ring of its store page, which is reset. For a domain that is known already the ring
   * replaces the old one and whatever was under way is forgotten. EINVAL for domain 0, which has no ring here.
   */
  introduce(domid: number, ring: SharedRing): void {
    if (domid === DOM0) throw new StoreError('EINVAL', 'domain 0 is not introduced, it connects');
    const known = this.domains.get(domid);
    if (known !== undefined) {
      known.connection.replaceRing(ring);
      return;
    }
    const connection = new DomainConnection(domid, ring, {
      tree: this.tree,
      accounts: this.accounts,
      schedule: this.options.schedule,
      log: this.options.log,
      execute: (client, request) => {
        this.execute(client, request);
      },
      trace: (direction, id, message) => {
        this.trace(direction, id, message);
      },
    });
    this.domains.set(domid, { connection, shutdownAnnounced: false });
    this.connections.add(connection.connection);
    this.fireSpecial(INTRODUCE_DOMAIN);
  }

  /**
   * Forgets a domain that is gone: its connection, the nodes it owns and the rights it had elsewhere. Announces the release when
   * it had been introduced.
   */
  release(domid: number): void {
    if (domid === DOM0) throw new StoreError('EINVAL', 'domain 0 cannot be released');
    const domain = this.domains.get(domid);
    if (domain !== undefined) {
      domain.connection.close();
      this.connections.delete(domain.connection.connection);
      this.domains.delete(domid);
    }
    for (const other of this.connections) if (other.subject.target === domid) other.setTarget(undefined);
    this.removeOwnedNodes('/', domid);
    this.withdrawRights(domid);
    this.accounts.forget(domid);
    if (domain !== undefined) this.fireSpecial(RELEASE_DOMAIN);
  }

  /** A domain has shut down or crashed: announced once, until it is resumed. */
  domainShutdown(domid: number): void {
    const domain = this.domains.get(domid);
    if (domain === undefined || domain.shutdownAnnounced) return;
    domain.shutdownAnnounced = true;
    this.fireSpecial(RELEASE_DOMAIN);
  }

  /** The domain runs again: its next shutdown is to be announced. ENOENT when it is not introduced. */
  resume(domid: number): void {
    this.introduced(domid).shutdownAnnounced = false;
  }

  isIntroduced(domid: number): boolean {
    return domid === DOM0 || this.domains.has(domid);
  }

  /** A connection for a program of domain 0. */
  connect(): StoreClient {
    return new StoreClient(
      {
        operations: this.operations,
        directView: this.directView,
        schedule: this.options.schedule,
        log: this.options.log,
        fire: (change) => {
          this.fire(change);
        },
        disconnect: (client) => {
          this.connections.delete(client.connection);
        },
      },
      (sink) => {
        const connection = new Connection(DOM0, true, this.tree, this.accounts, sink);
        this.connections.add(connection);
        return connection;
      },
    );
  }

  /** Executes a request of the wire protocol for one of dom0's connections and returns the reply, an ERROR one included. */
  request(client: StoreClient, request: Message): Message {
    const { reply, after } = this.answer(client.connection, request);
    after?.();
    return reply;
  }

  /** A command to the daemon, as xenstore-control gives it. EINVAL for one that there is not. */
  control(words: readonly string[]): string {
    return this.requestHost.control(words);
  }

  private makeRequestHost(): RequestHost {
    return {
      operations: this.operations,
      directView: this.directView,
      fire: (change) => {
        this.fire(change);
      },
      introduceByFrame: (domid, mfn, port) => {
        if (this.options.mapRing === undefined) throw new StoreError('ENOSYS', 'pages are not mapped by frame number here');
        if (port === 0) throw new StoreError('EINVAL', 'port 0 is never a channel');
        this.introduce(domid, this.options.mapRing(domid, mfn, port));
      },
      release: (domid) => {
        this.introduced(domid);
        this.release(domid);
      },
      resume: (domid) => {
        this.resume(domid);
      },
      setTarget: (domid, target) => {
        this.introduced(target);
        this.introduced(domid).connection.connection.setTarget(target);
      },
      isIntroduced: (domid) => this.isIntroduced(domid),
      control: (words) =>
        runControlCommand(
          {
            tree: this.tree,
            accounts: this.accounts,
            log: this.options.log,
            setTracing: (on) => {
              this.tracing = on;
            },
          },
          words,
        ),
    };
  }

  private execute(client: DomainConnection, request: Message): void {
    const { reply, after } = this.answer(client.connection, request);
    client.queueReply(reply);
    after?.();
  }

  private answer(connection: Connection, request: Message): { reply: Message; after: (() => void) | undefined } {
    const { requestId, transactionId } = request;
    try {
      const { payload, after } = executeRequest(this.requestHost, connection, request);
      return { reply: { type: request.type, requestId, transactionId, payload }, after };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const payload = bytesFromByteString(`${error.code}\0`);
      return { reply: { type: XS_ERROR, requestId, transactionId, payload }, after: undefined };
    }
  }

  private introduced(domid: number): IntroducedDomain {
    if (domid === DOM0) throw new StoreError('EINVAL', 'domain 0 is not meant');
    const domain = this.domains.get(domid);
    if (domain === undefined) throw new StoreError('ENOENT', `domain ${domid} is not introduced`);
    return domain;
  }

  private fire(change: Change): void {
    const read = (path: string): StoreNode | undefined => this.tree.get(path);
    for (const connection of this.connections) connection.hear(change, read);
  }

  private fireSpecial(name: string): void {
    this.fire({ path: name, exact: true, node: this.tree.get(name), previousPermissions: undefined });
  }

  private removeOwnedNodes(path: string, domid: number): void {
    if (this.accounts.of(domid).nodes === 0) return;
    const node = this.tree.get(path);
    if (node === undefined) return;
    if (path !== '/' && ownerOf(node.permissions) === domid) {
      Operations.removeSubtree(this.directView, path);
      return;
    }
    for (const name of node.children) this.removeOwnedNodes(childPath(path, name), domid);
  }

  /** A later domain of the same number must not find doors open. */
  private withdrawRights(domid: number): void {
    for (const [path, node] of [...this.tree.entries()]) {
      const [owner, ...others] = node.permissions;
      const kept: Permission[] = others.filter((entry) => entry.domid !== domid);
      const newOwner = owner.domid === domid ? { ...owner, domid: DOM0 } : owner;
      if (kept.length === others.length && newOwner === owner) continue;
      this.tree.put(path, { ...node, permissions: [newOwner, ...kept] });
    }
  }

  private plantTree(): void {
    const plant = (path: string, children: readonly string[]): void => {
      const content: NodeContent = { permissions: DOM0_ONLY, value: new Uint8Array(0), children };
      this.tree.put(path, content);
    };
    plant('/', ['tool']);
    plant('/tool', ['xenstored']);
    plant('/tool/xenstored', []);
    plant(INTRODUCE_DOMAIN, []);
    plant(RELEASE_DOMAIN, []);
  }

  private trace(direction: 'IN' | 'OUT', domid: number, message: Message): void {
    this.options.trace?.(direction, domid, message);
    if (!this.tracing) return;
    const name = XS_TYPE_NAMES[message.type] ?? `type ${message.type}`;
    const text = byteStringFrom(message.payload.subarray(0, XENSTORE_PAYLOAD_MAX)).replaceAll('\0', ' ');
    this.options.log(`io: ${direction} (d${domid}) ${name} (${text})`);
  }
}
