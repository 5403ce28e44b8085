/** The thread for the shell language on Node's worker_threads, for tests. */
import { startTypescriptWorker } from '../../testing/typescript-worker.ts';
import type { ShellThread } from '../shell-process.ts';
import { nodeEndpoint } from './node-endpoint.ts';

export function startNodeShellThread(): ShellThread {
  const worker = startTypescriptWorker(new URL('./node-worker.ts', import.meta.url));
  return {
    endpoint: nodeEndpoint(worker),
    onError: (listener) => worker.on('error', (error: Error) => listener(error.message)),
    terminate: () => void worker.terminate(),
  };
}
