/** The thread's side: load the interpreter, run one script, answer. The other side then ends the thread. */
import { Interpreter } from './interpreter.ts';
import type { FromScriptWorker, ToScriptWorker } from './messages.ts';

export function serveScripts(reply: (message: FromScriptWorker) => void): (message: ToScriptWorker) => Promise<void> {
  const interpreter = new Interpreter();
  return async (message) => {
    try {
      if (message.kind === 'load') {
        await interpreter.load(message.wasmUrl);
        reply({ kind: 'ready' });
      } else reply({ kind: 'done', outcome: interpreter.run(message.request) });
    } catch (error) {
      reply({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  };
}
