/**
 * The protocol as tables: each row is who asks, in which transaction, what, and everything that this connection then hears.
 * Domains 1, 2 and 3 are connected by rings; domain 0 asks in the same messages. Blanks at the ends of payloads are NULs.
 */
import { describe, expect, it } from 'vitest';
import { XS_TYPE_NAMES } from '../abi/xs-wire.ts';
import type { StoreClient } from './client.ts';
import { XenstoreServer } from './server.ts';
import { GuestStore, ManualScheduler, describe as describeMessage } from './testing/guest-store.ts';
import { bytesFromByteString } from './text.ts';

type Row = readonly [domid: 0 | 1 | 2 | 3, transaction: number, type: string, payload: string, ...heard: string[]];

class Bench {
  readonly scheduler = new ManualScheduler();
  readonly log: string[] = [];
  readonly server = new XenstoreServer({
    schedule: this.scheduler.schedule,
    log: (line) => this.log.push(line),
    domainExists: (domid) => domid < 10,
  });
  readonly dom0: StoreClient = this.server.connect();
  readonly guests = new Map([1, 2, 3].map((domid) => [domid, new GuestStore()]));

  constructor() {
    for (const [domid, guest] of this.guests) {
      this.dom0.mkdir(`/local/domain/${domid}`);
      this.dom0.setPermissions(`/local/domain/${domid}`, [{ domid, access: 'n' }]);
      this.server.introduce(domid, guest.ring);
    }
  }

  ask(domid: number, transaction: number, typeName: string, text: string): string[] {
    const type = XS_TYPE_NAMES.includes(typeName) ? XS_TYPE_NAMES.indexOf(typeName) : Number(typeName);
    const guest = this.guests.get(domid);
    if (guest !== undefined) {
      this.scheduler.run();
      return guest.ask(type, text, transaction);
    }
    const request = { type, requestId: 7, transactionId: transaction, payload: bytesFromByteString(text) };
    const reply = this.server.request(this.dom0, request);
    expect([reply.requestId, reply.transactionId]).toEqual([7, transaction]);
    return [describeMessage(reply)];
  }

  run(rows: readonly Row[]): void {
    rows.forEach(([domid, transaction, type, payload, ...heard], i) => {
      expect(this.ask(domid, transaction, type, payload), `row ${i}: ${type} ${payload}`).toEqual(heard);
    });
  }
}

const OK = (type: string): string => `${type} (OK )`;
const ERROR = (code: string): string => `ERROR (${code} )`;
const long = (length: number): string => 'x'.repeat(length);

