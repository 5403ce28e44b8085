/** The part of MicroPython's JavaScript interface that is used here; the package carries no types. */
// @ts-expect-error -- no declarations in the package
import { loadMicroPython as load } from '@micropython/micropython-webassembly-pyscript';

export interface MicroPython {
  readonly FS: {
    mkdirTree(path: string): void;
    writeFile(path: string, bytes: Uint8Array): void;
  };
  readonly globals: {
    get(name: string): unknown;
    set(name: string, value: unknown): void;
  };
  /** Throws PythonError for an exception that the code leaves. */
  runPython(code: string): unknown;
}

export interface MicroPythonOptions {
  heapsize: number;
  linebuffer: boolean;
  url?: string;
  stdin(): number | null;
  stdout(bytes: Uint8Array): void;
  stderr(bytes: Uint8Array): void;
}

export const loadMicroPython = load as (options: MicroPythonOptions) => Promise<MicroPython>;
