/** Thread of one vCPU of an SmpMachine: an instance of the core on the shared memory that runs when told to. */
import { parentPort } from 'node:worker_threads';
import { EXIT_BUDGET } from '../../cpu/layout.ts';
import type { TranslatorCore } from '../core.ts';
import { EAGER_OPTIONS, Translator } from '../translator.ts';
import { coreImports } from '../../cpu/testing/fixture.ts';
import type { CoreExports } from '../../cpu/testing/fixture.ts';
import type { ThreadMessage } from './smp-machine.ts';

/** Instructions between polls of this loop: few, so that code is translated early. */
const SLICE = 500;

if (parentPort === null) throw new Error('to be started as a worker thread');
const port = parentPort;
let core: CoreExports | undefined;
let translator: Translator | null = null;

port.on('message', (message: ThreadMessage) => {
  if (message.kind === 'attach') {
    const imports = coreImports(message.module, message.memory, { nowNs: 1, entropy: 1 });
    core = new WebAssembly.Instance(message.module, imports).exports as unknown as CoreExports;
    core.attach();
    if (message.eager) translator = new Translator(core as unknown as TranslatorCore, message.memory, message.cpu, EAGER_OPTIONS);
    port.postMessage('attached');
    return;
  }
  if (core === undefined) throw new Error('not attached');
  const words = new Int32Array(message.memory.buffer);
  // Threads wait for each other, so that they run at the same time.
  Atomics.sub(words, message.gate / 4, 1);
  while (Atomics.load(words, message.gate / 4) > 0);
  let reason: number;
  do {
    reason = core.run(message.cpu, SLICE);
    translator?.sample();
  } while (reason === EXIT_BUDGET);
  port.postMessage(reason);
});
