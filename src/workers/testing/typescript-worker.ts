/** Starts a TypeScript module in a Node worker thread, for tests: the loader must be registered inside the thread. */
import { Worker } from 'node:worker_threads';

const START = `
const { workerData } = require('node:worker_threads');
import('tsx/esm/api').then(({ register }) => {
  register();
  return import(workerData.entry);
});
`;

export function startTypescriptWorker(entry: URL): Worker {
  return new Worker(START, { eval: true, workerData: { entry: entry.href } });
}
