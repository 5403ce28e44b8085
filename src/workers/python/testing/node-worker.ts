/** Entry of the Node thread for configuration scripts. */
import { parentPort } from 'node:worker_threads';
import type { ToScriptWorker } from '../messages.ts';
import { serveScripts } from '../serve.ts';

const port = parentPort;
if (port === null) throw new Error('to be started as a worker thread');
const serve = serveScripts((message) => port.postMessage(message));
port.on('message', (message: ToScriptWorker) => void serve(message));
