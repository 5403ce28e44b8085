/**
 * xm create: a configuration (Python or SXP) and name=value words become (vm ...), xend builds it, and unless told otherwise
 * the domain is started. On failure there is one "Error:" line, status 1, and nothing is left over.
 */
import { resolvePath } from '../../storage/path.ts';
import { decodeUtf8 } from '../../storage/utf8.ts';
import type { CommandIo } from '../command.ts';
import { domainConfiguration } from '../configuration/domain-configuration.ts';
import { findConfiguration, runConfiguration } from '../configuration/load.ts';
import type { Assignment } from '../configuration/settings.ts';
import { parseAssignment } from '../configuration/settings.ts';
import { VARIABLES } from '../configuration/variables.ts';
import { vmSxp } from '../configuration/vm-sxp.ts';
import type { OptionSpecification, ParsedOptions } from '../getopt.ts';
import { UsageError, parseOptions } from '../getopt.ts';
import type { Sxp } from '../sxp.ts';
import { SxpError, parseSxp, prettySxp } from '../sxp.ts';
import { XendError } from '../xend-error.ts';
import { requireTerminal, runConsole } from './console.ts';
import type { XmCall, XmCommand } from './xm-command.ts';

const DEFAULT_PATH = '.:/etc/xen';
const DEFAULT_NAME = 'xmdefconfig';

const OPTIONS: readonly (OptionSpecification & { readonly help: string })[] = [
  { name: 'help', spellings: ['-h', '--help'], help: 'print this help' },
  { name: 'help_config', spellings: ['--help_config'], help: 'print the configuration variables' },
  { name: 'quiet', spellings: ['-q', '--quiet'], help: 'print nothing on success' },
  { name: 'path', spellings: ['--path'], takesValue: true, help: 'search path of configuration files, default .:/etc/xen' },
  { name: 'defconfig', spellings: ['-f', '--defconfig'], takesValue: true, help: 'use the Python configuration FILE' },
  { name: 'config', spellings: ['-F', '--config'], takesValue: true, help: 'use the SXP configuration FILE' },
  { name: 'dryrun', spellings: ['-n', '--dryrun'], help: 'print the resulting configuration, create nothing' },
  { name: 'paused', spellings: ['-p', '--paused'], help: 'leave the domain paused' },
  { name: 'console', spellings: ['-c', '--console_autoconnect'], help: 'connect to the console after the start' },
];

export const create: XmCommand = {
  name: 'create',
  synopsis: ['create [-c] [-q] [-p] [-n] <ConfigFile>', '            [Name=Value]..'],
  description: 'build and start a domain from a configuration file',
  async run(call) {
    const { io, xend } = call;
    const options = parseOptions(call.words, OPTIONS);
    if (options.has('help')) {
      printOptions(call.program, io);
      return 0;
    }
    const vm = await makeSxp(call, options);
    if (vm === undefined) return 0;
    if (options.has('dryrun')) {
      io.out(`${prettySxp(vm)}\n`);
      return 0;
    }
    const terminal = options.has('console') ? requireTerminal(io, `${call.program} create -c`) : undefined;
    const given = domainConfiguration(vm);
    const configuration = {
      ...given,
      kernel: resolvePath(io.directory, given.kernel),
      ramdisk: given.ramdisk === '' ? '' : resolvePath(io.directory, given.ramdisk),
    };
    io.progress(`Building domain ${configuration.name} ...`);
    const domid = await xend.create(configuration, {
      cancellation: io.cancellation,
      onFetch: (path, loaded, total) => io.progress(`Fetching ${path} ${percent(loaded, total)}`),
    });
    try {
      if (!options.has('paused')) await xend.unpause(domid);
    } catch (error) {
      await xend.destroy(domid);
      throw error;
    }
    if (!options.has('quiet')) io.out(`Started domain ${configuration.name}\n`);
    if (terminal !== undefined) await runConsole(call.consoles, domid, terminal, io);
    return 0;
  },
};

/** undefined when all there was to do was to print help. */
async function makeSxp(call: XmCall, options: ParsedOptions): Promise<Sxp | undefined> {
  const { io, files } = call;
  const assignments: Assignment[] = [];
  const names: string[] = [];
  for (const word of options.operands) {
    const assignment = parseAssignment(word);
    if (assignment === undefined) names.push(word);
    else assignments.push(assignment);
  }
  if (names.length > 1) throw new UsageError(`'${call.program} create' takes one configuration file, not ${names.length}.`);
  const sxpName = options.value('config');
  if (sxpName !== undefined) {
    const path = await findConfiguration(files, sxpName, io.directory, options.value('path') ?? DEFAULT_PATH);
    announce(io, options, sxpName);
    return readSxp(decodeUtf8(await files.readFile(path)), sxpName);
  }
  const name = options.value('defconfig') ?? names[0] ?? DEFAULT_NAME;
  const path = await findConfiguration(files, name, io.directory, options.value('path') ?? DEFAULT_PATH);
  const helping = options.has('help_config');
  if (!helping) announce(io, options, shownName(path, name, io.directory));
  const { settings, declared } = await runConfiguration(call, {
    path,
    shownAs: name,
    assignments,
    helping,
    directory: io.directory,
    io,
  });
  if (!helping) return vmSxp(settings);
  printVariables(io, name, declared);
  return undefined;
}

function announce(io: CommandIo, options: ParsedOptions, name: string): void {
  if (!options.has('quiet')) io.out(`Using config file "${name}".\n`);
}

/** As the user wrote it when found from the current directory, else the whole path. */
function shownName(path: string, name: string, directory: string): string {
  return resolvePath(directory, name) === path ? name : path;
}

function readSxp(text: string, name: string): Sxp {
  try {
    const [vm, ...others] = parseSxp(text);
    if (vm === undefined || others.length > 0) throw new SxpError('one (vm ...) expected');
    return vm;
  } catch (error) {
    if (error instanceof SxpError) throw new XendError(`Invalid configuration ${name}: ${error.message}`);
    throw error;
  }
}

function percent(loaded: number, total: number): string {
  return total > 0 ? `${String(Math.min(100, Math.floor((loaded / total) * 100))).padStart(3)} %` : `${loaded} bytes`;
}

function printOptions(program: string, io: CommandIo): void {
  io.out(`Usage: ${program} create [options] <ConfigFile> [Name=Value]..\n\n`);
  for (const option of OPTIONS) {
    const spelling = option.spellings
      .map((text) => (option.takesValue === true ? `${text}${text.startsWith('--') ? '=' : ' '}VALUE` : text))
      .join(', ');
    io.out(`  ${spelling.padEnd(32)} ${option.help}\n`);
  }
}

function printVariables(io: CommandIo, file: string, declared: readonly { readonly name: string; readonly use: string }[]): void {
  io.out('\nConfiguration variables:\n\n');
  for (const { name, description } of VARIABLES) io.out(`${name.padEnd(12)} ${description}\n`);
  if (declared.length === 0) return;
  io.out(`\nConfiguration variables for ${file}:\n\n`);
  for (const { name, use } of declared) io.out(`${name.padEnd(12)} ${use}\n`);
}
