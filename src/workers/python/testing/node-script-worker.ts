/** The thread for configuration scripts on Node's worker_threads, for tests. */
import { startTypescriptWorker } from '../../testing/typescript-worker.ts';
import type { FromScriptWorker, ScriptWorker } from '../messages.ts';

export function spawnNodeScriptWorker(): ScriptWorker {
  const worker = startTypescriptWorker(new URL('./node-worker.ts', import.meta.url));
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.on('message', (message: FromScriptWorker) => listener(message)),
    onError: (listener) => worker.on('error', (error: Error) => listener(error.message)),
    terminate: () => void worker.terminate(),
  };
}