const TABLES: Record<string, readonly Row[]> = {
  'reads and writes, creating what is missing': [
    [1, 0, 'READ', 'a/b\0', ERROR('ENOENT')],
    [1, 0, 'WRITE', 'a/b\0one', OK('WRITE')],
    [1, 0, 'READ', 'a/b\0', 'READ (one)'],
    [1, 0, 'READ', '/local/domain/1/a/b\0', 'READ (one)'],
    [1, 0, 'READ', 'a\0', 'READ ()'],
    [1, 0, 'WRITE', 'a/b\0two\0three\0', OK('WRITE')],
    [1, 0, 'READ', 'a/b\0', 'READ (two three )'],
    [1, 0, 'WRITE', 'a/b\0', OK('WRITE')],
    [1, 0, 'READ', 'a/b\0', 'READ ()'],
    [0, 0, 'READ', '/local/domain/1/a/b\0', 'READ ()'],
    [0, 0, 'WRITE', 'name\0Domain-0', OK('WRITE')],
    [0, 0, 'READ', '/local/domain/0/name\0', 'READ (Domain-0)'],
  ],
  'directories keep the order of creation': [
    [1, 0, 'DIRECTORY', '/local/domain/1\0', 'DIRECTORY ()'],
    [1, 0, 'MKDIR', 'z\0', OK('MKDIR')],
    [1, 0, 'MKDIR', 'a/deep/one\0', OK('MKDIR')],
    [1, 0, 'WRITE', 'm\0x', OK('WRITE')],
    [1, 0, 'MKDIR', 'm\0', OK('MKDIR')],
    [1, 0, 'READ', 'm\0', 'READ (x)'],
    [1, 0, 'DIRECTORY', '/local/domain/1\0', 'DIRECTORY (z a m )'],
    [1, 0, 'DIRECTORY', 'a/deep\0', 'DIRECTORY (one )'],
    [1, 0, 'RM', 'a\0', OK('RM')],
    [1, 0, 'DIRECTORY', '/local/domain/1\0', 'DIRECTORY (z m )'],
    [1, 0, 'READ', 'a/deep/one\0', ERROR('ENOENT')],
  ],
  removal: [
    [1, 0, 'RM', 'nothing\0', OK('RM')],
    [1, 0, 'RM', 'no/parent\0', ERROR('ENOENT')],
    [0, 0, 'RM', '/\0', ERROR('EINVAL')],
    [1, 0, 'RM', '/local/domain/2\0', ERROR('EACCES')],
    [1, 0, 'RM', '/local/domain/2/x\0', ERROR('EACCES')],
    [0, 0, 'RM', '/local/domain/2\0', OK('RM')],
    [0, 0, 'DIRECTORY', '/local/domain\0', 'DIRECTORY (1 3 )'],
  ],
  'paths that are not': [
    [1, 0, 'READ', '\0', ERROR('EINVAL')],
    [1, 0, 'READ', '', ERROR('EINVAL')],
    [1, 0, 'READ', 'unterminated', ERROR('EINVAL')],
    [1, 0, 'READ', 'two\0strings\0', ERROR('EINVAL')],
    [1, 0, 'READ', 'a//b\0', ERROR('EINVAL')],
    [1, 0, 'READ', 'a/\0', ERROR('EINVAL')],
    [1, 0, 'READ', '//\0', ERROR('EINVAL')],
    [1, 0, 'READ', 'a.b\0', ERROR('EINVAL')],
    [1, 0, 'READ', 'a b\0', ERROR('EINVAL')],
    [1, 0, 'READ', 'a\xe9\0', ERROR('EINVAL')],
    [1, 0, 'READ', '@introduceDomain\0', ERROR('EINVAL')],
    [1, 0, 'WRITE', '@introduceDomain\0x', ERROR('EINVAL')],
    [1, 0, 'WRITE', `${long(2048)}\0v`, ERROR('ENOSPC')],
    [1, 0, 'READ', `${long(2048)}\0`, ERROR('ENOENT')],
    [1, 0, 'READ', `${long(2049)}\0`, ERROR('EINVAL')],
    [0, 0, 'READ', `/${long(3071)}\0`, ERROR('ENOENT')],
    [0, 0, 'READ', `/${long(3072)}\0`, ERROR('EINVAL')],
    [1, 0, 'WRITE', 'novalue', ERROR('EINVAL')],
    [1, 0, 'DIRECTORY', '/\0', ERROR('EACCES')],
    [0, 0, 'DIRECTORY', '/\0', 'DIRECTORY (tool local )'],
  ],
  rights: [
    [1, 0, 'WRITE', 'common\0v', OK('WRITE')],
    [1, 0, 'GET_PERMS', 'common\0', 'GET_PERMS (n1 )'],
    [2, 0, 'READ', '/local/domain/1/common\0', ERROR('EACCES')],
    [2, 0, 'READ', '/local/domain/1/unknown\0', ERROR('EACCES')],
    [1, 0, 'SET_PERMS', 'common\0n1\0r2\0', OK('SET_PERMS')],
    [1, 0, 'GET_PERMS', 'common\0', 'GET_PERMS (n1 r2 )'],
    [2, 0, 'READ', '/local/domain/1/common\0', 'READ (v)'],
    [2, 0, 'GET_PERMS', '/local/domain/1/common\0', 'GET_PERMS (n1 r2 )'],
    [3, 0, 'READ', '/local/domain/1/common\0', ERROR('EACCES')],
    [2, 0, 'WRITE', '/local/domain/1/common\0x', ERROR('EACCES')],
    [2, 0, 'SET_PERMS', '/local/domain/1/common\0b2\0', ERROR('EACCES')],
    [1, 0, 'SET_PERMS', 'common\0n1\0b2\0w3\0', OK('SET_PERMS')],
    [2, 0, 'WRITE', '/local/domain/1/common\0x', OK('WRITE')],
    [2, 0, 'SET_PERMS', '/local/domain/1/common\0b2\0', ERROR('EACCES')],
    [3, 0, 'WRITE', '/local/domain/1/common\0y', OK('WRITE')],
    [3, 0, 'READ', '/local/domain/1/common\0', ERROR('EACCES')],
    [3, 0, 'WRITE', '/local/domain/1/common/of3\0z', OK('WRITE')],
    [1, 0, 'GET_PERMS', 'common/of3\0', ERROR('EACCES')],
    [0, 0, 'GET_PERMS', '/local/domain/1/common/of3\0', 'GET_PERMS (n3 b2 w3 )'],
    [1, 0, 'RM', 'common\0', OK('RM')],
    [1, 0, 'SET_PERMS', 'common\0n1\0', ERROR('ENOENT')],
  ],
  'access lists are checked': [
    [1, 0, 'MKDIR', 'd\0', OK('MKDIR')],
    [1, 0, 'SET_PERMS', 'd\0', ERROR('EINVAL')],
    [1, 0, 'SET_PERMS', 'd\0x1\0', ERROR('EINVAL')],
    [1, 0, 'SET_PERMS', 'd\0n\0', ERROR('EINVAL')],
    [1, 0, 'SET_PERMS', 'd\0n70000\0', ERROR('EINVAL')],
    [1, 0, 'SET_PERMS', 'd\0n2\0', ERROR('EPERM')],
    [1, 0, 'SET_PERMS', 'd\0n99\0', ERROR('ENOENT')],
    [1, 0, 'SET_PERMS', 'd\0n1\0r99\0r3\0', OK('SET_PERMS')],
    [1, 0, 'GET_PERMS', 'd\0', 'GET_PERMS (n1 r3 )'],
    [1, 0, 'SET_PERMS', 'd\0n1\0r0\0r2\0r3\0r4\0', OK('SET_PERMS')],
    [1, 0, 'SET_PERMS', 'd\0n1\0r0\0r2\0r3\0r4\0r5\0', ERROR('ENOSPC')],
    [0, 0, 'SET_PERMS', '/local/domain/1/d\0r2\0w1\0', OK('SET_PERMS')],
    [1, 0, 'WRITE', 'd\0mine no more', OK('WRITE')],
    [1, 0, 'READ', 'd\0', ERROR('EACCES')],
    [3, 0, 'READ', '/local/domain/1/d\0', 'READ (mine no more)'],
    [1, 0, 'GET_PERMS', '@releaseDomain\0', ERROR('EACCES')],
    [0, 0, 'GET_PERMS', '@releaseDomain\0', 'GET_PERMS (n0 )'],
  ],
  watches: [
    [1, 0, 'WATCH', 'device\0tok\0', OK('WATCH'), 'WATCH_EVENT (device tok )'],
    [1, 0, 'WATCH', 'device\0tok\0', ERROR('EEXIST')],
    [1, 0, 'WATCH', '/local/domain/1/device\0tok\0', ERROR('EEXIST')],
    [1, 0, 'WATCH', '/local/domain/1/device\0abs\0', OK('WATCH'), 'WATCH_EVENT (/local/domain/1/device abs )'],
    [
      1,
      0,
      'WRITE',
      'device/vbd/0/state\x001',
      'WATCH_EVENT (device/vbd/0/state tok )',
      'WATCH_EVENT (/local/domain/1/device/vbd/0/state abs )',
      OK('WRITE'),
    ],
    [1, 0, 'WRITE', 'devices\0beside', OK('WRITE')],
    [1, 0, 'UNWATCH', '/local/domain/1/device\0abs\0', OK('UNWATCH')],
    [1, 0, 'UNWATCH', '/local/domain/1/device\0abs\0', ERROR('ENOENT')],
    [1, 0, 'MKDIR', 'device/vbd/0\0', OK('MKDIR')],
    [1, 0, 'SET_PERMS', 'device/vbd/0\0n1\0r0\0', 'WATCH_EVENT (device/vbd/0 tok )', OK('SET_PERMS')],
    [1, 0, 'WATCH', 'device/vbd/0/state\0deep\0', OK('WATCH'), 'WATCH_EVENT (device/vbd/0/state deep )'],
    [1, 0, 'RM', 'device/vbd\0', 'WATCH_EVENT (device/vbd/0/state deep )', 'WATCH_EVENT (device/vbd tok )', OK('RM')],
    [1, 0, 'WATCH', '\0tok\0', ERROR('EINVAL')],
    [1, 0, 'WATCH', 'device\0', ERROR('EINVAL')],
    [1, 0, 'WATCH', 'device\0a\0b\0', ERROR('EINVAL')],
    [1, 0, 'WATCH', 'device\0a\0unfinished', OK('WATCH'), 'WATCH_EVENT (device a )'],
    [1, 0, 'RESET_WATCHES', '\0', OK('RESET_WATCHES')],
    [1, 0, 'WRITE', 'device\0x', OK('WRITE')],
    [1, 99, 'WATCH', 'device\0a\0', OK('WATCH'), 'WATCH_EVENT (device a )'],
  ],
  'watches hear only what their domain may read': [
    [2, 0, 'WATCH', '/local/domain/1\0w\0', OK('WATCH'), 'WATCH_EVENT (/local/domain/1 w )'],
    [1, 0, 'WRITE', 'secret\x001', OK('WRITE')],
    [2, 0, 'READ', 'x\0', ERROR('ENOENT')],
    [1, 0, 'SET_PERMS', 'secret\0n1\0r2\0', OK('SET_PERMS')],
    [2, 0, 'READ', 'x\0', 'WATCH_EVENT (/local/domain/1/secret w )', ERROR('ENOENT')],
    [1, 0, 'WRITE', 'secret\x002', OK('WRITE')],
    [2, 0, 'READ', 'x\0', 'WATCH_EVENT (/local/domain/1/secret w )', ERROR('ENOENT')],
    // Losing the right is itself heard of; what comes after is not.
    [1, 0, 'SET_PERMS', 'secret\0n1\0', OK('SET_PERMS')],
    [2, 0, 'READ', 'x\0', 'WATCH_EVENT (/local/domain/1/secret w )', ERROR('ENOENT')],
    [1, 0, 'WRITE', 'secret\x003', OK('WRITE')],
    [2, 0, 'READ', 'x\0', ERROR('ENOENT')],
    // A readable parent is enough.
    [1, 0, 'SET_PERMS', '/local/domain/1\0n1\0r2\0', OK('SET_PERMS')],
    [2, 0, 'READ', 'x\0', 'WATCH_EVENT (/local/domain/1 w )', ERROR('ENOENT')],
    [1, 0, 'RM', 'secret\0', OK('RM')],
    [2, 0, 'READ', 'x\0', 'WATCH_EVENT (/local/domain/1/secret w )', ERROR('ENOENT')],
  ],
  transactions: [
    [1, 0, 'WATCH', 'a\0t\0', OK('WATCH'), 'WATCH_EVENT (a t )'],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (1 )'],
    [1, 1, 'WRITE', 'a/b\0in', OK('WRITE')],
    [1, 1, 'WRITE', 'a/c\0in', OK('WRITE')],
    [1, 1, 'WRITE', 'a/b\0again', OK('WRITE')],
    [1, 1, 'READ', 'a/b\0', 'READ (again)'],
    [1, 0, 'READ', 'a/b\0', ERROR('ENOENT')],
    [1, 1, 'TRANSACTION_END', 'T\0', 'WATCH_EVENT (a/b t )', 'WATCH_EVENT (a/c t )', OK('TRANSACTION_END')],
    [1, 0, 'READ', 'a/b\0', 'READ (again)'],
    [1, 0, 'DIRECTORY', 'a\0', 'DIRECTORY (b c )'],
    [1, 1, 'READ', 'a/b\0', ERROR('ENOENT')],
    [1, 1, 'TRANSACTION_END', 'T\0', ERROR('ENOENT')],
    [1, 0, 'TRANSACTION_END', 'T\0', ERROR('ENOENT')],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (2 )'],
    [1, 2, 'TRANSACTION_START', '\0', ERROR('EBUSY')],
    [1, 2, 'RM', 'a\0', OK('RM')],
    [1, 2, 'TRANSACTION_END', 'maybe\0', ERROR('EINVAL')],
    [1, 2, 'TRANSACTION_END', 'F\0', OK('TRANSACTION_END')],
    [1, 0, 'READ', 'a/b\0', 'READ (again)'],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (3 )'],
    [1, 3, 'RM', 'a\0', OK('RM')],
    [1, 3, 'READ', 'a/b\0', ERROR('ENOENT')],
    [1, 3, 'TRANSACTION_END', 'T\0', 'WATCH_EVENT (a t )', OK('TRANSACTION_END')],
    [1, 0, 'DIRECTORY', '/local/domain/1\0', 'DIRECTORY ()'],
  ],
  'transactions that conflict change nothing': [
    [1, 0, 'WRITE', 'n\x001', OK('WRITE')],
    [1, 0, 'WRITE', 'dir/x\x001', OK('WRITE')],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (1 )'],
    [1, 1, 'READ', 'n\0', 'READ (1)'],
    [1, 1, 'WRITE', 'm\x00from 1', OK('WRITE')],
    [0, 0, 'WRITE', '/local/domain/1/n\x002', OK('WRITE')],
    [1, 1, 'READ', 'n\0', 'READ (1)'],
    [1, 1, 'TRANSACTION_END', 'T\0', ERROR('EAGAIN')],
    [1, 0, 'READ', 'm\0', ERROR('ENOENT')],
    [1, 1, 'READ', 'n\0', ERROR('ENOENT')],
    // A node that was not there when looked for is a conflict when it comes to be, and one that goes.
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (2 )'],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (3 )'],
    [1, 2, 'READ', 'dir/new\0', ERROR('ENOENT')],
    [1, 3, 'READ', 'dir/x\0', 'READ (1)'],
    [1, 2, 'WRITE', 'q\0q', OK('WRITE')],
    [1, 0, 'WRITE', 'dir/new\0v', OK('WRITE')],
    [1, 2, 'TRANSACTION_END', 'T\0', ERROR('EAGAIN')],
    [1, 0, 'RM', 'dir/x\0', OK('RM')],
    [1, 3, 'TRANSACTION_END', 'T\0', ERROR('EAGAIN')],
    // Creating siblings conflicts, both change the parent; writing different old nodes does not.
    [1, 0, 'WRITE', 'dir/y\x001', OK('WRITE')],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (4 )'],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (5 )'],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (6 )'],
    [1, 4, 'WRITE', 'dir/of4\x004', OK('WRITE')],
    [1, 5, 'WRITE', 'dir/of5\x005', OK('WRITE')],
    [1, 6, 'WRITE', 'dir/y\x006', OK('WRITE')],
    [1, 4, 'TRANSACTION_END', 'T\0', OK('TRANSACTION_END')],
    [1, 5, 'TRANSACTION_END', 'T\0', ERROR('EAGAIN')],
    [1, 6, 'TRANSACTION_END', 'T\0', OK('TRANSACTION_END')],
    [1, 0, 'DIRECTORY', 'dir\0', 'DIRECTORY (new y of4 )'],
    [1, 0, 'READ', 'dir/y\0', 'READ (6)'],
    // Reading alone conflicts too: what was read would not have been true together.
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (7 )'],
    [1, 7, 'READ', 'dir/y\0', 'READ (6)'],
    [1, 0, 'WRITE', 'dir/y\x007', OK('WRITE')],
    [1, 7, 'TRANSACTION_END', 'T\0', ERROR('EAGAIN')],
  ],
  'a transaction of one domain is no transaction of another': [
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (1 )'],
    [2, 1, 'READ', 'x\0', ERROR('ENOENT')],
    [2, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (1 )'],
    [2, 1, 'WRITE', 'x\x002', OK('WRITE')],
    [1, 1, 'TRANSACTION_END', 'T\0', OK('TRANSACTION_END')],
    [2, 1, 'TRANSACTION_END', 'T\0', OK('TRANSACTION_END')],
    [2, 0, 'READ', 'x\0', 'READ (2)'],
    [1, 0, 'TRANSACTION_START', '\0', 'TRANSACTION_START (2 )'],
    [1, 0, 'RESET_WATCHES', '\0', OK('RESET_WATCHES')],
    [1, 2, 'TRANSACTION_END', 'T\0', ERROR('ENOENT')],
  ],
  'requests about domains': [
    [1, 0, 'GET_DOMAIN_PATH', '1\0', 'GET_DOMAIN_PATH (/local/domain/1 )'],
    [1, 0, 'GET_DOMAIN_PATH', '007\0', 'GET_DOMAIN_PATH (/local/domain/7 )'],
    [1, 0, 'GET_DOMAIN_PATH', 'one\0', ERROR('EINVAL')],
    [1, 0, 'IS_DOMAIN_INTRODUCED', '1\0', ERROR('EACCES')],
    [0, 0, 'IS_DOMAIN_INTRODUCED', '1\0', 'IS_DOMAIN_INTRODUCED (T )'],
    [0, 0, 'IS_DOMAIN_INTRODUCED', '0\0', 'IS_DOMAIN_INTRODUCED (T )'],
    [0, 0, 'IS_DOMAIN_INTRODUCED', '4\0', 'IS_DOMAIN_INTRODUCED (F )'],
    [1, 0, 'RELEASE', '2\0', ERROR('EACCES')],
    [1, 0, 'RESUME', '2\0', ERROR('EACCES')],
    [1, 0, 'INTRODUCE', '4\x001234\x001\0', ERROR('EACCES')],
    [0, 0, 'INTRODUCE', '4\x001234\x001\0', ERROR('ENOSYS')],
    [0, 0, 'INTRODUCE', '4\x001234\0', ERROR('EINVAL')],
    [0, 0, 'RESUME', '2\0', OK('RESUME')],
    [0, 0, 'RESUME', '4\0', ERROR('ENOENT')],
    [0, 0, 'RELEASE', '0\0', ERROR('EINVAL')],
    [0, 0, 'RELEASE', '3\0', OK('RELEASE')],
    [0, 0, 'RELEASE', '3\0', ERROR('ENOENT')],
    [0, 0, 'IS_DOMAIN_INTRODUCED', '3\0', 'IS_DOMAIN_INTRODUCED (F )'],
    [0, 0, 'DIRECTORY', '/local/domain\0', 'DIRECTORY (1 2 )'],
  ],
  'a domain that serves another has its rights': [
    [1, 0, 'WRITE', 'x\x001', OK('WRITE')],
    [2, 0, 'SET_TARGET', '2\x001\0', ERROR('EACCES')],
    [2, 0, 'READ', '/local/domain/1/x\0', ERROR('EACCES')],
    [0, 0, 'SET_TARGET', '2\x004\0', ERROR('ENOENT')],
    [0, 0, 'SET_TARGET', '2\x001\0', OK('SET_TARGET')],
    [2, 0, 'READ', '/local/domain/1/x\0', 'READ (1)'],
    [2, 0, 'SET_PERMS', '/local/domain/1/x\0n1\0r3\0', OK('SET_PERMS')],
    [3, 0, 'READ', '/local/domain/1/x\0', 'READ (1)'],
  ],
  'requests that there are not, and those for domain 0': [
    [1, 0, 'WATCH_EVENT', 'a\0b\0', ERROR('ENOSYS')],
    [1, 0, 'ERROR', 'EIO\0', ERROR('ENOSYS')],
    [1, 0, '20', '1\0', ERROR('ENOSYS')],
    [1, 0, '23', '', ERROR('ENOSYS')],
    [1, 0, '65535', '', ERROR('ENOSYS')],
    [1, 0, 'CONTROL', 'check\0', ERROR('EACCES')],
    [0, 0, 'CONTROL', 'check\0', OK('CONTROL')],
    [0, 0, 'CONTROL', 'frobnicate\0', ERROR('EINVAL')],
    [0, 0, 'CONTROL', 'print\0hello\0', OK('CONTROL')],
    [0, 0, 'CONTROL', 'log\0perhaps\0', ERROR('EINVAL')],
    [0, 99, 'READ', '/tool\0', ERROR('ENOENT')],
    [1, 99, 'GET_DOMAIN_PATH', '1\0', ERROR('ENOENT')],
  ],
};

