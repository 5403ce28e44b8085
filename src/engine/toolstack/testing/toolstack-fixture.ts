/** A whole toolstack around the simulated hypervisor, with the real xenstored and file system, for tests. */
import { decoders } from '../../images/testing/decoders.ts';
import { BlockBackend } from '../../devices/block/block-backend.ts';
import type { FileSystem } from '../../storage/file-system.ts';
import { memoryFiles } from '../../storage/testing/memory-files.ts';
import type { VolumePool } from '../../storage/volume-pool.ts';
import { encodeUtf8 } from '../../storage/utf8.ts';
import type { StoreClient } from '../../xenstore/client.ts';
import { formatTree } from '../../xenstore/format.ts';
import { XenstoreServer } from '../../xenstore/server.ts';
import type { CommandTerminal } from '../command.ts';
import type { ScriptEvaluator, ScriptOutcome, ScriptRequest, ScriptValue } from '../configuration/script.ts';
import { BlockSources } from '../devices/block-sources.ts';
import { LoopDevices } from '../devices/loop-devices.ts';
import { CancellationSource } from '../services.ts';
import type { ConsoleConnection, Consoles } from '../xend/consoles.ts';
import { Xend } from '../xend/xend.ts';
import { xmCommand } from '../xm/xm.ts';
import { ManualClock } from './manual-clock.ts';
import { SimulatedHypervisor } from './simulated-hypervisor.ts';

export const START_MS = Date.UTC(2026, 10, 23, 12, 0, 0);

/** Stands in for Python: `name = JSON` lines; a line `loop` never ends, `fault` is an error on that line. */
const lineScripts: ScriptEvaluator = {
  evaluate(request: ScriptRequest): Promise<ScriptOutcome> {
    const values: Record<string, ScriptValue> = {};
    for (const [index, line] of request.source.split('\n').entries()) {
      if (line === 'loop') return Promise.resolve({ kind: 'timeout', limitMs: 5000, output: '' });
      if (line.startsWith('fault'))
        return Promise.resolve({ kind: 'error', line: index + 1, message: 'SyntaxError: invalid syntax', output: '' });
      const match = /^(\w+) = (.*)$/.exec(line);
      if (match !== null) values[match[1] ?? ''] = JSON.parse(match[2] ?? '""') as ScriptValue;
    }
    return Promise.resolve({ kind: 'values', values, declared: [], output: '' });
  },
};

export interface XmResult {
  readonly out: string;
  readonly error: string;
  readonly status: number;
}

export class SimulatedConsole implements ConsoleConnection {
  readonly typed: number[] = [];
  closed = false;
  private _output: (bytes: Uint8Array) => void = () => undefined;
  private _close: () => void = () => undefined;

  onOutput(listener: (bytes: Uint8Array) => void): void {
    this._output = listener;
  }

  onClose(listener: () => void): void {
    this._close = listener;
  }

  input(bytes: Uint8Array): void {
    this.typed.push(...bytes);
  }

  close(): void {
    this.closed = true;
  }

  print(text: string): void {
    this._output(encodeUtf8(text));
  }

  domainGone(): void {
    this._close();
  }
}

export class ToolstackFixture {
  readonly clock = new ManualClock(START_MS);
  readonly hypervisor: SimulatedHypervisor;
  readonly files: FileSystem;
  readonly store: StoreClient;
  readonly xend: Xend;
  readonly daemonCalls: string[] = [];
  readonly blockBackend: BlockBackend;
  readonly sources: BlockSources;
  readonly consoles = new Map<number, SimulatedConsole>();
  /** Cancels the command that runs. */
  cancellation = new CancellationSource();
  private _drawn = 0;
  private readonly _server = new XenstoreServer({ schedule: (task) => void Promise.resolve().then(task), log: () => undefined });

  private constructor(
    files: FileSystem,
    /** Volumes of the machine. */
    readonly pool: VolumePool,
    memoryMiB: number,
  ) {
    this.files = files;
    this.hypervisor = new SimulatedHypervisor(memoryMiB);
    this.store = this._server.connect();
    this.sources = new BlockSources(pool, files, new LoopDevices(files), decoders);
    this.blockBackend = new BlockBackend({
      store: this._server.connect(),
      guest: () => undefined,
      open: (description) => this.sources.open(description),
      schedule: (task) => void Promise.resolve().then(task),
      later: (task) => void Promise.resolve().then(task),
      log: () => undefined,
    });
    this.xend = new Xend({
      control: this.hypervisor,
      store: this.store,
      files,
      clock: this.clock,
      entropy: { bytes: (count) => this._randomBytes(count) },
      daemons: {
        connect: (domid, name) => this.daemonCalls.push(`connect ${domid} ${name}`),
        shutDown: (domid) => this.daemonCalls.push(`shutdown ${domid}`),
        disconnect: (domid) => {
          this.daemonCalls.push(`disconnect ${domid}`);
          void this.blockBackend.disconnectDomain(domid);
        },
      },
    });
  }

  static async make(memoryMiB = 1024): Promise<ToolstackFixture> {
    const { files, pool } = await memoryFiles({ now: () => START_MS });
    await files.makeDirectory('/etc/xen', { recursive: true });
    await files.makeDirectory('/root');
    await files.makeDirectory('/boot');
    await files.writeFile('/boot/vmlinuz', encodeUtf8('KERNEL image'));
    await files.writeFile('/boot/initrd', new Uint8Array(4096));
    return new ToolstackFixture(files, pool, memoryMiB);
  }

  /** There by the time the next command runs. */
  file(path: string, text: string): void {
    this._writes.push(this.files.writeFile(path, encodeUtf8(text)));
  }

  /** A configuration under /etc/xen of that name; more lines may follow. */
  configuration(name: string, ...lines: string[]): void {
    this.file(`/etc/xen/${name}`, ['kernel = "/boot/vmlinuz"', 'memory = 64', ...lines, ''].join('\n'));
  }

  /** Runs `xm WORDS`; words are parted by blanks. */
  async xm(line: string | readonly string[], terminal?: CommandTerminal): Promise<XmResult> {
    await Promise.all(this._writes.splice(0));
    let out = '';
    let error = '';
    this.cancellation = new CancellationSource();
    const services = {
      xend: this.xend,
      files: this.files,
      scripts: lineScripts,
      consoles: this._consoles(),
      clock: this.clock,
      hostName: () => 'dom0',
    };
    const words = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line;
    const status = await xmCommand(services, 'xm').run(words, {
      out: (text) => (out += text),
      error: (text) => (error += text),
      stdin: undefined,
      directory: '/root',
      cancellation: this.cancellation,
      terminal,
      progress: () => undefined,
    });
    return { out, error, status };
  }

  private readonly _writes: Promise<void>[] = [];

  tree(path: string): string {
    return formatTree(this.store, path, { fullPaths: true, permissions: true }) ?? '';
  }

  /** 00 11 22 ... with the last byte counting up, so that no two are equal. */
  private _randomBytes(count: number): Uint8Array {
    const bytes = Uint8Array.from({ length: count }, (_, index) => index * 17);
    bytes[count - 1] = (bytes[count - 1] ?? 0) + this._drawn++;
    return bytes;
  }

  private _consoles(): Consoles {
    return {
      connect: (domid) => {
        const console = new SimulatedConsole();
        this.consoles.set(domid, console);
        return console;
      },
    };
  }
}
