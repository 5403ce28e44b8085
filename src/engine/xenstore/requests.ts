/**
 * The requests of the wire protocol: from a message's payload to the store's operations, and the payload of the reply.
 * Order of the checks as in xenstored: known type, privilege, transaction, then arguments.
 *
 * @xen full    XS_DIRECTORY, XS_DIRECTORY_PART, XS_READ, XS_WRITE, XS_MKDIR, XS_RM, XS_GET_PERMS, XS_SET_PERMS
 * @xen full    XS_WATCH, XS_UNWATCH, XS_RESET_WATCHES, XS_TRANSACTION_START, XS_TRANSACTION_END
 * @xen full    XS_GET_DOMAIN_PATH, XS_IS_DOMAIN_INTRODUCED, XS_RELEASE, XS_RESUME, XS_SET_TARGET
 * @xen partial XS_INTRODUCE  "needs a machine that can map the domain's page; ENOSYS without"
 * @xen partial XS_CONTROL    "check, help, log, memreport, print, quota"
 */
import {
  XENSTORE_PAYLOAD_MAX,
  XS_CONTROL,
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_DOMAIN_PATH,
  XS_GET_PERMS,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RESET_WATCHES,
  XS_RESUME,
  XS_RM,
  XS_SET_PERMS,
  XS_SET_TARGET,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from '../abi/xs-wire.ts';
import type { Connection } from './connection.ts';
import { StoreError } from './error.ts';
import type { Operations } from './operations.ts';
import { domainPath } from './path.ts';
import { formatPermission, parsePermissions } from './permissions.ts';
import { bytesFromByteString } from './text.ts';
import type { Transaction } from './transactions.ts';
import type { Change, NodeView, StoreNode } from './tree.ts';
import type { Message } from './wire.ts';
import { onlyString, stringAndBytes, terminatedStrings } from './wire.ts';

/** What requests need beyond nodes: the domains and the daemon itself. */
export interface RequestHost {
  readonly operations: Operations;
  /** The store outside any transaction. */
  readonly directView: NodeView;
  fire(change: Change): void;
  /** ENOSYS where pages cannot be mapped, EINVAL when this one cannot. */
  introduceByFrame(domid: number, mfn: number, port: number): void;
  /** ENOENT when the domain is not introduced, EINVAL for domain 0; so for the next two. */
  release(domid: number): void;
  resume(domid: number): void;
  setTarget(domid: number, target: number): void;
  isIntroduced(domid: number): boolean;
  /** The answer to a CONTROL command. EINVAL for a command that there is not. */
  control(words: readonly string[]): string;
}

export interface Reply {
  readonly payload: Uint8Array;
  /** To be done once the reply is queued. */
  readonly after?: () => void;
}

interface RequestContext {
  readonly host: RequestHost;
  readonly connection: Connection;
  readonly transaction: Transaction | undefined;
  readonly view: NodeView;
  readonly payload: Uint8Array;
}

interface RequestKind {
  readonly run: (context: RequestContext) => Reply;
  /** Only for dom0. */
  readonly privileged?: boolean;
  /** The transaction id in the header means nothing here. */
  readonly ignoresTransaction?: boolean;
}

const OK: Reply = { payload: bytesFromByteString('OK\0') };

const textReply = (text: string): Reply => ({ payload: bytesFromByteString(`${text}\0`) });

/** A domain id as decimal text; EINVAL when it is not a number of 16 bits. */
function domidFrom(text: string | undefined): number {
  if (text === undefined || !/^[0-9]{1,5}$/.test(text) || Number(text) > 0xffff) {
    throw new StoreError('EINVAL', `"${text ?? ''}" is not a domain id`);
  }
  return Number(text);
}

function decimalFrom(text: string | undefined): number {
  if (text === undefined || !/^[0-9]{1,15}$/.test(text)) {
    throw new StoreError('EINVAL', `"${text ?? ''}" is not a decimal number`);
  }
  return Number(text);
}

function pathAndToken(payload: Uint8Array): [string, string] {
  const [path, token, ...rest] = terminatedStrings(payload);
  if (path === undefined || token === undefined || rest.length > 0) {
    throw new StoreError('EINVAL', 'the request takes a path and a token');
  }
  return [path, token];
}

function readable({ host, connection, view }: RequestContext, path: string, special = false): StoreNode {
  return host.operations.readNode(view, connection.subject, connection.path(path, special));
}

function directory(context: RequestContext): Reply {
  const { children } = readable(context, onlyString(context.payload));
  return { payload: bytesFromByteString(children.map((name) => `${name}\0`).join('')) };
}

/** As many whole names as fit a message, from a byte offset that a previous reply ended at; an empty name marks the end. */
function directoryPart(context: RequestContext): Reply {
  const [path, offsetText, ...rest] = terminatedStrings(context.payload);
  if (path === undefined || rest.length > 0) throw new StoreError('EINVAL', 'the request takes a path and an offset');
  const { children, generation } = readable(context, path);
  const offset = decimalFrom(offsetText);
  const list = children.map((name) => `${name}\0`).join('');
  const head = `${generation}\0`;
  const room = XENSTORE_PAYLOAD_MAX - head.length - 1;
  const rest1 = list.slice(offset);
  if (rest1.length <= room) return { payload: bytesFromByteString(`${head}${rest1}\0`) };
  const end = rest1.lastIndexOf('\0', room - 1) + 1;
  return { payload: bytesFromByteString(head + rest1.slice(0, end)) };
}

function watch({ connection, payload }: RequestContext): Reply {
  const added = connection.addWatch(...pathAndToken(payload));
  return {
    ...OK,
    after: () => {
      connection.sendFirstEvent(added);
    },
  };
}

function transactionEnd({ host, connection, transaction, payload }: RequestContext): Reply {
  const verdict = onlyString(payload);
  if (verdict !== 'T' && verdict !== 'F') throw new StoreError('EINVAL', 'a transaction ends with T or F');
  if (transaction === undefined) throw new StoreError('ENOENT', 'no transaction was named');
  connection.endTransaction(transaction, verdict === 'T', (change) => {
    host.fire(change);
  });
  return OK;
}

const KINDS = new Map<number, RequestKind>([
  [XS_DIRECTORY, { run: directory }],
  [XS_DIRECTORY_PART, { run: directoryPart }],
  [XS_READ, { run: (context) => ({ payload: readable(context, onlyString(context.payload)).value }) }],
  [
    XS_WRITE,
    {
      run: ({ host, connection, view, payload }) => {
        const { text, bytes } = stringAndBytes(payload);
        host.operations.write(view, connection.subject, connection.path(text), bytes);
        return OK;
      },
    },
  ],
  [
    XS_MKDIR,
    {
      run: ({ host, connection, view, payload }) => {
        host.operations.makeDirectory(view, connection.subject, connection.path(onlyString(payload)));
        return OK;
      },
    },
  ],
  [
    XS_RM,
    {
      run: ({ host, connection, view, payload }) => {
        host.operations.remove(view, connection.subject, connection.path(onlyString(payload)));
        return OK;
      },
    },
  ],
  [
    XS_GET_PERMS,
    {
      run: (context) => {
        const { permissions } = readable(context, onlyString(context.payload), true);
        return { payload: bytesFromByteString(permissions.map((entry) => `${formatPermission(entry)}\0`).join('')) };
      },
    },
  ],
  [
    XS_SET_PERMS,
    {
      run: ({ host, connection, view, payload }) => {
        const [path, ...permissions] = terminatedStrings(payload);
        if (path === undefined) throw new StoreError('EINVAL', 'the request takes a path and permissions');
        const wanted = parsePermissions(permissions);
        host.operations.setPermissions(view, connection.subject, connection.path(path, true), wanted);
        return OK;
      },
    },
  ],
  [XS_WATCH, { run: watch, ignoresTransaction: true }],
  [
    XS_UNWATCH,
    {
      run: ({ connection, payload }) => {
        connection.removeWatch(...pathAndToken(payload));
        return OK;
      },
      ignoresTransaction: true,
    },
  ],
  [
    XS_RESET_WATCHES,
    {
      run: ({ connection }) => {
        connection.reset();
        return OK;
      },
    },
  ],
  [
    XS_TRANSACTION_START,
    {
      run: ({ connection, transaction }) => {
        if (transaction !== undefined) throw new StoreError('EBUSY', 'transactions do not nest');
        return textReply(String(connection.startTransaction().id));
      },
    },
  ],
  [XS_TRANSACTION_END, { run: transactionEnd }],
  [XS_GET_DOMAIN_PATH, { run: ({ payload }) => textReply(domainPath(domidFrom(onlyString(payload)))) }],
  [
    XS_INTRODUCE,
    {
      run: ({ host, payload }) => {
        const [domid, mfn, port] = terminatedStrings(payload);
        host.introduceByFrame(domidFrom(domid), decimalFrom(mfn), decimalFrom(port));
        return OK;
      },
      privileged: true,
    },
  ],
  [
    XS_RELEASE,
    {
      run: ({ host, payload }) => {
        host.release(domidFrom(onlyString(payload)));
        return OK;
      },
      privileged: true,
    },
  ],
  [
    XS_RESUME,
    {
      run: ({ host, payload }) => {
        host.resume(domidFrom(onlyString(payload)));
        return OK;
      },
      privileged: true,
    },
  ],
  [
    XS_SET_TARGET,
    {
      run: ({ host, payload }) => {
        const [domid, target] = terminatedStrings(payload);
        host.setTarget(domidFrom(domid), domidFrom(target));
        return OK;
      },
      privileged: true,
    },
  ],
  [
    XS_IS_DOMAIN_INTRODUCED,
    {
      run: ({ host, payload }) => textReply(host.isIntroduced(domidFrom(onlyString(payload))) ? 'T' : 'F'),
      privileged: true,
    },
  ],
  [XS_CONTROL, { run: ({ host, payload }) => textReply(host.control(terminatedStrings(payload))), privileged: true }],
]);

/** Executes one request. Throws StoreError with what is to go into the ERROR reply; E2BIG when a reply fits no message. */
export function executeRequest(host: RequestHost, connection: Connection, request: Message): Reply {
  const kind = KINDS.get(request.type);
  if (kind === undefined) throw new StoreError('ENOSYS', `there is no request ${request.type}`);
  if (kind.privileged === true && !connection.subject.privileged) {
    throw new StoreError('EACCES', `request ${request.type} is for domain 0 only`);
  }
  const transaction = kind.ignoresTransaction === true ? undefined : connection.transaction(request.transactionId);
  const view = transaction ?? host.directView;
  const reply = kind.run({ host, connection, transaction, view, payload: request.payload });
  if (reply.payload.length > XENSTORE_PAYLOAD_MAX) throw new StoreError('E2BIG', 'the reply is longer than a message may be');
  return reply;
}
