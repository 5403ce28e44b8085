/** Entry of the Node thread for the shell language. */
import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import { ShellWorkerService } from '../shell-worker-service.ts';
import { nodeEndpoint } from './node-endpoint.ts';

if (parentPort === null) throw new Error('to be started as a worker thread');
expose(new ShellWorkerService(), nodeEndpoint(parentPort));
