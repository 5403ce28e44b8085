/** What `npm run bench` takes on its command line. */
import { parseArgs } from 'node:util';

export const HELP = `npm run bench [-- OPTIONS]     measures webxen beside QEMU's translator and v86, taking turns

What is measured (all of it unless some is named):
  --programs            the programs of bench/programs
  --boot                from the start of a guest to its login
  --whole               gzip, openssl, python3 and others of Debian's programs
  --feel                from a key to its echo, and frames a second, beside a busy domain
  --smp                 two vCPUs beside one at work for two processes
  --idle                what a machine costs whose guest has nothing to do
  --pauses              how long guests stand still for the translator
  --only NAME,NAME      of the programs these alone (implies --programs)
  --disks               a guest's disk beside the browser's stores, and QEMU's (nothing else then)
  --profile NAME        leaves build/bench/profile-NAME.txt and .json: where the time of a program, or of boot, goes (nothing else then);
                        whole programs as well, as in --profile 'python start'

How:
  --here                in webxen alone
  --without NAME,NAME   not beside these: native, qemu, v86
  --interpreter         programs beside webxen with its translator off as well, in a browser of its own (slow)
  --rounds N            every measurement N times, medians shown (default 3)
  --quick               one round
  --node                the programs in webxen under Node instead of a browser
  --translator WORD     on, off or eager, in webxen (default on)
  --memory-order WORD   host or strict, in webxen (default host)

Results are shown, and kept in build/bench/ as JSON with date, browser and processor:
  --compare FILE        show this run beside an earlier result (with --result FILE: that one, and run nothing)
  --result FILE         take this result instead of measuring
`;

export interface Options {
  readonly parts: ReadonlySet<Part>;
  readonly only: string | undefined;
  readonly without: ReadonlySet<string>;
  readonly interpreter: boolean;
  readonly rounds: number;
  readonly node: boolean;
  readonly translator: string;
  readonly memoryOrder: string;
  readonly disks: boolean;
  readonly profile: string | undefined;
  readonly compare: string | undefined;
  readonly result: string | undefined;
}

export type Part = 'programs' | 'boot' | 'whole' | 'feel' | 'smp' | 'idle' | 'pauses';
const PARTS: readonly Part[] = ['programs', 'boot', 'whole', 'feel', 'smp', 'idle', 'pauses'];

/** A mistake on the command line, told without a stack. */
export class UsageError extends Error {}

/** Undefined when help was asked for. @throws UsageError */
export function readOptions(words: readonly string[]): Options | undefined {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...words],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        programs: { type: 'boolean', default: false },
        boot: { type: 'boolean', default: false },
        whole: { type: 'boolean', default: false },
        feel: { type: 'boolean', default: false },
        smp: { type: 'boolean', default: false },
        idle: { type: 'boolean', default: false },
        pauses: { type: 'boolean', default: false },
        'memory-order': { type: 'string', default: 'host' },
        disks: { type: 'boolean', default: false },
        profile: { type: 'string' },
        only: { type: 'string' },
        here: { type: 'boolean', default: false },
        without: { type: 'string', default: '' },
        interpreter: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        node: { type: 'boolean', default: false },
        translator: { type: 'string', default: 'on' },
        compare: { type: 'string' },
        result: { type: 'string' },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (values.help) return undefined;
  const chosen = PARTS.filter((part) => values[part] || (part === 'programs' && (values.only !== undefined || values.node)));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError('--rounds takes a number of 1 or more.');
  if (!['on', 'off', 'eager'].includes(values.translator)) throw new UsageError('--translator takes on, off or eager.');
  if (!['host', 'strict'].includes(values['memory-order'])) throw new UsageError('--memory-order takes host or strict.');
  const without = values.here ? ['native', 'qemu', 'v86'] : values.without.split(',').filter((name) => name !== '');
  const unknown = without.find((name) => !['native', 'qemu', 'v86'].includes(name));
  if (unknown !== undefined) throw new UsageError(`--without knows native, qemu and v86, not ${unknown}.`);
  return {
    parts: new Set(chosen.length === 0 ? PARTS : chosen),
    only: values.only,
    without: new Set(without),
    interpreter: values.interpreter,
    rounds,
    node: values.node,
    translator: values.translator,
    memoryOrder: values['memory-order'],
    disks: values.disks,
    profile: values.profile,
    compare: values.compare,
    result: values.result,
  };
}
