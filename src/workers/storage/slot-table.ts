/** Which chunk is in which slot of the file of chunks, and which of its slots are free. Nothing here touches the file. */
export class SlotTable {
  private readonly slots = new Map<number, number>();
  /** Taken from its end. */
  private free: number[] = [];
  private slotCount = 0;

  /** Slots that the file has. */
  get count(): number {
    return this.slotCount;
  }

  get freeCount(): number {
    return this.free.length;
  }

  get chunkCount(): number {
    return this.slots.size;
  }

  get(number: number): number | undefined {
    return this.slots.get(number);
  }

  numbers(): number[] {
    return [...this.slots.keys()];
  }

  entries(): [number: number, slot: number][] {
    return [...this.slots];
  }

  /** A free slot, or a new one behind the others. */
  take(): number {
    return this.free.pop() ?? this.slotCount++;
  }

  release(slots: readonly number[]): void {
    this.free.push(...slots);
  }

  /** The chunk is in that slot from now on; the one that it was in is free. */
  place(number: number, slot: number): void {
    const before = this.slots.get(number);
    if (before !== undefined && before !== slot) this.free.push(before);
    this.slots.set(number, slot);
  }

  remove(number: number): void {
    const slot = this.slots.get(number);
    if (slot !== undefined) this.free.push(slot);
    this.slots.delete(number);
  }

  /** After a file has been read: it ends with its last chunk, and what holds none is free. */
  settle(): void {
    const used = new Set(this.slots.values());
    this.slotCount = this.endOfUse();
    this.free = [];
    for (let slot = this.slotCount - 1; slot >= 0; slot -= 1) if (!used.has(slot)) this.free.push(slot);
  }

  /** Has the lowest free slots taken first. */
  sort(): void {
    this.free.sort((a, b) => b - a);
  }

  /** Drops the free slots at the file's end when they are so many. True when it did. */
  cut(least: number): boolean {
    const end = this.endOfUse();
    if (this.slotCount - end < least) return false;
    this.slotCount = end;
    this.free = this.free.filter((slot) => slot < end);
    return true;
  }

  /** The last chunks of the file, at most so many, that would each come to a lower slot if slots were taken for them now, in this order. */
  movable(most: number): [number: number, slot: number][] {
    this.sort();
    const last = this.entries()
      .sort(([, a], [, b]) => b - a)
      .slice(0, most);
    const stays = last.findIndex(([, slot], n) => slot <= (this.free.at(-1 - n) ?? Infinity));
    return stays < 0 ? last : last.slice(0, stays);
  }

  private endOfUse(): number {
    let end = 0;
    for (const slot of this.slots.values()) end = Math.max(end, slot + 1);
    return end;
  }
}