describe.each(Object.keys(TABLES))('%s', (name) => {
  it('is answered as the table says', () => {
    const bench = new Bench();
    bench.run(TABLES[name]!);
    expect(bench.server.control(['check'])).toBe('OK');
    expect(bench.log.filter((line) => line.includes('check:'))).toEqual([]);
  });
});

describe('directories longer than a message', () => {
  it('are refused whole and given in parts', () => {
    const bench = new Bench();
    const names = Array.from({ length: 700 }, (_, i) => `child-${i}`);
    for (const name of names) bench.dom0.write(`/big/${name}`, '');
    bench.run([[0, 0, 'DIRECTORY', '/big\0', ERROR('E2BIG')]]);
    let list = '';
    const generations = new Set<string>();
    for (let parts = 1; ; parts++) {
      const [reply = ''] = bench.ask(0, 0, 'DIRECTORY_PART', `/big\0${list.length}\0`);
      const match = /^DIRECTORY_PART \((\d+) (.*)\)$/.exec(reply);
      expect(reply.length).toBeLessThanOrEqual(4096 + 'DIRECTORY_PART ()'.length);
      generations.add(match![1]!);
      if (match![2]!.endsWith('  ')) {
        list += match![2]!.slice(0, -1);
        expect(parts).toBe(2);
        break;
      }
      list += match![2]!;
    }
    expect(list.trimEnd().split(' ')).toEqual(names);
    expect(generations.size).toBe(1);
    const [past] = bench.ask(0, 0, 'DIRECTORY_PART', '/big\x00100000\0');
    expect(past).toBe(`DIRECTORY_PART (${[...generations][0]!}  )`);
    bench.dom0.write('/big/child-0', 'changed');
    expect(bench.ask(0, 0, 'DIRECTORY_PART', '/big\x00100000\0')).toEqual([past]);
    bench.dom0.write('/big/one-more', '');
    expect(bench.ask(0, 0, 'DIRECTORY_PART', '/big\x00100000\0')).not.toEqual([past]);
    bench.run([
      [1, 0, 'DIRECTORY_PART', '/local/domain/1\0', ERROR('EINVAL')],
      [1, 0, 'DIRECTORY_PART', '/local/domain/1\0-1\0', ERROR('EINVAL')],
      [1, 0, 'DIRECTORY_PART', '/big\x000\0', ERROR('EACCES')],
    ]);
  });
});
