/** Makes the thread for configuration scripts in a browser. */
import wasmUrl from '@micropython/micropython-webassembly-pyscript/micropython.wasm?url';
import type { FromScriptWorker, ScriptWorker } from './messages.ts';

/** Address of the interpreter's binary as the bundler placed it. */
export const MICROPYTHON_WASM_URL = new URL(wasmUrl, import.meta.url).href;

export function spawnScriptWorker(): ScriptWorker {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'configuration script' });
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener('message', (event: MessageEvent<FromScriptWorker>) => listener(event.data)),
    onError: (listener) => worker.addEventListener('error', (event) => listener(event.message)),
    terminate: () => worker.terminate(),
  };
}
