/** What the page may ask of domain 0, answered. */
import { resolvePath } from '../../engine/storage/path.ts';
import { encodeUtf8 } from '../../engine/storage/utf8.ts';
import { messageOf } from '../../engine/toolstack/xend-error.ts';
import type {
  BootOptions,
  DiskFormat,
  Dom0,
  DomainRow,
  ExecResult,
  ImportedDisk,
  MachineStorage,
  PieceSink,
  PieceSource,
  ProfilePart,
  Progress,
  TerminalSink,
  TransferInput,
  TransferObserver,
  VcpuCounters,
} from '../protocol.ts';
import { ShellSession } from '../shell/session.ts';
import { INITIAL_DIRECTORY } from '../shell/shell-host.ts';
import { SinkWriter } from '../shell/sink-writer.ts';
import { Terminal } from '../shell/terminal.ts';
import type { Dom0Platform } from './dom0-system.ts';
import { Dom0System } from './dom0-system.ts';
import { receiveMachine } from './receive-machine.ts';
import { observed } from './transfer-ends.ts';

/** The hypervisor's console among the domains'. */
const HYPERVISOR = 'xen';

export class Dom0Service implements Dom0 {
  private readonly _platform: Dom0Platform;
  private _booting: Promise<Dom0System> | undefined;
  private _nextHandle = 1;
  private readonly _shells = new Map<number, Terminal>();
  /** Takes a terminal down, by handle. */
  private readonly _closers = new Map<number, () => void>();

  constructor(platform: Dom0Platform) {
    this._platform = platform;
  }

  async boot(options: BootOptions, onProgress: (progress: Progress) => void): Promise<void> {
    if (this._booting !== undefined) throw new Error('domain 0 has been started already');
    this._booting = Dom0System.boot(this._platform, options, onProgress);
    try {
      await this._booting;
    } catch (error) {
      this._booting = undefined;
      throw error;
    }
  }

  /** Resolves when what the command changed in files is durable. */
  async exec(command: string, options: { stdin?: string; timeoutMs?: number } = {}): Promise<ExecResult> {
    const { executor, files } = await this._system();
    const result = await executor.exec(command, options);
    try {
      await files.flush();
    } catch (error) {
      return { ...result, stderr: `${result.stderr}files: changes could not be stored: ${messageOf(error)}\n` };
    }
    return result;
  }

  async readFile(path: string): Promise<Uint8Array> {
    return (await this._system()).files.readFile(resolvePath(INITIAL_DIRECTORY, path));
  }

  /** Resolves when the file is durable. */
  async writeFile(path: string, bytes: Uint8Array): Promise<void> {
    const { files } = await this._system();
    await files.writeFile(resolvePath(INITIAL_DIRECTORY, path), bytes);
    await files.flush();
  }

  async makeDirectory(path: string): Promise<void> {
    const { files } = await this._system();
    await files.makeDirectory(resolvePath(INITIAL_DIRECTORY, path), { recursive: true });
    await files.flush();
  }

  async storeFile(path: string, file: Blob, observer: TransferObserver): Promise<void> {
    const { transfers } = await this._system();
    await transfers.storeFile(resolvePath(INITIAL_DIRECTORY, path), file, observed(observer, this._platform.clock));
  }

  async importDisk(
    name: string,
    input: TransferInput,
    format: DiskFormat | undefined,
    observer: TransferObserver,
  ): Promise<ImportedDisk> {
    const { transfers } = await this._system();
    const from = typeof input === 'string' ? resolvePath(INITIAL_DIRECTORY, input) : input;
    return transfers.import(name, from, format, observed(observer, this._platform.clock));
  }

  async exportDisk(
    name: string,
    format: DiskFormat,
    compress: 'gzip' | undefined,
    sink: PieceSink,
    observer: TransferObserver,
  ): Promise<void> {
    const { transfers } = await this._system();
    await transfers.export(name, format, compress, sink, observed(observer, this._platform.clock));
  }

  async exportMachine(sink: PieceSink, observer: TransferObserver): Promise<void> {
    const { files, transfers } = await this._system();
    await files.flush();
    await transfers.exportMachine(sink, observed(observer, this._platform.clock));
  }

  async importMachine(storage: MachineStorage, input: Blob | PieceSource, observer: TransferObserver): Promise<string> {
    return receiveMachine(this._platform, storage, input, observed(observer, this._platform.clock));
  }

