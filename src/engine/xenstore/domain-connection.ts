/**
 * A domain's connection over its ring: takes requests in, in bounded turns, and queues replies and events until the domain takes
 * them. A domain that breaks the protocol or its ring loses this connection: it is told the reason in its page and is not heard
 * again until it asks for a reconnection.
 */
import {
  XENSTORE_ERROR_PROTO,
  XENSTORE_ERROR_RINGIDX,
  XENSTORE_PAYLOAD_MAX,
  XSD_SOCKMSG_BYTES,
  XS_WATCH_EVENT,
} from '../abi/xs-wire.ts';
import type { SharedRing } from '../hypervisor/control.ts';
import { Connection } from './connection.ts';
import type { Accounts } from './quota.ts';
import { RingIndexError, RingTransport } from './ring-transport.ts';
import { bytesFromByteString } from './text.ts';
import type { Tree } from './tree.ts';
import type { Message } from './wire.ts';
import { MessageParser, serializeMessage } from './wire.ts';

export interface DomainConnectionHost {
  readonly tree: Tree;
  readonly accounts: Accounts;
  /** Executes a request and queues what comes of it on the connection. Does not throw. */
  execute(connection: DomainConnection, request: Message): void;
  /** Runs a task later, with room for other work in between. */
  schedule(task: () => void): void;
  log(line: string): void;
  trace(direction: 'IN' | 'OUT', domid: number, message: Message): void;
}

interface QueuedMessage {
  readonly message: Message;
  readonly bytes: Uint8Array;
  /** How much of it is in the ring already. */
  sentBytes: number;
}

/** Requests taken in one turn: more than a guest sends at once, few enough not to hold up the rest of dom0. */
const REQUESTS_PER_TURN = 32;

export class DomainConnection {
  readonly connection: Connection;
  private transport: RingTransport;
  private readonly parser = new MessageParser();
  private queue: QueuedMessage[] = [];
  private state: 'open' | 'broken' | 'closed' = 'open';
  private turnScheduled = false;

  constructor(
    readonly domid: number,
    ring: SharedRing,
    private readonly host: DomainConnectionHost,
  ) {
    this.connection = new Connection(domid, false, host.tree, host.accounts, (watch, path) => {
      this.queueEvent(path, watch.token);
    });
    this.transport = this.attach(ring);
  }

  /** A new ring for the same domain: all that was under way is forgotten. */
  replaceRing(ring: SharedRing): void {
    this.forgetAll();
    this.transport = this.attach(ring);
    this.state = 'open';
  }

  /** For good: neither the ring nor the domain's events are looked at again. */
  close(): void {
    this.forgetAll();
    this.state = 'closed';
  }

  queueReply(message: Message): void {
    this.host.accounts.of(this.domid).outstanding++;
    this.enqueue(message);
  }

  /** One turn: requests in, replies and events out, one notification for both. */
  turn(): void {
    if (this.state === 'closed') return;
    if (this.transport.reconnectRequested()) this.reconnect();
    if (this.state !== 'open') return;
    try {
      // Sending first may make room among the outstanding replies.
      const sent = this.sendQueued();
      const received = this.receiveRequests();
      const sentAfter = this.sendQueued();
      if (sent || received || sentAfter) this.transport.notify();
    } catch (error) {
      if (!(error instanceof RingIndexError)) throw error;
      this.breakOff(XENSTORE_ERROR_RINGIDX, error.message);
    }
  }

  /** A turn soon, at most one at a time. */
  scheduleTurn(): void {
    if (this.turnScheduled) return;
    this.turnScheduled = true;
    this.host.schedule(() => {
      this.turnScheduled = false;
      this.turn();
    });
  }

  private attach(ring: SharedRing): RingTransport {
    const transport = new RingTransport(ring);
    transport.reset();
    ring.onNotify(() => {
      if (this.transport === transport) this.turn();
    });
    return transport;
  }

  private reconnect(): void {
    this.forgetAll();
    this.transport.reset();
    this.state = 'open';
    this.transport.notify();
  }

  private receiveRequests(): boolean {
    let progress = false;
    let executed = 0;
    while (this.mayRead()) {
      if (executed === REQUESTS_PER_TURN) {
        this.scheduleTurn();
        break;
      }
      const bytes = this.transport.receive(this.parser.wantedBytes);
      if (bytes.length === 0) break;
      progress = true;
      const step = this.parser.push(bytes);
      if (step.kind === 'oversize') {
        this.breakOff(XENSTORE_ERROR_PROTO, `a message of ${step.announcedBytes} bytes was announced`);
        break;
      }
      if (step.kind === 'message') {
        executed++;
        this.host.trace('IN', this.domid, step.message);
        this.host.execute(this, step.message);
      }
    }
    return progress;
  }

  /** A domain that does not take its replies gets no further requests executed. */
  private mayRead(): boolean {
    if (this.state !== 'open') return false;
    const { outstanding, memoryBytes } = this.host.accounts.of(this.domid);
    const { quotas } = this.host.accounts;
    return outstanding < quotas.outstanding && memoryBytes < quotas.memoryBytes;
  }

  private sendQueued(): boolean {
    let progress = false;
    let sentMessages = 0;
    for (const entry of this.queue) {
      const length = this.transport.send(entry.bytes.subarray(entry.sentBytes));
      if (length > 0) progress = true;
      entry.sentBytes += length;
      if (entry.sentBytes < entry.bytes.length) break;
      sentMessages++;
      this.credit(entry);
      this.host.trace('OUT', this.domid, entry.message);
    }
    this.queue.splice(0, sentMessages);
    return progress;
  }

  /**
   * Events that wait already are not queued twice, except those of special watches. An event that does not fit a message, or for
   * which the domain has no memory left, is lost.
   */
  private queueEvent(path: string, token: string): void {
    if (this.state !== 'open') return;
    const payload = bytesFromByteString(`${path}\0${token}\0`);
    if (payload.length > XENSTORE_PAYLOAD_MAX) return;
    if (!path.startsWith('@') && this.queue.some(({ message }) => isSameEvent(message, payload))) return;
    const { accounts } = this.host;
    const bytes = XSD_SOCKMSG_BYTES + payload.length;
    if (accounts.of(this.domid).memoryBytes + bytes > accounts.quotas.memoryBytes) return;
    this.enqueue({ type: XS_WATCH_EVENT, requestId: 0, transactionId: 0, payload });
    this.scheduleTurn();
  }

  private enqueue(message: Message): void {
    const bytes = serializeMessage(message);
    this.host.accounts.of(this.domid).memoryBytes += bytes.length;
    this.queue.push({ message, bytes, sentBytes: 0 });
  }

  private credit(entry: QueuedMessage): void {
    const account = this.host.accounts.of(this.domid);
    account.memoryBytes -= entry.bytes.length;
    if (entry.message.type !== XS_WATCH_EVENT) account.outstanding--;
  }

  private forgetAll(): void {
    for (const entry of this.queue) this.credit(entry);
    this.queue = [];
    this.parser.reset();
    this.connection.reset();
  }

  private breakOff(reason: number, why: string): void {
    this.host.log(`xenstored: connection of domain ${this.domid} closed: ${why}`);
    this.forgetAll();
    this.state = 'broken';
    this.transport.declareBroken(reason);
    this.transport.notify();
  }
}

function isSameEvent(message: Message, payload: Uint8Array): boolean {
  if (message.type !== XS_WATCH_EVENT || message.payload.length !== payload.length) return false;
  return message.payload.every((byte, i) => byte === payload[i]);
}
