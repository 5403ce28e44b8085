/** The part of MicroPython's JavaScript interface that is used here; the package carries no types. */
declare module '@micropython/micropython-webassembly-pyscript' {
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

  export function loadMicroPython(options: {
    heapsize?: number;
    linebuffer?: boolean;
    url?: string;
    stdin?: () => number | null;
    stdout?: (bytes: Uint8Array) => void;
    stderr?: (bytes: Uint8Array) => void;
  }): Promise<MicroPython>;
}
