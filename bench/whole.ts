/** Whole programs of Debian in the guests that have them, taking turns. */
import { GUEST_PATH } from './build-programs.ts';
import { type Guest, instructionsBetween, type Runner } from './guest.ts';
import { PYTHON_PATH } from './ramdisks.ts';
import type { Column, Row, Sample } from './report.ts';
import { parseResult } from './set.ts';

const LIMIT_MS = 300_000;

export interface Whole {
  readonly name: string;
  readonly what: string;
  /** A command of the guest's shell, in single quotes there. */
  readonly command: string;
  /** Every guest must print the same. */
  readonly sameOutput: boolean;
  /** Seconds for a fixed piece of work, from what the program says of its speed; else the time it took counts. */
  readonly seconds?: (output: string) => number;
}

/** 8 MB of numbers and of Python's library, but for what it says of the system: every guest has them alike. */
const TEXT = '/tmp/text';
const PREPARE = `(seq 1 400000; cat /usr/lib/python3*/[a-z]*.py /usr/lib/python3*/*/[a-z]*.py) | head -c 8000000 > ${TEXT}`;

/** `openssl speed -mr`: "+F:22:sha256:RATE" in bytes a second, "+F2:3:2048:SIGN:VERIFY" in operations a second. */
function field(output: string, pattern: RegExp): number {
  const value = Number(pattern.exec(output)?.[1]);
  if (!(value > 0)) throw new Error(`openssl speed said: ${output.slice(-500)}`);
  return value;
}

export const WHOLE: readonly Whole[] = [
  { name: 'gzip', what: 'gzip -9 of 8 MB', command: `gzip -9 -c ${TEXT}`, sameOutput: true },
  {
    name: 'tar | gzip',
    what: "Python's library through tar and gzip -1",
    command: 'tar -cf - -C /usr/lib $(cd /usr/lib && echo python3*) | gzip -1 | wc -c',
    sameOutput: false,
  },
  {
    name: 'openssl sha256',
    what: 'openssl speed, for 64 MiB',
    command: 'openssl speed -mr -seconds 1 -bytes 16384 sha256 2>/dev/null',
    sameOutput: false,
    seconds: (output) => (64 * 1024 * 1024) / field(output, /^\+F:\d+:sha256:([\d.]+)/m),
  },
  {
    name: 'openssl rsa2048',
    what: 'openssl speed, for 100 signatures',
    command: 'openssl speed -mr -seconds 1 rsa2048 2>/dev/null',
    sameOutput: false,
    seconds: (output) => 100 / field(output, /^\+F2:\d+:2048:([\d.]+)/m),
  },
  {
    name: 'python start',
    what: 'python3 -c pass, five times',
    command: 'for n in 1 2 3 4 5; do python3 -c pass; done',
    sameOutput: true,
  },
  { name: 'python', what: 'plain Python of several kinds', command: `python3 ${PYTHON_PATH}`, sameOutput: true },
  {
    name: 'find | sha256sum',
    what: 'every file of the ramdisk',
    command: 'find / -xdev -type f -size -2000k ! -path "/tmp/*" | head -n 400 | xargs sha256sum | wc -l',
    sameOutput: true,
  },
];

/** The command, timed by the bench's program unless it tells its speed itself. */
export const wholeCommand = ({ command, seconds }: Whole): string =>
  seconds === undefined ? `${GUEST_PATH} run sh -c '${command}'` : command;

/** A guest that has what the programs need, the same one when asked again. */
export async function preparedGuest(runner: Runner): Promise<Guest> {
  const guest = await runner.guest('debian');
  await guest.run(`[ -e ${TEXT} ] || { ${PREPARE}; }`, LIMIT_MS);
  return guest;
}

async function measured(guest: Guest, whole: Whole): Promise<{ sample: Sample; checksum: string }> {
  const before = await guest.instructions();
  const cpuBefore = await guest.cpuSeconds();
  const { output, exitCode } = await guest.run(wholeCommand(whole), LIMIT_MS);
  const hostCpu = (await guest.cpuSeconds()) - cpuBefore;
  const after = await guest.instructions();
  if (exitCode !== 0) throw new Error(`ended with ${exitCode}: ${output.slice(-500)}`);
  if (whole.seconds !== undefined) {
    // The program runs for a fixed time: what it says of its speed is the measurement.
    const seconds = whole.seconds(output);
    return { sample: { elapsed: seconds, cpu: seconds, hostCpu: seconds }, checksum: '' };
  }
  const { userUs, systemUs, elapsedUs, checksum } = parseResult(output);
  const sample = { elapsed: elapsedUs / 1e6, cpu: (userUs + systemUs) / 1e6, hostCpu };
  if (before === undefined || after === undefined) return { sample, checksum };
  return { sample: { ...sample, ...instructionsBetween(before, after) }, checksum };
}

/** What guests disagree about, or cannot do, is a note. */
export async function runWhole(
  runners: readonly Runner[],
  rounds: number,
  onProgress: (what: string) => void,
): Promise<{ rows: Row[]; notes: string[] }> {
  const notes: string[] = [];
  const rows = WHOLE.map(({ name, what }): { name: string; what: string; samples: Partial<Record<Column, Sample[]>> } => ({
    name,
    what,
    samples: {},
  }));
  const checksums = new Map<string, { checksum: string; runner: string }>();
  for (let round = 0; round < rounds; round++) {
    for (const [index, whole] of WHOLE.entries()) {
      for (let n = 0; n < runners.length; n++) {
        const runner = runners[(n + round) % runners.length];
        const row = rows[index];
        if (runner === undefined || row === undefined) continue;
        onProgress(`round ${round + 1} of ${rounds}: ${whole.name} in ${runner.name}`);
        try {
          const { sample, checksum } = await measured(await preparedGuest(runner), whole);
          (row.samples[runner.name] ??= []).push(sample);
          const first = checksums.get(whole.name);
          if (first === undefined) checksums.set(whole.name, { checksum, runner: runner.name });
          else if (whole.sameOutput && first.checksum !== checksum)
            notes.push(`${whole.name}: ${runner.name} printed something else than ${first.runner}`);
        } catch (error) {
          notes.push(`${whole.name} in ${runner.name}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
  }
  return { rows, notes };
}
