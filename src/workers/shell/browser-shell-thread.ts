/** Makes the thread for the shell language in a browser. */
import type { ShellThread } from './shell-process.ts';

export function startShellThread(): ShellThread {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'shell' });
  return {
    endpoint: worker,
    onError: (listener) => worker.addEventListener('error', (event) => listener(event.message)),
    terminate: () => worker.terminate(),
  };
}
