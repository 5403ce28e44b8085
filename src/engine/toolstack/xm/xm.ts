/** The xm command ("xl" is accepted as another name): finds the sub-command, runs it, turns refusals into "Error: ..." and status 1. */
import type { Command, CommandIo } from '../command.ts';
import { UsageError } from '../getopt.ts';
import { Interrupted } from '../services.ts';
import { XendError, messageOf } from '../xend-error.ts';
import { blockAttach, blockDetach, blockList } from './block.ts';
import { console } from './console.ts';
import { create } from './create.ts';
import { printCommandHelp, printLongHelp, printShortHelp, printUsage } from './help.ts';
import { dmesg, info, log, uptime } from './host.ts';
import { domid, domname, list } from './list.ts';
import { memMax, memSet } from './memory.ts';
import { destroy, pause, rename, sysrq, trigger, unpause } from './pause.ts';
import { reboot, shutdown } from './shutdown.ts';
import { top } from './top.ts';
import { UNSUPPORTED } from './unsupported.ts';
import { vcpuList, vcpuPin, vcpuSet } from './vcpu.ts';
import type { XmCommand, XmServices } from './xm-command.ts';

const INTERRUPTED_STATUS = 1;
/** As xm had it: not the success that `xm help pause` is. */
const USAGE_STATUS = 1;

const help: XmCommand = {
  name: 'help',
  synopsis: ['help [--long] [<subcommand>]'],
  description: 'show this list',
  run({ program, words, io }) {
    const wanted = words.find((word) => !word.startsWith('-'));
    const command =
      wanted === undefined ? undefined : COMMANDS.find((candidate) => candidate.name === (ALIASES.get(wanted) ?? wanted));
    if (command !== undefined) printCommandHelp(command, io);
    else if (words.some((word) => word === '--long' || word === '-l')) printLongHelp(program, COMMANDS, io);
    else printShortHelp(program, COMMANDS, io);
    return 0;
  },
};

export const COMMANDS: readonly XmCommand[] = [
  blockAttach,
  blockDetach,
  blockList,
  console,
  create,
  destroy,
  dmesg,
  domid,
  domname,
  help,
  info,
  list,
  log,
  memMax,
  memSet,
  pause,
  reboot,
  rename,
  shutdown,
  sysrq,
  top,
  trigger,
  unpause,
  uptime,
  vcpuList,
  vcpuPin,
  vcpuSet,
];

/** Old names; calling one is answered with a hint. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['balloon', 'mem-set'],
  ['maxmem', 'mem-max'],
  ['set-vcpus', 'vcpu-set'],
  ['vcpus-set', 'vcpu-set'],
  ['vif-list', 'network-list'],
  ['vbd-create', 'block-attach'],
  ['vbd-destroy', 'block-detach'],
  ['vbd-list', 'block-list'],
]);

/** Exact names win; else a beginning of two letters or more that fits one command only. */
function lookUp(word: string): string | undefined {
  const names = [...COMMANDS.map((command) => command.name), ...UNSUPPORTED.keys()];
  if (names.includes(word)) return word;
  const alias = ALIASES.get(word);
  if (alias !== undefined) return alias;
  const matching = word.length >= 2 ? names.filter((name) => name.startsWith(word)) : [];
  return matching.length === 1 ? matching[0] : undefined;
}

/** `program`: the name it goes by, "xm" or "xl". */
export function xmCommand(services: XmServices, program: string): Command {
  return {
    name: program,
    description: 'manage the domains of this machine',
    run: (words, io) => runXm(services, program, words, io),
  };
}

async function runXm(services: XmServices, program: string, words: readonly string[], io: CommandIo): Promise<number> {
  const [word, ...rest] = words;
  if (word === undefined) {
    printShortHelp(program, COMMANDS, io);
    return 1;
  }
  if (word === '-h' || word === '--help') {
    printLongHelp(program, COMMANDS, io);
    return 0;
  }
  const name = lookUp(word);
  if (name === undefined) {
    io.error(`Error: Subcommand ${word} not found!\n`);
    printShortHelp(program, COMMANDS, io);
    return 1;
  }
  if (ALIASES.get(word) === name) io.error(`Command ${word} is deprecated.  Please use ${program} ${name} instead.\n`);
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    io.error(`Error: '${program} ${name}' is not supported: ${UNSUPPORTED.get(name) ?? ''}.\n`);
    return 1;
  }
  if (name !== 'create' && rest.some((argument) => argument === '--help' || argument === '-h')) {
    printUsage(program, command, io);
    return USAGE_STATUS;
  }
  try {
    return (await command.run({ ...services, program, io, words: rest })) ?? 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      io.error('Interrupted.\n');
      return INTERRUPTED_STATUS;
    }
    io.error(`Error: ${messageOf(error)}\n`);
    if (error instanceof UsageError) printUsage(program, command, io);
    if (!(error instanceof XendError)) services.xend.log.write('ERROR', `${program} ${name}: ${messageOf(error)}`, 'XendDomain');
    return 1;
  }
}

/** Words that Tab may offer after "xm": names of sub-commands. */
export function subcommandNames(): string[] {
  return COMMANDS.map((command) => command.name);
}
