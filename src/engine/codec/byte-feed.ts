/** Bytes that come in pieces of any size, taken in pieces of the taker's size. */

export class ByteFeed {
  private readonly pieces: AsyncIterator<Uint8Array>;
  private current: Uint8Array = new Uint8Array(0);
  private ended = false;

  constructor(input: AsyncIterable<Uint8Array>) {
    this.pieces = input[Symbol.asyncIterator]();
  }

  /** The next `count` bytes, left where they are; fewer only at the end. Valid until the next call. */
  async peek(count: number): Promise<Uint8Array> {
    if (this.current.length < count) {
      const parts = [this.current];
      let length = this.current.length;
      for (let next = await this.more(); next !== undefined; next = length < count ? await this.more() : undefined) {
        parts.push(next);
        length += next.length;
      }
      this.current = joined(parts, length);
    }
    return this.current.subarray(0, count);
  }

  /** The next `count` bytes; undefined when there are not so many. Valid until the next call. */
  async take(count: number): Promise<Uint8Array | undefined> {
    const bytes = await this.peek(count);
    if (bytes.length < count) return undefined;
    this.current = this.current.subarray(count);
    return bytes;
  }

  /** What is there of the next piece, at least a byte; undefined at the end. */
  async some(): Promise<Uint8Array | undefined> {
    while (this.current.length === 0) {
      const next = await this.more();
      if (next === undefined) return undefined;
      this.current = next;
    }
    const bytes = this.current;
    this.current = new Uint8Array(0);
    return bytes;
  }

  /** Gives back the end of what `some` gave last. */
  putBack(bytes: Uint8Array): void {
    this.current = bytes;
  }

  /** Everything that is left. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const bytes = await this.some();
        if (bytes === undefined) return;
        yield bytes;
      }
    } finally {
      await this.close();
    }
  }

  /** Nobody takes any more. */
  async close(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await this.pieces.return?.();
  }

  private async more(): Promise<Uint8Array | undefined> {
    if (this.ended) return undefined;
    const next = await this.pieces.next();
    if (next.done !== true) return next.value;
    this.ended = true;
    return undefined;
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [, second] = parts;
  if (parts.length === 2 && second?.length === length) return second;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
