/** Small programs that tell about domain 0 itself: hostname, uname, whoami, id, uptime, dmesg, help. */
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { decodeUtf8, encodeUtf8 } from '../../../engine/storage/utf8.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import { DEFAULT_HOST_NAME, DOM0_IDENTITY } from '../../../engine/toolstack/dom0-identity.ts';
import type { Clock } from '../../../engine/toolstack/services.ts';
import { formatLogTime } from '../../../engine/toolstack/xend/xend-log.ts';

const HOST_NAME_FILE = '/etc/hostname';

export interface SystemServices {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly bootTimeMs: number;
  /** Messages of domain 0's own start. */
  bootMessages(): string;
  /** Every program, for help. */
  programs(): readonly Command[];
}

/** The host name of domain 0, kept up to date by whoever writes the file through the programs here. */
export class HostName {
  private _name = DEFAULT_HOST_NAME;
  private readonly _files: FileSystem;

  private constructor(files: FileSystem) {
    this._files = files;
  }

  static async read(files: FileSystem): Promise<HostName> {
    const hostName = new HostName(files);
    try {
      const name = decodeUtf8(await files.readFile(HOST_NAME_FILE)).trim();
      if (isHostName(name)) hostName._name = name;
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
    }
    return hostName;
  }

  get name(): string {
    return this._name;
  }

  /** False when it is no host name. */
  async change(name: string): Promise<boolean> {
    if (!isHostName(name)) return false;
    this._name = name;
    await this._files.writeFile(HOST_NAME_FILE, encodeUtf8(`${name}\n`));
    return true;
  }
}

function isHostName(name: string): boolean {
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/.test(name);
}

const program = (
  name: string,
  description: string,
  run: (words: readonly string[], io: CommandIo) => number | Promise<number>,
): Command => ({
  name,
  description,
  run: async (words, io) => run(words, io),
});

export function systemPrograms(services: SystemServices, hostName: HostName): Command[] {
  return [
    program('hostname', 'print or set the name of domain 0', async ([name], io) => {
      if (name === undefined || name.startsWith('-')) io.out(`${hostName.name}\n`);
      else if (!(await hostName.change(name))) {
        io.error('hostname: the specified hostname is invalid\n');
        return 1;
      }
      return 0;
    }),
    program('uname', 'print what system this is', (words, io) => uname(words, io, hostName.name)),
    program('whoami', 'print who you are', (_words, io) => {
      io.out('root\n');
      return 0;
    }),
    program('id', 'print who you are in numbers', ([option], io) => {
      io.out(option === '-u' || option === '-g' ? '0\n' : option === '-un' ? 'root\n' : 'uid=0(root) gid=0(root) groups=0(root)\n');
      return 0;
    }),
    program('uptime', 'tell how long domain 0 has been up', (_words, io) => {
      const now = services.clock.nowMs();
      const seconds = Math.max(0, Math.floor((now - services.bootTimeMs) / 1000));
      const days = Math.floor(seconds / 86400);
      const hours = Math.floor(seconds / 3600) % 24;
      const minutes = Math.floor(seconds / 60) % 60;
      const dayText = days === 0 ? '' : `${days} ${days === 1 ? 'day' : 'days'}, `;
      const rest = hours === 0 ? `${minutes} min` : `${hours}:${String(minutes).padStart(2, '0')}`;
      io.out(` ${formatLogTime(now).slice(11)} up ${dayText}${rest},  1 user\n`);
      return 0;
    }),
    program('dmesg', "print the messages of domain 0's start", (_words, io) => {
      io.out(services.bootMessages());
      return 0;
    }),
    program('help', 'print this list', (_words, io) => {
      io.out('Programs of domain 0:\n\n');
      const programs = [...services.programs()].sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const { name, description } of programs) io.out(`  ${name.padEnd(20)} ${description}\n`);
      io.out(
        [
          '',
          'The shell language is that of bash: pipes, redirection, variables, loops, functions, with ls, cat, cp, mv, rm, mkdir,',
          'grep, sed, awk, head, tail, sort, find, date and more. Tab completes, the arrow keys recall earlier lines, ^C interrupts.',
          '',
          "Begin with:  xm create -c demo      (leave the guest's console with Ctrl-])",
          '',
        ].join('\n'),
      );
      return 0;
    }),
  ];
}

function uname(words: readonly string[], io: CommandIo, host: string): number {
  const { system, release, version, machine } = DOM0_IDENTITY;
  const fields: readonly (readonly [letter: string, value: string])[] = [
    ['s', system],
    ['n', host],
    ['r', release],
    ['v', version],
    ['m', machine],
    ['o', system],
  ];
  let letters = '';
  for (const word of words) {
    const asked = word === '--all' ? 'a' : /^-([asnrvmo]+)$/.exec(word)?.[1];
    if (asked === undefined) {
      io.error(`uname: extra operand '${word}'\n`);
      return 1;
    }
    letters += asked;
  }
  if (letters === '') letters = 's';
  const shown = fields.filter(([letter]) => letters.includes('a') || letters.includes(letter)).map(([, value]) => value);
  io.out(`${shown.join(' ')}\n`);
  return 0;
}
