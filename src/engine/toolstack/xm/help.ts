/** xm help: the short list, the long one by groups, or one command. */
import type { CommandIo } from '../command.ts';
import type { XmCommand } from './xm-command.ts';

const SYNTAX_COLUMNS = 33;

const SHORT = [
  'console',
  'create',
  'destroy',
  'help',
  'list',
  'mem-set',
  'pause',
  'reboot',
  'shutdown',
  'top',
  'unpause',
  'vcpu-set',
];

const GROUPS: readonly (readonly [title: string, names: readonly string[]])[] = [
  [
    'Domain Commands',
    [
      'console',
      'create',
      'destroy',
      'domid',
      'domname',
      'list',
      'mem-max',
      'mem-set',
      'pause',
      'reboot',
      'rename',
      'shutdown',
      'sysrq',
      'top',
      'trigger',
      'unpause',
      'uptime',
      'vcpu-list',
      'vcpu-pin',
      'vcpu-set',
    ],
  ],
  ['Xen Host Commands', ['dmesg', 'info', 'log', 'top']],
];

export function printShortHelp(program: string, commands: readonly XmCommand[], io: CommandIo): void {
  io.out(header(program));
  io.out(`${program} common subcommands:\n`);
  for (const name of SHORT) io.out(line(commands, name));
  io.out('\n<DomName> can be substituted for <DomId> in xm subcommands.\n\n');
  io.out(`For a complete list of subcommands run '${program} help --long'\n`);
}

export function printLongHelp(program: string, commands: readonly XmCommand[], io: CommandIo): void {
  io.out(header(program));
  io.out(`${program} full list of subcommands:\n`);
  for (const [title, names] of GROUPS) {
    io.out(`\n  ${title}:\n`);
    for (const name of names) io.out(line(commands, name));
  }
  io.out('\n<DomName> can be substituted for <DomId> in xm subcommands.\n\n');
  io.out(`For a short list of subcommands run '${program} help'\n`);
}

export function printCommandHelp(command: XmCommand, io: CommandIo): void {
  io.out(describe(command));
}

/** After a wrong call: "Usage: xm pause <DomId>", blank, description. */
export function printUsage(program: string, command: XmCommand, io: CommandIo): void {
  io.out(`\nUsage: ${program} ${command.synopsis.map((part) => part.trim()).join(' ')}\n\n${capitalised(command.description)}.\n`);
}

function header(program: string): string {
  return `Usage: ${program} <subcommand> [args]\n    Control, list and manipulate the domains of this machine\n\n`;
}

function line(commands: readonly XmCommand[], name: string): string {
  const command = commands.find((candidate) => candidate.name === name);
  return command === undefined ? '' : describe(command);
}

function describe({ synopsis, description }: XmCommand): string {
  const lines = synopsis.map((part) => `   ${part}`);
  const last = lines.pop() ?? '';
  if (last.length >= SYNTAX_COLUMNS + 3)
    return [...lines, last, ' '.repeat(SYNTAX_COLUMNS + 3) + description].map((row) => `${row}\n`).join('');
  return [...lines, last.padEnd(SYNTAX_COLUMNS + 3) + description].map((row) => `${row}\n`).join('');
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