  async counters(domain: string | number): Promise<VcpuCounters[]> {
    const system = await this._system();
    return system.machine.counters(system.xend.find(String(domain)).domid);
  }

  async profile(domain: string | number): Promise<ProfilePart> {
    const system = await this._system();
    return system.machine.profile(system.xend.find(String(domain)).domid);
  }

  async openShell(sink: TerminalSink, columns: number, rows: number): Promise<number> {
    const { session, history } = await this._system();
    const terminal = new Terminal(sink, columns, rows);
    const handle = this._open(() => terminal.close());
    this._shells.set(handle, terminal);
    const done = (reason: string): void => {
      terminal.close(reason);
      this._forget(handle);
    };
    new ShellSession(session, terminal, history).run().then(
      () => done('the shell was left'),
      (error: unknown) => done(`the shell failed: ${messageOf(error)}`),
    );
    return handle;
  }

  shellInput(shell: number, bytes: Uint8Array): Promise<void> {
    this._shells.get(shell)?.input(bytes);
    return Promise.resolve();
  }

  shellResize(shell: number, columns: number, rows: number): Promise<void> {
    this._shells.get(shell)?.resize(columns, rows);
    return Promise.resolve();
  }

  async openConsole(domain: string | number, sink: TerminalSink): Promise<number> {
    const system = await this._system();
    if (domain === HYPERVISOR) return this._openHypervisorConsole(system, sink);
    const domid = system.find(domain);
    const stream = system.consoles.stream(domid);
    if (stream === undefined) throw new Error(`Domain '${domain}' has no console.`);
    const close = (): void => {
      stream.close();
      writer.close();
    };
    const handle = this._open(close);
    const writer = new SinkWriter(sink, () => this._close(handle));
    writer.write(stream.backlog);
    stream.onOutput((bytes) => writer.write(bytes));
    stream.onEnd(() => {
      writer.end('the domain is gone');
      this._forget(handle);
    });
    return handle;
  }

  async consoleInput(domain: string | number, bytes: Uint8Array): Promise<void> {
    const system = await this._system();
    if (domain === HYPERVISOR) throw new Error('The hypervisor takes no input.');
    system.consoles.input(system.find(domain), bytes);
  }

  async consoleText(domain: string | number): Promise<string> {
    const system = await this._system();
    if (domain === HYPERVISOR) return system.machine.control.consoleRing(false);
    const text = system.consoles.text(system.find(domain));
    if (text === undefined) throw new Error(`Domain '${domain}' has no console.`);
    return text;
  }

  closeTerminal(handle: number): Promise<void> {
    this._close(handle);
    return Promise.resolve();
  }

  async domains(): Promise<DomainRow[]> {
    const { xend } = await this._system();
    return xend.domains().map((domain) => ({
      domid: domain.domid,
      name: domain.name,
      memoryMiB: domain.memoryMiB,
      maxMemoryMiB: domain.maxMemoryMiB,
      vcpus: domain.onlineVcpus,
      maxVcpus: domain.maxVcpus,
      state: domain.state,
      cpuTimeSeconds: domain.cpuTimeNs / 1e9,
    }));
  }

  /** Changes that come together are told once. */
  async onDomainsChanged(listener: () => void): Promise<void> {
    const { xend } = await this._system();
    let due = false;
    xend.onChange(() => {
      if (due) return;
      due = true;
      this._platform.schedule(() => {
        due = false;
        listener();
      });
    });
  }

  private _openHypervisorConsole({ machine }: Dom0System, sink: TerminalSink): number {
    let stop: () => void = () => undefined;
    const close = (): void => {
      stop();
      writer.close();
    };
    const handle = this._open(close);
    const writer = new SinkWriter(sink, () => this._close(handle));
    const show = (text: string): void => writer.write(encodeUtf8(text.replaceAll(/\r?\n/g, '\r\n')));
    show(machine.control.consoleRing(false));
    stop = machine.onMessage(show);
    return handle;
  }

  private _system(): Promise<Dom0System> {
    return this._booting ?? Promise.reject(new Error('domain 0 has not been started'));
  }

  private _open(close: () => void): number {
    const handle = this._nextHandle++;
    this._closers.set(handle, close);
    return handle;
  }

  private _close(handle: number): void {
    this._closers.get(handle)?.();
    this._forget(handle);
  }

  private _forget(handle: number): void {
    this._closers.delete(handle);
    this._shells.delete(handle);
  }
}
