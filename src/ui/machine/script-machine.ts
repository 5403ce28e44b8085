/** The script API over the dom0 worker. */
import type { Dom0 } from '../../workers/protocol.ts';
import type { GuestConsole, XenMachine } from './script-api.ts';
import { importMachine } from './import-machine.ts';
import { called, observerOf, sourceOf, streamFrom } from './transfers.ts';

/** Lines of the console shown in a rejection. */
const LINES_SHOWN = 15;
const DEFAULT_TIMEOUT_MS = 60_000;

/** @param machine resolves when domain 0 takes commands; everything waits for it */
export function createScriptMachine(machine: Promise<Dom0>): XenMachine {
  const ready = machine.then(() => undefined);
  // Nobody need be waiting: the page says what went wrong.
  ready.catch(() => undefined);
  return {
    ready,
    exec: async (command, options) => (await machine).exec(command, options),
    console: (domain) => guestConsole(machine, domain),
    readFile: async (path) => (await machine).readFile(path),
    async writeFile(path, data) {
      await (await machine).writeFile(path, typeof data === 'string' ? new TextEncoder().encode(data) : data);
    },
    importDisk: async (name, source, options = {}) => {
      const dom0 = await machine;
      const { input, over } = sourceOf(source);
      return called(options.signal, () => dom0.importDisk(name, input, options.format, observerOf(options))).finally(over);
    },
    exportDisk: async (name, { compress, format = 'raw', ...options } = {}) => {
      const dom0 = await machine;
      return streamFrom((sink, observer) => dom0.exportDisk(name, format, compress, sink, observer), options);
    },
    exportMachine: async (options = {}) => {
      const dom0 = await machine;
      return streamFrom((sink, observer) => dom0.exportMachine(sink, observer), options);
    },
    importMachine: async (name, archive, options) => importMachine(await machine, name, archive, options),
    counters: async (domain) => (await machine).counters(domain),
    profile: async (domain) => (await machine).profile(domain),
  };
}

function guestConsole(machine: Promise<Dom0>, domain: string | number): GuestConsole {
  return {
    text: async () => (await machine).consoleText(domain),
    async send(text) {
      await (await machine).consoleInput(domain, new TextEncoder().encode(text));
    },
    waitFor: async (pattern, timeoutMs = DEFAULT_TIMEOUT_MS) => waitFor(await machine, domain, pattern, timeoutMs),
  };
}

function waitFor(dom0: Dom0, domain: string | number, pattern: string | RegExp, timeoutMs: number): Promise<string> {
  const matcher = createMatcher(pattern);
  const decoder = new TextDecoder();
  return new Promise((resolve, reject) => {
    let handle: number | undefined;
    let over = false;
    const finish = (conclude: () => void): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      if (handle !== undefined) void dom0.closeTerminal(handle);
      conclude();
    };
    const fail = (reason: string): void => {
      finish(() => {
        reject(
          new Error(`console of ${domain}: ${reason} while waiting for ${String(pattern)}; last lines:\n${matcher.lastLines()}`),
        );
      });
    };
    const timer = setTimeout(() => {
      fail(`${timeoutMs} ms went by`);
    }, timeoutMs);
    const sink = {
      write: (bytes: Uint8Array) => {
        const found = matcher.add(decoder.decode(bytes, { stream: true }));
        if (found !== undefined) {
          finish(() => {
            resolve(found);
          });
        }
      },
      ended: (reason: string) => {
        fail(reason);
      },
    };
    dom0.openConsole(domain, sink).then(
      (opened) => {
        handle = opened;
        if (over) void dom0.closeTerminal(opened);
      },
      (error: unknown) => {
        finish(() => {
          reject(error instanceof Error ? error : new Error(String(error)));
        });
      },
    );
  });
}

interface Matcher {
  /** Takes more text; gives what matched, if the pattern occurs by now. */
  add(text: string): string | undefined;
  lastLines(): string;
}

/** Exported for tests. */
export function createMatcher(pattern: string | RegExp): Matcher {
  let seen = '';
  // The pattern is the caller's: its own lastIndex must not move, so a copy without g and y is used.
  const expression = typeof pattern === 'string' ? undefined : new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  return {
    add(text) {
      const before = seen.length;
      seen += text;
      if (expression !== undefined) return expression.exec(seen)?.[0];
      const wanted = pattern as string;
      // A match may begin in what came before.
      return seen.indexOf(wanted, Math.max(0, before - wanted.length)) >= 0 ? wanted : undefined;
    },
    lastLines: () => seen.split('\n').slice(-LINES_SHOWN).join('\n'),
  };
}
