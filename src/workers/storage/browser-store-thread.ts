/** Starts the thread that has the machine's store; it ends with the thread that started it. */
import { RemoteChunkStore } from './remote-chunk-store.ts';
import type { StoreKind } from './store-messages.ts';

export function openStoreThread(kind: StoreKind, name: string): Promise<RemoteChunkStore> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'storage' });
  const thread = {
    endpoint: {
      postMessage: (message: unknown, transfer: readonly ArrayBuffer[]) => {
        worker.postMessage(message, [...transfer]);
      },
      onMessage: (listener: (message: unknown) => void) => {
        worker.addEventListener('message', ({ data }) => {
          listener(data);
        });
      },
    },
    end: () => {
      worker.terminate();
    },
    onFail: (listener: (reason: string) => void) => {
      worker.addEventListener('error', ({ message }) => {
        listener(message || 'its script could not be loaded');
      });
    },
  };
  return RemoteChunkStore.open(thread, kind, name);
}
