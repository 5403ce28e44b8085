import { describe, expect, it } from 'vitest';
import { SlotTable } from './slot-table.ts';

/** Chunks with these numbers in slots 0, 1, 2 and so on. */
function tableOf(...numbers: number[]): SlotTable {
  const table = new SlotTable();
  for (const number of numbers) table.place(number, table.take());
  return table;
}

describe('SlotTable', () => {
  it('takes the lowest free slots first once they are sorted, and new ones when there are none', () => {
    const table = tableOf(10, 11, 12, 13);
    for (const number of [12, 10, 11]) table.remove(number);
    table.sort();
    expect([table.take(), table.take(), table.take(), table.take()]).toEqual([0, 1, 2, 4]);
    expect(table.count).toBe(5);
  });

  it('frees the slot that a chunk is moved from, once', () => {
    const table = tableOf(10, 11);
    const slot = table.take();
    table.place(10, slot);
    table.place(10, slot);
    expect([table.get(10), table.freeCount, table.take()]).toEqual([slot, 1, 0]);
  });

  it('cuts free slots off the end when they are many enough', () => {
    const table = tableOf(10, 11, 12, 13, 14);
    for (const number of [11, 13, 14]) table.remove(number);
    expect(table.cut(3)).toBe(false);
    expect(table.cut(2)).toBe(true);
    expect([table.count, table.freeCount, table.take()]).toEqual([3, 1, 1]);
  });

  it('names the last chunks that come lower, each with a slot of its own', () => {
    const table = tableOf(10, 11, 12, 13, 14, 15);
    for (const number of [10, 12]) table.remove(number);
    expect(table.movable(16)).toEqual([
      [15, 5],
      [14, 4],
    ]);
    expect(table.movable(1)).toEqual([[15, 5]]);
    // All slots are taken before the first is let go of: an entry names them together.
    const moved = table.movable(16).map(([number]) => [number, table.take()] as const);
    for (const [number, slot] of moved) table.place(number, slot);
    expect(table.movable(16)).toEqual([]);
    expect(table.cut(1)).toBe(true);
    expect([table.count, table.chunkCount, table.freeCount]).toEqual([4, 4, 0]);
  });

  it('has nothing to move when the only free slots are behind the chunks', () => {
    const table = tableOf(10, 11, 12);
    table.remove(12);
    expect(table.movable(16)).toEqual([]);
  });

  it('settles: ends behind the last chunk, and all else is free, the lowest first', () => {
    const table = new SlotTable();
    table.place(10, 4);
    table.place(11, 1);
    table.settle();
    expect([table.count, table.take(), table.take(), table.take(), table.take()]).toEqual([5, 0, 2, 3, 5]);
  });
});
