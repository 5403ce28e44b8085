/** Entry of the browser's worker for the shell language. */
import { expose } from 'comlink';
import { ShellWorkerService } from './shell-worker-service.ts';

expose(new ShellWorkerService());
