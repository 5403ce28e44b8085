/** Entry of the Node thread for the shell language. */
import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { ShellWorkerService } from '../shell-worker-service.ts';

if (parentPort === null) throw new Error('to be started as a worker thread');
expose(new ShellWorkerService(), nodeEndpoint(parentPort));
