/** Output on its way to the page: gathered while the page is busy with the last batch, the oldest dropped when too much waits. */
import { encodeUtf8 } from '../../engine/storage/utf8.ts';
import type { TerminalSink } from '../protocol.ts';

const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export class SinkWriter {
  private readonly _sink: TerminalSink;
  private readonly _onGone: () => void;
  private _waiting: Uint8Array[] = [];
  private _waitingBytes = 0;
  private _lost = false;
  private _sending = false;
  private _closed = false;
  private _ending: string | undefined;

  /** @param onGone called when the page does not take output any more */
  constructor(sink: TerminalSink, onGone: () => void = () => undefined) {
    this._sink = sink;
    this._onGone = onGone;
  }

  /** The array is taken over. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this._closed || this._ending !== undefined) return;
    this._waiting.push(bytes);
    this._waitingBytes += bytes.length;
    while (this._waitingBytes > MAX_WAITING_BYTES && this._waiting.length > 1) {
      this._waitingBytes -= this._waiting.shift()?.length ?? 0;
      this._lost = true;
    }
    if (!this._sending) void this._send();
  }

  /** After what was written, tells the page that no more comes. */
  end(reason: string): void {
    if (this._closed || this._ending !== undefined) return;
    this._ending = reason;
    if (!this._sending) void this._send();
  }

  /** Drops everything at once; the page is not told. */
  close(): void {
    this._closed = true;
    this._waiting = [];
  }

  private async _send(): Promise<void> {
    this._sending = true;
    try {
      while (this._waiting.length > 0 && !this._isClosed()) {
        const batch = joined(this._waiting, this._waitingBytes);
        this._waiting = [];
        this._waitingBytes = 0;
        if (this._lost) await this._sink.write(encodeUtf8('\r\n[output lost]\r\n'));
        this._lost = false;
        await this._sink.write(batch);
      }
      if (this._ending !== undefined && !this._isClosed()) {
        this.close();
        this._sink.ended(this._ending);
      }
    } catch {
      this.close();
      this._onGone();
    } finally {
      this._sending = false;
    }
  }

  /** A call, because the value may have changed while a batch was under way. */
  private _isClosed(): boolean {
    return this._closed;
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
