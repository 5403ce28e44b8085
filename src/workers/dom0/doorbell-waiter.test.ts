import { expect, it } from 'vitest';
import { DoorbellWaiter } from './doorbell-waiter.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function waiterAndDoorbell(): { waiter: DoorbellWaiter; doorbell: Int32Array; pass: (ms: number) => void } {
  let now = 0;
  return {
    waiter: new DoorbellWaiter(nextTurn, () => now),
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
