/** Entry of the thread that has the machine's store. */
import { IndexedDbChunkStore } from './indexeddb-chunk-store.ts';
import { OpfsChunkStore } from './opfs-chunk-store.ts';
import { openPrivateFiles } from './opfs-files.ts';
import { serveChunkStore } from './serve-chunk-store.ts';

serveChunkStore(
  {
    postMessage: (message, transfer) => {
      postMessage(message, { transfer: [...transfer] });
    },
    onMessage: (listener) => {
      addEventListener('message', ({ data }) => {
        listener(data);
      });
    },
  },
  async (kind, name) => (kind === 'opfs' ? new OpfsChunkStore(await openPrivateFiles(name)) : IndexedDbChunkStore.open(name)),
);
