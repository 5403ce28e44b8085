/** Runs one configuration script in a freshly loaded MicroPython. One script an interpreter: it keeps its globals. */
import { modernisePython } from '../../engine/toolstack/configuration/python-two.ts';
import type { ScriptOutcome, ScriptRequest } from '../../engine/toolstack/configuration/script.ts';
import { confineScripts, limitMemory } from './confinement.ts';
import { DRIVER } from './driver.ts';
import { loadMicroPython } from './micropython.ts';
import type { MicroPython } from './micropython.ts';

const HEAP_BYTES = 4 * 1024 * 1024;
const MAX_OUTPUT_BYTES = 64 * 1024;
const MAX_RESULT_LENGTH = 1024 * 1024;

/** Outcome as the driver writes it; the output is added here. */
type Finished = Exclude<ScriptOutcome, { kind: 'timeout' }>;

export class Interpreter {
  private readonly _output: number[] = [];
  private _python: MicroPython | undefined;

  /** `wasmUrl`: where micropython.wasm is served; undefined = beside the module. */
  async load(wasmUrl: string | undefined): Promise<void> {
    limitMemory();
    const collect = (bytes: Uint8Array): void => {
      for (const byte of bytes) if (this._output.length < MAX_OUTPUT_BYTES) this._output.push(byte);
    };
    this._python = await loadMicroPython({
      heapsize: HEAP_BYTES,
      linebuffer: false,
      stdout: collect,
      stderr: collect,
      stdin: () => null,
      ...(wasmUrl === undefined ? {} : { url: wasmUrl }),
    });
    this._python.runPython(DRIVER);
    confineScripts();
  }

  run(request: ScriptRequest): Finished {
    const python = this._python;
    if (python === undefined) throw new Error('the interpreter is not loaded');
    let outcome: unknown;
    try {
      putFiles(python, request);
      const modernise: unknown = modernisePython;
      python.globals.set('_modernise', modernise);
      const run = python.globals.get('_run') as (...args: unknown[]) => unknown;
      const result = run(
        request.path,
        modernisePython(request.source),
        JSON.stringify(request.assignments),
        request.directory,
        request.help,
      );
      if (typeof result !== 'string') throw new TypeError('the script driver returned no text');
      if (result.length > MAX_RESULT_LENGTH) return this._failed('the variables of the script hold more than 1 MiB');
      outcome = JSON.parse(result);
    } catch (error) {
      // What Python could not catch itself: its stack or its memory exhausted.
      return this._failed(error instanceof RangeError ? 'RuntimeError: maximum recursion depth exceeded' : String(error));
    }
    return { ...(outcome as Finished), output: this._text() };
  }

  private _failed(message: string): Finished {
    return { kind: 'error', line: undefined, message, output: this._text() };
  }

  private _text(): string {
    return new TextDecoder().decode(Uint8Array.from(this._output));
  }
}

function putFiles(python: MicroPython, request: ScriptRequest): void {
  python.FS.mkdirTree(request.directory);
  for (const [path, bytes] of Object.entries(request.files)) {
    python.FS.mkdirTree(path.slice(0, path.lastIndexOf('/')) || '/');
    python.FS.writeFile(path, bytes);
  }
}
