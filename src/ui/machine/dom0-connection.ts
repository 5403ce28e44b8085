/**
 * The dom0 worker as a plain Dom0: functions given to it are made callable from the other side here, so that nothing else on the
 * page knows how messages travel.
 */
import { proxy, wrap } from 'comlink';
import type { Dom0, PieceSink, PieceSource, TerminalSink, TransferInput, TransferObserver } from '../../workers/protocol.ts';

/** Starts the worker. `onFailure` is called when its script cannot run or throws where nobody catches. */
export function startDom0(onFailure: (reason: string) => void): { dom0: Dom0; terminate: () => void } {
  const worker = new Worker(new URL('../../workers/dom0/main.ts', import.meta.url), { type: 'module', name: 'dom0' });
  worker.addEventListener('error', (event) => {
    onFailure(event.message || 'its script could not be loaded');
  });
  const remote = wrap<Dom0>(worker);
  // An object given to comlink is one proxy: its methods are called over there, its values stay here.
  const shared = (sink: TerminalSink): TerminalSink =>
    proxy({
      write: (bytes: Uint8Array) => sink.write(bytes),
      ended: (reason: string) => {
        sink.ended(reason);
      },
    });
  const watching = (observer: TransferObserver): TransferObserver =>
    proxy({ progress: (done: number, total: number | undefined) => observer.progress(done, total) });
  const writing = (sink: PieceSink): PieceSink => proxy({ write: (bytes: Uint8Array) => sink.write(bytes) });
  const pulling = (source: PieceSource): PieceSource => proxy({ next: () => source.next() });
  const crossing = (input: TransferInput): TransferInput =>
    typeof input === 'string' || input instanceof Blob ? input : pulling(input);
  const dom0: Dom0 = {
    boot: (options, onProgress) => remote.boot(options, proxy(onProgress)),
    exec: (command, options) => remote.exec(command, options),
    readFile: (path) => remote.readFile(path),
    writeFile: (path, bytes) => remote.writeFile(path, bytes),
    makeDirectory: (path) => remote.makeDirectory(path),
    storeFile: (path, file, observer) => remote.storeFile(path, file, watching(observer)),
    importDisk: (name, input, format, observer) => remote.importDisk(name, crossing(input), format, watching(observer)),
    exportDisk: (name, format, compress, sink, observer) =>
      remote.exportDisk(name, format, compress, writing(sink), watching(observer)),
    exportMachine: (sink, observer) => remote.exportMachine(writing(sink), watching(observer)),
    importMachine: (storage, input, observer) =>
      remote.importMachine(storage, input instanceof Blob ? input : pulling(input), watching(observer)),
    counters: (domain) => remote.counters(domain),
    profile: (domain) => remote.profile(domain),
    openShell: (sink, columns, rows) => remote.openShell(shared(sink), columns, rows),
    shellInput: (shell, bytes) => remote.shellInput(shell, bytes),
    shellResize: (shell, columns, rows) => remote.shellResize(shell, columns, rows),
    openConsole: (domain, sink) => remote.openConsole(domain, shared(sink)),
    consoleInput: (domain, bytes) => remote.consoleInput(domain, bytes),
    consoleText: (domain) => remote.consoleText(domain),
    closeTerminal: (handle) => remote.closeTerminal(handle),
    domains: () => remote.domains(),
    onDomainsChanged: (listener) => remote.onDomainsChanged(proxy(listener)),
  };
  return {
    dom0,
    terminate: () => {
      worker.terminate();
    },
  };
}
