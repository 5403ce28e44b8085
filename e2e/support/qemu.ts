/** The yardstick of the bench: a boot of the same kernel and ramdisk by QEMU's own translator, Debian's qemu-system-x86_64. */
import { spawn } from 'node:child_process';

const PROGRAM = 'qemu-system-x86_64';

export interface QemuBoot {
  readonly kernel: string;
  readonly ramdisk: string;
  readonly memoryMiB: number;
  /** Text that ends the measurement. */
  readonly until: string;
  readonly limitMs: number;
}

/** Milliseconds from the start of the program to the text on the serial console. The guest has no end of its own: it is killed. */
export function qemuBootMs({ kernel, ramdisk, memoryMiB, until, limitMs }: QemuBoot): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const guest = spawn(
      PROGRAM,
      ['-accel', 'tcg', '-m', String(memoryMiB), '-nographic', '-no-reboot', '-kernel', kernel, '-initrd', ramdisk].concat([
        '-append',
        'console=ttyS0',
      ]),
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    let text = '';
    const finish = (conclude: () => void): void => {
      clearTimeout(limit);
      guest.removeAllListeners();
      guest.on('exit', conclude);
      if (guest.exitCode !== null || guest.pid === undefined) conclude();
      else guest.kill('SIGKILL');
    };
    const fail = (reason: string): void => {
      finish(() => {
        reject(new Error(`${PROGRAM}: ${reason}; last lines:\n${text.split('\n').slice(-15).join('\n')}`));
      });
    };
    const limit = setTimeout(() => {
      fail(`no "${until}" within ${limitMs} ms`);
    }, limitMs);
    guest.on('error', (error) => {
      fail(error.message);
    });
    guest.on('exit', (code) => {
      fail(`ended with ${code}`);
    });
    const read = (bytes: Buffer): void => {
      text += bytes.toString('latin1');
      if (!text.includes(until)) return;
      const took = performance.now() - began;
      finish(() => {
        resolve(took);
      });
    };
    guest.stdout.on('data', read);
    guest.stderr.on('data', read);
  });
}
