/** What Tab offers: commands in the first place of a command, then sub-commands, domains, store nodes, variables and files. */
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { FileSystemError } from '../../engine/storage/file-system-error.ts';
import { resolvePath } from '../../engine/storage/path.ts';
import type { Completer, Completion } from './line-editor.ts';
import { scan } from './line-syntax.ts';

export interface CompletionSources {
  readonly files: FileSystem;
  directory(): string;
  /** Programs of dom0. */
  programs(): readonly string[];
  subcommands(): readonly string[];
  domainNames(): readonly string[];
  /** Names of the children of a store node. */
  storeChildren(path: string): readonly string[];
}

/** Commands of the shell language that people type; its many others work too. */
const SHELL_COMMANDS =
  'alias awk basename cat cd chmod clear cp cut date diff dirname du echo env exit export expr false file find grep gunzip gzip head history jq ln ls md5sum mkdir mv printenv printf pwd readlink rev rm rmdir sed seq sh sha256sum sleep sort stat tac tail tar tee test time timeout touch tr tree true type uniq unset wc which whoami xargs zcat'.split(
    ' ',
  );

const DOMAIN_COMMANDS = new Set(
  'console destroy domid domname list mem-max mem-set pause reboot rename shutdown sysrq trigger unpause uptime vcpu-list vcpu-pin vcpu-set'.split(
    ' ',
  ),
);
const CONFIGURATIONS = '/etc/xen';

export function makeCompleter(sources: CompletionSources): Completer {
  return async (line, cursor) => {
    const { tokens } = scan(line.slice(0, cursor));
    const last = tokens.at(-1);
    const inWord = last?.kind === 'word' && last.begin + last.text.length === cursor;
    const begin = inWord ? last.begin : cursor;
    const typed = line.slice(begin, cursor);
    const before = inWord ? tokens.slice(0, -1) : tokens;
    const commandAt = before.findLastIndex((token) => token.kind === 'operator' && !/[<>]/.test(token.text));
    const words = before.slice(commandAt + 1).filter((token) => token.kind === 'word' && !/^\w+=/.test(token.text));
    const previous = before.at(-1);
    const redirected = previous?.kind === 'operator' && /[<>]/.test(previous.text);
    const command = words[0]?.text;
    if (command === undefined && !redirected && !typed.includes('/'))
      return choices(begin, typed, [...sources.programs(), ...SHELL_COMMANDS]);
    if ((command === 'xm' || command === 'xl') && !redirected) {
      const subcommand = words.slice(1).find((word) => !word.text.startsWith('-'))?.text;
      if (subcommand === undefined && !typed.startsWith('-')) return choices(begin, typed, sources.subcommands());
      if (subcommand === 'help') return choices(begin, typed, sources.subcommands());
      if (subcommand === 'create') return merge(await files(sources, begin, typed), await configurations(sources, begin, typed));
      if (subcommand !== undefined && DOMAIN_COMMANDS.has(subcommand)) return choices(begin, typed, sources.domainNames());
    }
    if (command?.startsWith('xenstore-') === true && typed.startsWith('/') && !redirected) return storePaths(sources, begin, typed);
    return files(sources, begin, typed);
  };
}

function choices(begin: number, typed: string, names: readonly string[]): Completion {
  const fitting = [...new Set(names)].filter((name) => name.startsWith(typed)).sort();
  return { begin, candidates: fitting.map((name) => ({ insert: `${name} `, show: name })) };
}

function merge(first: Completion, second: Completion): Completion {
  const known = new Set(first.candidates.map((candidate) => candidate.insert));
  return {
    begin: first.begin,
    candidates: [...first.candidates, ...second.candidates.filter((candidate) => !known.has(candidate.insert))],
  };
}

async function configurations(sources: CompletionSources, begin: number, typed: string): Promise<Completion> {
  if (typed.includes('/')) return { begin, candidates: [] };
  const names = (await list(sources.files, CONFIGURATIONS)).filter((entry) => !entry.directory);
  return choices(
    begin,
    typed,
    names.map((entry) => entry.name),
  );
}

async function files(sources: CompletionSources, begin: number, typed: string): Promise<Completion> {
  const written = typed.replaceAll(/\\(.)/g, '$1').replace(/^["']/, '');
  const slash = written.lastIndexOf('/');
  const shownDirectory = written.slice(0, slash + 1);
  const beginning = written.slice(slash + 1);
  const home = shownDirectory.replace(/^~\//, '/root/');
  const entries = await list(sources.files, resolvePath(sources.directory(), home === '' ? '.' : home));
  const fitting = entries.filter(
    (entry) => entry.name.startsWith(beginning) && (beginning.startsWith('.') || !entry.name.startsWith('.')),
  );
  return {
    begin,
    candidates: fitting.map(({ name, directory }) => ({
      insert: `${(shownDirectory + name).replaceAll(/[\s"'\\$`&|;<>()*?[\]#!]/g, '\\$&')}${directory ? '/' : ' '}`,
      show: `${name}${directory ? '/' : ''}`,
    })),
  };
}

async function list(fileSystem: FileSystem, path: string): Promise<{ name: string; directory: boolean }[]> {
  try {
    const entries: { name: string; directory: boolean }[] = [];
    for (const { name, kind } of await fileSystem.readDirectory(path)) {
      const directory = kind === 'directory' || (kind === 'symlink' && (await isDirectory(fileSystem, `${path}/${name}`)));
      entries.push({ name, directory });
    }
    return entries;
  } catch (error) {
    if (error instanceof FileSystemError) return [];
    throw error;
  }
}

async function isDirectory(fileSystem: FileSystem, path: string): Promise<boolean> {
  return (await fileSystem.exists(path)) && (await fileSystem.stat(path)).kind === 'directory';
}

function storePaths(sources: CompletionSources, begin: number, typed: string): Completion {
  const slash = typed.lastIndexOf('/');
  const parent = typed.slice(0, slash) || '/';
  const names = sources.storeChildren(parent).filter((name) => name.startsWith(typed.slice(slash + 1)));
  return {
    begin,
    candidates: [...names].sort().map((name) => {
      const path = `${typed.slice(0, slash + 1)}${name}`;
      return { insert: `${path}${sources.storeChildren(path).length > 0 ? '/' : ' '}`, show: name };
    }),
  };
}
