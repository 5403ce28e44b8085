/** Guests of QEMU's own translator, Debian's qemu-system-x86_64, with the kernel and ramdisk that webxen's have. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { type Guest, GUEST_VCPUS, type GuestKind, type Runner } from './guest.ts';
import type { Ramdisks } from './ramdisks.ts';
import { MEMORY_MIB } from './webxen.ts';
import { processTreeSeconds } from './process-time.ts';
import { type SerialLine, SerialShell } from './serial-shell.ts';

const PROGRAM = 'qemu-system-x86_64';

/** Version, or undefined where there is none. */
export function qemuVersion(): string | undefined {
  const { status, stdout } = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' });
  return status === 0 ? (/version (\S+)/.exec(stdout)?.[1] ?? 'unknown') : undefined;
}

export const QEMU_ABSENT = `There is no ${PROGRAM} to compare with (Debian: apt-get install qemu-system-x86).`;

export interface QemuSettings {
  readonly kernel: string;
  readonly ramdisk: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** A virtio disk, as -drive describes where its data lies. */
  readonly drive?: string;
}

/** A running machine and its serial line. */
export class QemuMachine implements SerialLine {
  private text = '';
  private readonly process: ChildProcessWithoutNullStreams;
  private ended: string | undefined;
  private readonly listeners = new Set<() => void>();

  constructor({ drive, kernel, ramdisk, memoryMiB, vcpus }: QemuSettings) {
    // The kernel spares itself what processors that speculate need, as it does under webxen, which says that it does not.
    const commandLine = 'console=ttyS0 mitigations=off';
    this.process = spawn(PROGRAM, [
      ...['-accel', 'tcg', '-m', String(memoryMiB), '-smp', String(vcpus), '-nographic', '-no-reboot'],
      ...(drive === undefined ? [] : ['-drive', `if=virtio,${drive}`]),
      ...['-kernel', kernel, '-initrd', ramdisk, '-append', commandLine],
    ]);
    const wake = (): void => {
      for (const listener of [...this.listeners]) listener();
    };
    const read = (bytes: Buffer): void => {
      this.text += bytes.toString('latin1');
      wake();
    };
    this.process.stdout.on('data', read);
    this.process.stderr.on('data', read);
    const over = (reason: string): void => {
      this.ended ??= reason;
      wake();
    };
    this.process.on('error', (error) => {
      over(error.message);
    });
    this.process.on('exit', (code) => {
      over(`ended with ${code}`);
    });
  }

  send(text: string): Promise<void> {
    this.process.stdin.write(text);
    return Promise.resolve();
  }

  waitFor(pattern: RegExp, from: number, timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const finish = (conclude: () => void): void => {
        clearTimeout(limit);
        this.listeners.delete(look);
        conclude();
      };
      const fail = (reason: string): void => {
        finish(() => {
          reject(new Error(`${PROGRAM}: ${reason}; last lines:\n${this.text.split('\n').slice(-15).join('\n')}`));
        });
      };
      const look = (): void => {
        if (pattern.test(this.text.slice(from))) {
          finish(() => {
            resolve(this.text);
          });
        } else if (this.ended !== undefined) fail(this.ended);
      };
      const limit = setTimeout(() => {
        fail(`no ${String(pattern)} within ${timeoutMs} ms`);
      }, timeoutMs);
      this.listeners.add(look);
      look();
    });
  }

  /** Processor time of all its threads, s. */
  cpuSeconds(): number {
    return this.process.pid === undefined ? 0 : processTreeSeconds(this.process.pid);
  }

  /** The guest has no end of its own. */
  close(): Promise<void> {
    if (this.ended !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.process.once('exit', () => {
        resolve();
      });
      this.process.kill('SIGKILL');
    });
  }
}

export function startQemu(kernel: string, ramdisks: Ramdisks, bootMs: number): Runner {
  const machines: QemuMachine[] = [];
  const guests = new Map<GuestKind, Promise<Guest>>();
  const boot = async (kind: GuestKind): Promise<Guest> => {
    const size = kind === 'debian' ? 'debian' : 'small';
    const machine = new QemuMachine({ kernel, ramdisk: ramdisks[size], memoryMiB: MEMORY_MIB[size], vcpus: GUEST_VCPUS[kind] });
    machines.push(machine);
    const shell = new SerialShell(machine);
    await shell.login(bootMs);
    return {
      run: (command, timeoutMs) => shell.run(command, timeoutMs),
      cpuSeconds: () => Promise.resolve(machine.cpuSeconds()),
      instructions: () => Promise.resolve(undefined),
    };
  };
  return {
    name: 'qemu',
    guest: (kind) => {
      const guest = guests.get(kind) ?? boot(kind);
      guests.set(kind, guest);
      return guest;
    },
    close: async () => {
      await Promise.all(machines.map((machine) => machine.close()));
    },
  };
}
