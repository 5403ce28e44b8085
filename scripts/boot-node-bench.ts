/** Programs of the bench in a guest booted in Node: `boot-node.ts --bench sieve,getpid`. A row each: seconds, instructions, tiers. */
import { readFileSync } from 'node:fs';
import { buildPrograms, expectedChecksum, GUEST_PATH } from '../bench/build-programs.ts';
import { withPrograms } from '../bench/ramdisks.ts';
import { chosenPrograms, parseResult } from '../bench/set.ts';

/** Processor time, s: of this thread, which runs the guest, and of all of the process, which compiles besides. */
export function processCpu(): { thread: number; process: number } {
  const [nanoseconds = '0'] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ');
  const { user, system } = process.cpuUsage();
  return { thread: Number(nanoseconds) / 1e9, process: (user + system) / 1e6 };
}

export interface BenchGuest {
  /** Types on the guest's console. */
  type(text: string): void;
  /** Waits for what is written to the console from the domain's creation on. */
  waitFor(pattern: string | RegExp): Promise<string>;
  /** Instructions retired so far, in all and by translated code. */
  counters(): { instructions: number; translated: number };
}

const built = buildPrograms(64);

export function benchRamdisk(ramdisk: Uint8Array): Uint8Array {
  if ('absent' in built) throw new Error(built.absent);
  return withPrograms(ramdisk, built);
}

/** Logs in and runs each program `rounds` times; the first warms the translator up. */
export async function benchInGuest(guest: BenchGuest, names: string, rounds: number, log: (line: string) => void): Promise<void> {
  if ('absent' in built) throw new Error(built.absent);
  await guest.waitFor('login: ');
  guest.type('root\n');
  await guest.waitFor('Password: ');
  guest.type('xen\n');
  await guest.waitFor(':~# ');
  let mark = 0;
  for (const program of chosenPrograms(names === 'all' ? undefined : names)) {
    for (let round = 1; round <= rounds; round++) {
      const before = guest.counters();
      const cpuBefore = processCpu();
      mark += 1;
      guest.type(`${GUEST_PATH} ${program.name} ${program.size}; echo end-""${mark}\n`);
      const text = await guest.waitFor(new RegExp(`${program.name} [0-9a-f]{16} [^\\n]*\\s+end-${mark}\\s`));
      const result = parseResult(text);
      const after = guest.counters();
      const cpu = processCpu();
      const instructions = after.instructions - before.instructions;
      const share = ((after.translated - before.translated) / instructions) * 100;
      const right = result.checksum === expectedChecksum(built, program);
      log(
        `${program.name.padEnd(10)} round ${round}: ${(result.elapsedUs / 1e6).toFixed(3)} s, thread ${(cpu.thread - cpuBefore.thread).toFixed(3)} s, process ${(cpu.process - cpuBefore.process).toFixed(3)} s, ` +
          `${(instructions / 1e6).toFixed(1)} M instructions, ${(instructions / result.elapsedUs).toFixed(0)} MIPS, ` +
          `${share.toFixed(1)} % translated${right ? '' : ', WRONG CHECKSUM'}`,
      );
    }
  }
}
