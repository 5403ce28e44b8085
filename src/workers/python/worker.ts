/** Entry of the browser's worker for configuration scripts. */
import type { FromScriptWorker, ToScriptWorker } from './messages.ts';
import { serveScripts } from './serve.ts';

// Bound before any script runs: what the global object offers afterwards is the script's to spoil.
const post = self.postMessage.bind(self) as (message: FromScriptWorker) => void;
const serve = serveScripts(post);
self.addEventListener('message', (event: MessageEvent<ToScriptWorker>) => void serve(event.data));
