import { describe, expect, it } from 'vitest';
import { DoorbellWaiter, type WaiterSurroundings } from './doorbell-waiter.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function waiterAndDoorbell(): { waiter: DoorbellWaiter; doorbell: Int32Array; pass: (ms: number) => void } {
  let now = 0;
  return {
    waiter: new DoorbellWaiter({ nextTurn, now: () => now }),
    doorbell: new Int32Array(new SharedArrayBuffer(4)),
    pass: (ms) => {
      now += ms;
    },
  };
}

it('waits until the guest rings', async () => {
  const { doorbell, waiter } = waiterAndDoorbell();
  setImmediate(() => {
    Atomics.add(doorbell, 0, 1);
    Atomics.notify(doorbell, 0);
  });
  await waiter.changed(doorbell, 0, 0);
  expect(doorbell[0]).toBe(1);
});

it('lets the event loop have its turn however often the guest rings', async () => {
  const { doorbell, pass, waiter } = waiterAndDoorbell();
  await waiter.changed(doorbell, 0, -1);
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  let rings = 0;
  for (; !turned && rings < 1000; rings += 1) {
    pass(0.1);
    Atomics.add(doorbell, 0, 1);
    await waiter.changed(doorbell, 0, rings);
  }
  expect(rings).toBeGreaterThan(15);
  expect(rings).toBeLessThan(30);
});

describe('a guest that rings after a moment each time', () => {
  /** Rings after so many milliseconds, by the event loop or while the thread stands still; what was stood still for is noted. */
  function quickGuest(): {
    ring: (afterMs: number, words?: Int32Array<SharedArrayBuffer>) => Promise<void>;
    stood: number[];
  } {
    let now = 0;
    let afterMs = 0;
    const stood: number[] = [];
    const standStill: WaiterSurroundings['standStill'] = (words, index, value, milliseconds) => {
      expect(Atomics.load(words, index)).toBe(value);
      const waited = Math.min(afterMs, milliseconds);
      now += waited;
      afterMs -= waited;
      stood.push(waited);
      if (afterMs > 0) return 'timed-out';
      Atomics.add(words, index, 1);
      return 'ok';
    };
    const waiter = new DoorbellWaiter({ nextTurn, now: () => now, standStill });
    const doorbell = new Int32Array(new SharedArrayBuffer(4));
    const ring = async (ms: number, words = doorbell): Promise<void> => {
      afterMs = ms;
      const value = Atomics.load(words, 0);
      const changed = waiter.changed(words, 0, value);
      if (Atomics.load(words, 0) === value) {
        now += afterMs;
        Atomics.add(words, 0, 1);
        Atomics.notify(words, 0);
      }
      await changed;
    };
    return { ring, stood };
  }

  it('is waited for standing still once it has done so eight times', async () => {
    const { ring, stood } = quickGuest();
    for (let n = 0; n < 8; n += 1) await ring(0.1);
    expect(stood).toEqual([]);
    await ring(0.1);
    await ring(0.2);
    expect(stood).toEqual([0.1, 0.2]);
  });

  it('is waited for by the event loop as soon as it takes its time', async () => {
    const { ring, stood } = quickGuest();
    for (let n = 0; n < 8; n += 1) await ring(0.1);
    await ring(5);
    expect(stood).toEqual([0.25]);
    await ring(0.1);
    expect(stood).toHaveLength(1);
  });

  it('is waited for by the event loop when it never did', async () => {
    const { ring, stood } = quickGuest();
    for (let n = 0; n < 20; n += 1) await ring(n % 8 === 7 ? 0.3 : 0.1);
    expect(stood).toEqual([]);
  });

  it('is waited for by the event loop when it is not alone', async () => {
    const { ring, stood } = quickGuest();
    const second = new Int32Array(new SharedArrayBuffer(4));
    for (let n = 0; n < 20; n += 1) {
      await ring(0.1);
      await ring(0.1, second);
    }
    expect(stood).toEqual([]);
  });
});
