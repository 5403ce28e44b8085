/** Thread of one vCPU of a test's guest: runs from where it is until it comes to an address. */
import { parentPort } from 'node:worker_threads';
import { VCPU_RIP } from '../../cpu/layout.ts';
import { instantiateCore } from '../core.ts';

export interface PvThreadOrder {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly cpu: number;
  /** Byte offset of a word that counts the threads which are not there yet. */
  readonly gate: number;
  /** Address on which the program ends, running in circles. */
  readonly end: bigint;
}

const SLICE = 1000;

if (parentPort === null) throw new Error('to be started as a worker thread');
const port = parentPort;

port.once('message', ({ module, memory, cpu, gate, end }: PvThreadOrder) => {
  const core = instantiateCore(module, memory, { nowNs: () => 1_000_000, entropy: () => 4, consoleWrite: () => undefined });
  const view = new DataView(memory.buffer);
  const words = new Int32Array(memory.buffer);
  Atomics.sub(words, gate / 4, 1);
  while (Atomics.load(words, gate / 4) > 0);
  let exit = 0;
  while (exit === 0 && view.getBigUint64(cpu + VCPU_RIP, true) !== end) exit = core.run(cpu, SLICE);
  port.postMessage(exit);
});
