/** Streams of the page as the pieces that go to domain 0's worker and come from it, at the pace of the slower side. */
import type { PieceSink, PieceSource, TransferObserver } from '../../workers/protocol.ts';
import type { TransferOptions } from './script-api.ts';

/** Answers false, which ends the transfer, once the signal says so. */
export function observerOf({ onProgress, signal }: TransferOptions): TransferObserver {
  return {
    progress: (done, total) => {
      onProgress?.(done, total);
      return signal?.aborted !== true;
    },
  };
}

/** What the transfer gives; the signal's reason when that ended it. */
export async function called<Result>(signal: AbortSignal | undefined, transfer: () => Promise<Result>): Promise<Result> {
  signal?.throwIfAborted();
  try {
    return await transfer();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** A stream is read as its pieces are asked for, and cancelled when no more are: whoever reads it says so with `over`. */
export function sourceOf<Source extends Blob | string>(
  source: Source | ReadableStream<Uint8Array>,
): { input: Source | PieceSource; over: () => void } {
  if (!(source instanceof ReadableStream)) return { input: source, over: () => undefined };
  const reader = source.getReader();
  return {
    input: {
      next: async () => {
        const { done, value } = await reader.read();
        // Whatever buffer it stands in, only its own bytes cross.
        return done ? undefined : value.slice();
      },
    },
    over: () => {
      reader.cancel().catch(() => undefined);
    },
  };
}

function gate(): { readonly passed: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/**
 * A stream of what `start` writes to the sink it is given. Resolves with the first piece, or rejects when it fails before.
 */
export function streamFrom(
  start: (sink: PieceSink, observer: TransferObserver) => Promise<void>,
  options: TransferOptions,
): Promise<ReadableStream<Uint8Array>> {
  const { signal } = options;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    let ended = false;
    /** Settles when the stream's reader wants a piece. */
    let wanted = gate();
    const stream = new ReadableStream<Uint8Array>({
      start: (own) => {
        controller = own;
      },
      pull: () => {
        wanted.open();
      },
      cancel: () => {
        ended = true;
        wanted.open();
      },
    });
    const abort = (): void => {
      if (ended) return;
      ended = true;
      controller?.error(signal?.reason);
      reject(signal?.reason as Error);
      wanted.open();
    };
    signal?.addEventListener('abort', abort);
    const sink: PieceSink = {
      write: async (bytes) => {
        resolve(stream);
        await wanted.passed;
        if (ended) return false;
        wanted = gate();
        controller?.enqueue(bytes);
        return true;
      },
    };
    start(sink, observerOf(options))
      .then(
        () => {
          resolve(stream);
          if (!ended) controller?.close();
        },
        (error: unknown) => {
          reject(error instanceof Error ? error : new Error(String(error)));
          if (!ended) controller?.error(error);
        },
      )
      .finally(() => {
        ended = true;
        signal?.removeEventListener('abort', abort);
      });
  });
}
