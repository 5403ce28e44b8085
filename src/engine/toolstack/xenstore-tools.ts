/** The xenstore-* programs of domain 0. Paths without a leading slash are below /local/domain/0. */
import type { StoreClient } from '../xenstore/client.ts';
import { formatTree } from '../xenstore/format.ts';
import { formatPermissions, parsePermissions } from '../xenstore/permissions.ts';
import type { Command, CommandIo } from './command.ts';
import type { OptionSpecification, ParsedOptions } from './getopt.ts';
import { UsageError, parseOptions } from './getopt.ts';
import type { Clock } from './services.ts';
import { Interrupted } from './services.ts';
import { XendError, messageOf } from './xend-error.ts';

interface Tool {
  readonly name: string;
  readonly description: string;
  readonly usage: string;
  readonly options: readonly OptionSpecification[];
  /** Operands at least. */
  readonly least: number;
  run(store: StoreClient, parsed: ParsedOptions, io: CommandIo): Promise<void> | void;
}

const PREFIX: OptionSpecification = { name: 'prefix', spellings: ['-p'] };

/** Reads of one node that must be there. */
function existing<T>(value: T | undefined, doing: string, path: string): T {
  if (value === undefined) throw new XendError(`couldn't ${doing} path ${path}`);
  return value;
}

const join = (parent: string, name: string): string => (parent === '/' ? `/${name}` : `${parent}/${name}`);

const ls: Tool = {
  name: 'xenstore-ls',
  description: 'print the store as a tree',
  usage: '[-f] [-p] [PATH]',
  options: [{ name: 'full', spellings: ['-f'] }, PREFIX, { name: 'socket', spellings: ['-s'] }],
  least: 0,
  run(store, parsed, io) {
    const path = parsed.operands[0] ?? '/';
    const columns = io.terminal?.columns;
    const text = formatTree(store, path, {
      fullPaths: parsed.has('full'),
      permissions: parsed.has('prefix'),
      ...(columns === undefined ? {} : { columns }),
    });
    io.out(existing(text, 'access', path));
  },
};

const list: Tool = {
  name: 'xenstore-list',
  description: 'print the names below nodes of the store',
  usage: '[-p] PATH...',
  options: [PREFIX],
  least: 1,
  run(store, parsed, io) {
    for (const path of parsed.operands)
      for (const name of existing(store.list(path), 'list', path)) io.out(`${parsed.has('prefix') ? join(path, name) : name}\n`);
  },
};

const read: Tool = {
  name: 'xenstore-read',
  description: 'print values of nodes of the store',
  usage: '[-p] PATH...',
  options: [PREFIX],
  least: 1,
  run(store, parsed, io) {
    for (const path of parsed.operands) {
      const value = existing(store.read(path), 'read', path);
      io.out(`${parsed.has('prefix') ? `${path}: ` : ''}${value}\n`);
    }
  },
};

const write: Tool = {
  name: 'xenstore-write',
  description: 'set values of nodes of the store',
  usage: 'PATH VALUE [PATH VALUE...]',
  options: [],
  least: 2,
  run(store, parsed) {
    if (parsed.operands.length % 2 !== 0) throw new UsageError('each PATH needs a VALUE');
    store.transaction((access) => {
      for (let at = 0; at < parsed.operands.length; at += 2) access.write(parsed.operands[at] ?? '', parsed.operands[at + 1] ?? '');
    });
  },
};

const remove: Tool = {
  name: 'xenstore-rm',
  description: 'remove nodes of the store with all below them',
  usage: '[-t] PATH...',
  options: [{ name: 'tidy', spellings: ['-t'] }],
  least: 1,
  run(store, parsed) {
    store.transaction((access) => {
      for (const path of parsed.operands) {
        if (!access.remove(path)) throw new XendError(`could not remove path ${path}`);
        if (!parsed.has('tidy')) continue;
        for (let parent = path.slice(0, path.lastIndexOf('/')); parent !== ''; parent = parent.slice(0, parent.lastIndexOf('/'))) {
          if (access.read(parent) !== '' || access.list(parent)?.length !== 0) break;
          access.remove(parent);
        }
      }
    });
  },
};

