/**
 * Walls around configuration scripts. MicroPython's web build can reach JavaScript (modules js and jsffi): a script must not,
 * because it would get at the page's origin: its network, its storage. So once the interpreter is loaded
 * - the object that module js stands for is an empty one,
 * - the constructors that turn text into code are gone, so that no path over ordinary objects leads back to the global one,
 * - memory stops growing at a ceiling, which the script sees as MemoryError.
 * Only for a thread of its own that is thrown away afterwards.
 */

export const MEMORY_CEILING_BYTES = 128 * 1024 * 1024;

interface InterpreterGlobals {
  /** Objects that Python holds, by index; 0 is what `import js` yields. Set by MicroPython when it loads. */
  proxy_js_ref?: unknown[];
}

export function confineScripts(): void {
  const objects = (globalThis as InterpreterGlobals).proxy_js_ref;
  if (!Array.isArray(objects)) throw new Error('this build of MicroPython keeps its objects elsewhere; scripts cannot be confined');
  objects[0] = Object.freeze(Object.create(null));
  const functions = [
    function (): void {
      return;
    },
    async function (): Promise<void> {
      await Promise.resolve();
    },
    function* (): Generator<undefined> {
      yield undefined;
    },
    async function* (): AsyncGenerator<undefined> {
      yield await Promise.resolve(undefined);
    },
  ];
  for (const example of functions) {
    const prototype: unknown = Object.getPrototypeOf(example);
    if (typeof prototype === 'function' || typeof prototype === 'object')
      Object.defineProperty(prototype, 'constructor', { value: undefined, writable: false, configurable: false });
  }
}

/** Before the interpreter is loaded. */
export function limitMemory(): void {
  const prototype = WebAssembly.Memory.prototype;
  // Called with the memory as `this` below.
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const grow = prototype.grow;
  prototype.grow = function (this: WebAssembly.Memory, pages: number): number {
    if (this.buffer.byteLength + pages * 65536 > MEMORY_CEILING_BYTES)
      throw new RangeError('configuration scripts may use 128 MiB');
    return grow.call(this, pages);
  };
}
