/** Devices that go while the image lets a request wait. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_OFFER } from './block-device.ts';
import type { DiskImage } from '../../storage/disk-image.ts';
import { removeBlockNodes } from '../../toolstack/devices/block-nodes.ts';
import { BACKEND, DOMID, ID } from './testing/block-guest.ts';
import { BARRIER, connected, READ, settle, WRITE, type Bench, type BenchOptions } from './testing/block-bench.ts';

interface Waiting extends Bench {
  /** What the image was asked to do, in order. */
  readonly calls: string[];
  /** Ends the wait of `ready`. */
  readonly release: (error?: Error) => void;
}

/** A device whose image does nothing at once: `ready` and `flush` wait until they are told. */
async function waiting(options: BenchOptions = {}): Promise<Waiting> {
  const calls: string[] = [];
  const waits: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  const wait = (call: string): Promise<void> => {
    calls.push(call);
    return new Promise((resolve, reject) => waits.push({ resolve, reject }));
  };
  const noted = <Result>(call: string, result: Result): Result => {
    calls.push(call);
    return result;
  };
  const imageOf = (volume: DiskImage): DiskImage => ({
    sectors: volume.sectors,
    readOnly: false,
    sectorBytes: 512,
    discardGranularity: 0,
    read: (sector, into) => noted('read', volume.read(sector, into)),
    write: (sector, from) => noted('write', volume.write(sector, from)),
    readNow: () => noted('readNow', false),
    writeNow: () => noted('writeNow', false),
    ready: () => wait('ready'),
    flush: () => wait('flush'),
    discard: () => Promise.resolve(),
    onResize: () => () => undefined,
  });
  const made = await connected({ ...options, imageOf });
  const release = (error?: Error): void => {
    for (const { reject, resolve } of waits.splice(0)) {
      if (error === undefined) resolve();
      else reject(error);
    }
  };
  return Object.assign(made, { calls, release });
}

const endings: readonly (readonly [name: string, end: (bench: Bench) => void])[] = [
  ['the front end closes', ({ front }) => front.state(5)],
  ['the front end is gone', ({ front }) => front.state(6)],
  [
    'xend removes the device',
    ({ store }) => {
      store.transaction((access) => {
        removeBlockNodes(access, DOMID, { deviceClass: 'vbd', id: ID });
      });
    },
  ],
  ['the domain is destroyed', ({ backend }) => void backend.disconnectDomain(DOMID)],
  [
    'the front end breaks the protocol',
    ({ front, guest }) => {
      front.request(READ, 0, [{ gref: 5000, first: 0, last: 0 }]);
      front.rings[0]!.push();
      guest.notifyBack(20);
    },
  ],
];
const outcomes = [undefined, new Error('the storage has failed')];
const cases = endings.flatMap(([name, end]) =>
  [READ, WRITE].flatMap((operation) =>
    [false, true].flatMap((persistent) => outcomes.map((outcome) => ({ name, end, operation, persistent, outcome }))),
  ),
);

describe('while a request waits for the image', () => {
  it.each(cases)(
    '$name: operation $operation, persistent grants $persistent, then $outcome',
    async ({ end, operation, outcome, persistent }) => {
      const made = await waiting({ persistent, offer: { ...DEFAULT_OFFER, persistentGrants: persistent ? 4 : 0 } });
      const { calls, front, guest, log, release } = made;
      const device = made.backend.device(BACKEND)!;
      const gref = guest.grant();
      guest.page(gref).bytes.fill(9);
      front.request(operation, 0, [{ gref, first: 0, last: 7 }]);
      await front.push();
      expect(calls.at(-1)).toBe('ready');
      const before = calls.length;

      end(made);
      await settle();
      // Whatever the image does: the guest has its pages back, and may make of them what it likes.
      expect(guest.mapped).toBe(0);
      const said = [...log];
      const { notifications } = guest;
      const told = notifications.length;
      guest.page(gref).bytes.fill(5);

      release(outcome);
      await settle();
      expect(calls.slice(before).filter((call) => call !== 'flush')).toEqual([]);
      expect(guest.page(gref).bytes.every((byte) => byte === 5)).toBe(true);
      expect(guest.page(gref).stores).toEqual([]);
      expect([guest.mapped, notifications.length, front.rings[0]!.take()]).toEqual([0, told, undefined]);
      expect(device.counters).toMatchObject({ readRequests: 0, writeRequests: 0, failedRequests: 0 });
      expect(log).toEqual(outcome === undefined ? said : [...said, expect.stringContaining(outcome.message)]);
    },
  );

  it.each(endings)('%s, and what waits behind a barrier does not reach the image any more', async (_, end) => {
    const made = await waiting();
    const { calls, front, guest, release } = made;
    const gref = guest.grant();
    front.request(BARRIER, 0, [{ gref, first: 0, last: 7 }]);
    front.request(WRITE, 8, [{ gref, first: 0, last: 7 }]);
    front.request(READ, 64, [{ gref, first: 0, last: 7 }]);
    await front.push();
    await settle();
    expect(calls).toEqual(['write', 'flush']);
    end(made);
    await settle();
    expect(guest.mapped).toBe(0);
    release();
    await settle();
    release();
    await settle();
    expect(calls.filter((call) => call !== 'flush')).toEqual(['write']);
  });

  it('the front end comes back and is served, and the earlier request stays without an effect', async () => {
    const { calls, front, guest, release, volume } = await waiting();
    const [old, later] = [guest.grant(), guest.grant()];
    guest.page(old).bytes.fill(1);
    guest.page(later).bytes.fill(2);
    front.request(WRITE, 0, [{ gref: old, first: 0, last: 7 }]);
    await front.push();
    for (const state of [5, 6, 1]) {
      front.state(state);
      await settle();
    }
    front.offer();
    await settle();
    expect(front.backState).toBe('4');
    const id = front.request(WRITE, 0, [{ gref: later, first: 0, last: 7 }]);
    await front.push();
    release();
    await settle();
    expect(front.answers()).toEqual(new Map([[id, { operation: WRITE, status: 0 }]]));
    expect(calls.filter((call) => call === 'write')).toHaveLength(1);
    const seen = new Uint8Array(4096);
    await volume.read(0, seen);
    expect(seen.every((byte) => byte === 2)).toBe(true);
  });
});