const exists: Tool = {
  name: 'xenstore-exists',
  description: 'tell by the exit status whether nodes of the store exist',
  usage: 'PATH...',
  options: [],
  least: 1,
  run(store, parsed) {
    if (!parsed.operands.every((path) => store.exists(path))) throw new Missing();
  },
};

const chmod: Tool = {
  name: 'xenstore-chmod',
  description: 'set who may read and write nodes of the store',
  usage: '[-u] [-r] PATH MODE...',
  options: [
    { name: 'up', spellings: ['-u'] },
    { name: 'recursive', spellings: ['-r'] },
  ],
  least: 2,
  run(store, parsed) {
    const [path = '', ...modes] = parsed.operands;
    const permissions = parsePermissions(modes);
    store.transaction((access) => {
      const apply = (at: string): void => {
        existing(access.getPermissions(at), 'access', at);
        access.setPermissions(at, permissions);
        if (parsed.has('recursive')) for (const name of access.list(at) ?? []) apply(join(at, name));
      };
      apply(path);
      if (!parsed.has('up')) return;
      for (let at = path.slice(0, path.lastIndexOf('/')); at !== ''; at = at.slice(0, at.lastIndexOf('/')))
        access.setPermissions(at, permissions);
    });
  },
};

const permissions: Tool = {
  name: 'xenstore-getperms',
  description: 'print who may read and write nodes of the store',
  usage: 'PATH...',
  options: [],
  least: 1,
  run(store, parsed, io) {
    for (const path of parsed.operands) io.out(`${formatPermissions(existing(store.getPermissions(path), 'access', path))}\n`);
  },
};

let watchNumber = 0;

/** Prints the path of each change; ends after -n changes, after -T seconds, or when called off. */
function watchTool(clock: Clock): Tool {
  return {
    name: 'xenstore-watch',
    description: 'print changes of the store as they happen',
    usage: '[-n COUNT] [-T SECONDS] PATH...',
    options: [
      { name: 'count', spellings: ['-n'], takesValue: true },
      { name: 'time', spellings: ['-T'], takesValue: true },
    ],
    least: 1,
    run(store, parsed, io) {
      const count = limit(parsed.value('count'));
      const seconds = limit(parsed.value('time'));
      const token = `xenstore-watch-${++watchNumber}`;
      const watched: string[] = [];
      let stop: () => void = () => undefined;
      return new Promise<void>((resolve, reject) => {
        let seen = 0;
        const stopTimer = Number.isFinite(seconds)
          ? clock.after(seconds * 1000, () => reject(new XendError('Timeout')))
          : () => undefined;
        const forget = io.cancellation.onCancel(() => reject(new Interrupted()));
        stop = () => {
          stopTimer();
          forget();
        };
        for (const path of parsed.operands) {
          store.watch(path, token, (changed) => {
            if (seen >= count) return;
            io.out(`${changed}\n`);
            if (++seen >= count) resolve();
          });
          watched.push(path);
        }
      }).finally(() => {
        stop();
        for (const path of watched) store.unwatch(path, token);
      });
    },
  };
}

function limit(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`invalid number: ${text}`);
  return Number(text);
}

/** Nothing to say but the status. */
class Missing extends Error {}

/** `store`: a connection for these programs alone. */
export function xenstoreTools(store: StoreClient, clock: Clock): Command[] {
  return [ls, list, read, write, remove, exists, chmod, permissions, watchTool(clock)].map((tool) => ({
    name: tool.name,
    description: tool.description,
    run: async (words, io) => {
      try {
        const parsed = parseOptions(words, tool.options);
        if (parsed.operands.length < tool.least)
          throw new UsageError(parsed.operands.length === 0 ? 'a path is missing' : 'a value is missing');
        await tool.run(store, parsed, io);
        return 0;
      } catch (error) {
        if (error instanceof Interrupted) throw error;
        if (error instanceof Missing) return 1;
        io.error(`${tool.name}: ${messageOf(error)}\n`);
        if (error instanceof UsageError) io.error(`Usage: ${tool.name} ${tool.usage}\n`);
        return 1;
      }
    },
  }));
}
