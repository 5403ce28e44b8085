import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { memoryFiles } from '../../engine/storage/testing/memory-files.ts';
import { decodeUtf8, encodeUtf8 } from '../../engine/storage/utf8.ts';
import type { Command, CommandIo } from '../../engine/toolstack/command.ts';
import { sleep } from '../../engine/toolstack/services.ts';
import { pager } from '../dom0/programs/pager.ts';
import { screenEditor } from '../dom0/programs/screen-editor.ts';
import type { ShellHost, ShellProcess } from './shell-host.ts';
import { ShellSession, openHistory } from './session.ts';
import { ThreadShellProcess } from './shell-process.ts';
import { Terminal } from './terminal.ts';
import { InlineShell } from './testing/inline-shell.ts';
import { startNodeShellThread } from './testing/node-shell-thread.ts';
import { Screen } from './testing/screen.ts';

const PROMPT = 'root@dom0:~# ';
const clock = {
  nowMs: () => Date.now(),
  after: (delayMs: number, callback: () => void) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

let files: FileSystem;
let screen: Screen;
let terminal: Terminal;
let ended: boolean;
let calls: string[][];

const program = (name: string, run: (words: readonly string[], io: CommandIo) => Promise<number>): Command => ({
  name,
  description: name,
  run,
});

const PROGRAMS = [
  program('args', (words, io) => {
    calls.push([...words]);
    io.out(`${words.join('|')}\n`);
    return Promise.resolve(words.includes('fail') ? 3 : 0);
  }),
  program('stdin', (_words, io) => {
    io.out(`<${io.stdin ?? 'none'}> in ${io.directory}${io.terminal === undefined ? '' : ' on a terminal'}\n`);
    return Promise.resolve(0);
  }),
  program('wait', async (_words, io) => {
    io.progress('Waiting ...');
    await sleep(clock, 60_000, io.cancellation);
    return 0;
  }),
  program('draw', (_words, io) => {
    io.progress('Fetching 100 %');
    io.terminal?.write('drawn\r\n');
    return Promise.resolve(0);
  }),
  program('raw', async (_words, io) => {
    for (;;) {
      const keys = await io.terminal?.read();
      if (keys === undefined || keys[0] === 0x1d) return 0;
      io.out(`[${[...keys].join(' ')}]\n`);
    }
  }),
  program('boom', () => Promise.reject(new Error('it broke'))),
];

const spawnInline = (host: ShellHost, programs: readonly string[]): ShellProcess => new InlineShell(host, programs);

const start = async (spawnShell = spawnInline, columns = 80, rows = 24): Promise<void> => {
  screen = new Screen(columns, rows);
  terminal = new Terminal(screen, columns, rows);
  ended = false;
  const programs = new Map([...PROGRAMS, pager(files, 'more'), screenEditor(files, 'edit')].map((entry) => [entry.name, entry]));
  const session = new ShellSession(
    {
      files,
      programs,
      completion: {
        subcommands: () => ['list', 'pause', 'create'],
        domainNames: () => ['Domain-0', 'demo'],
        storeChildren: (path) => (path === '/' ? ['local', 'tool', 'vm'] : path === '/local' ? ['domain'] : []),
      },
      hostName: () => 'dom0',
      spawnShell,
    },
    terminal,
    await openHistory(files),
  );
  void session.run().then(() => {
    ended = true;
  });
  await shows(/# $/);
};

/** Waits until the screen shows it. */
const shows = async (pattern: RegExp | string, timeoutMs = 10_000): Promise<void> => {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const text = screen.lines.join('\n') + (screen.cursor[1] > 0 ? ' ' : '');
    if (typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text)) return;
    if (Date.now() > deadline) throw new Error(`the screen does not show ${String(pattern)}:\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

const type = (text: string): void => terminal.input(encodeUtf8(text));

/** Types a line and waits for the next prompt; the lines in between. */
const run = async (line: string): Promise<string[]> => {
  const before = screen.raw.length;
  type(`${line}\r`);
  const deadline = Date.now() + 20_000;
  for (;;) {
    const shown = screen.raw.slice(before);
    const at = shown.lastIndexOf('root@dom0:');
    if (
      at > 0 &&
      shown.indexOf('\r\n') >= 0 &&
      shown.indexOf('\r\n') < at &&
      /# $/.test(shown.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, ''))
    ) {
      const output = shown.slice(shown.indexOf('\r\n') + 2, at);
      return output
        .replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
        .split(/\r?\n/)
        .map((row) => row.replaceAll('\r', ''))
        .filter((row, index, all) => index < all.length - 1 || row !== '');
    }
    if (Date.now() > deadline) throw new Error(`no prompt after ${line}:\n${screen.text}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

beforeEach(async () => {
  calls = [];
  ({ files } = await memoryFiles({ now: () => 0 }));
  for (const path of ['/root', '/etc/xen', '/tmp']) await files.makeDirectory(path, { recursive: true });
  await files.writeFile('/etc/xen/demo', encodeUtf8('memory = 64\nvcpus = 1\n'));
  await start();
});

afterEach(() => terminal.close());

describe('the shell language', { timeout: 30_000 }, () => {
  it('runs lines with pipes, redirection and loops on the files of dom0', async () => {
    expect(await run('cat /etc/xen/demo | grep vcpus')).toEqual(['vcpus = 1']);
    expect(await run('for i in 1 2 3; do echo line $i; done > /root/out')).toEqual([]);
    expect(decodeUtf8(await files.readFile('/root/out'))).toBe('line 1\nline 2\nline 3\n');
    expect(await run('tail -n 1 out; ls')).toEqual(['line 3', 'out']);
    expect(await run('mkdir -p a/b && cp out a/b && mv a/b/out a/c && rm -r a/b; ls a; head -1 a/c')).toEqual(['c', 'line 1']);
    expect(await run('echo x > /dev/nowhere')).not.toEqual([]);
  });

  it('keeps directory, variables, aliases, functions and the status from line to line', async () => {
    await run('cd /etc/xen');
    await shows('root@dom0:/etc/xen#');
    await run('A=5; export B=six');
    await run('alias greet="echo hello"');
    await run('f() { echo "f: $1 $A"; }');
    expect(await run('pwd; echo $A $B; greet you; f x')).toEqual(['/etc/xen', '5 six', 'hello you', 'f: x 5']);
    await run('unset -f f; unset A');
    await run('unset -f f');
    expect(await run('f; echo "[$A]"')).toEqual(['[]', 'bash: f: command not found']);
    expect(await run('false')).toEqual([]);
    expect(await run('echo $?')).toEqual(['1']);
    expect(await run('args fail')).toEqual(['fail']);
    expect(await run('echo $?')).toEqual(['3']);
  });

  it('goes on over several lines', async () => {
    type('for i in a b\r');
    await shows(/> $/);
    type('do\r');
    await shows(/> {1,2}do\n> $/);
    expect(await run('echo $i; done')).toEqual(['a', 'b']);
    type('cat <<E\r');
    await shows(/> $/);
    type("it's $HOME\r");
    await shows(/HOME\n> $/);
    expect(await run('E')).toEqual(["it's /root"]);
    type('echo "abc\r');
    await shows(/> $/);
    type('\x03');
    await shows(/\^C\n.*# $/);
    expect(await run('echo next')).toEqual(['next']);
  });

  it('tells of faults', async () => {
    expect(await run('nosuch')).toEqual(['bash: nosuch: command not found']);
    expect((await run('if; fi'))[0]).toMatch(/syntax error/);
    expect(await run('cat nofile')).toEqual(['cat: nofile: No such file or directory']);
    expect(await run('!nothing')).toEqual(['bash: !nothing: event not found']);
  });

  it('stays usable when somebody makes /usr/bin', async () => {
    await run('mkdir -p /usr/bin /bin');
    expect(await run('echo fine; args 1 | cat')).toEqual(['fine', '1']);
    expect(await run('args /{etc,root}/x')).toEqual(['/etc/x|/root/x']);
  });

  it("keeps its own commands beside a guest's programs, and says that it cannot run those", async () => {
    const elf = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, ...encodeUtf8('\necho run\nneedle\n$(echo run)'));
    for (const path of ['/bin', '/sbin']) await files.makeDirectory(path);
    for (const path of ['/bin/busybox', '/sbin/args', "/root/it's"]) await files.writeFile(path, elf, 0o755);
    for (const name of ['ping', 'ls', 'args']) await files.symlink('busybox', `/bin/${name}`);
    const cannot = 'cannot execute binary file: Exec format error';
    expect(await run('ping x')).toEqual([`bash: /bin/ping: ${cannot}`]);
    expect(await run('echo $?')).toEqual(['126']);
    expect(await run("/bin/busybox ls | cat; ./it\\'s")).toEqual([`bash: /bin/busybox: ${cannot}`, `bash: /root/it's: ${cannot}`]);
    expect(await run('ls -d /bin | cat; /bin/ls -d /bin | cat')).toEqual(['/bin', '/bin']);
    expect(await run('args 1 | cat; /sbin/args 2 3 | cat; /usr/sbin/args 4 | cat')).toEqual(['1', '2|3', '4']);
    expect(await run('grep -c needle /bin/busybox')).toEqual(['1']);
    await files.writeFile('/sbin/mine', encodeUtf8('#!/bin/sh\necho mine $1\n'), 0o755);
    expect(await run('mine 5; /sbin/mine 6')).toEqual(['mine 5', 'mine 6']);
  });
});

describe('programs of dom0', { timeout: 30_000 }, () => {
  it('are run by the session when they stand alone, with words expanded', async () => {
    await run('X="two words"');
    await run('args "$X" $HOME plain \'*\' /etc/x*/demo $(echo sub) {a,b}');
    expect(calls).toEqual([['two words', '/root', 'plain', '*', '/etc/xen/demo', 'sub', 'a', 'b']]);
    expect(await run('stdin')).toEqual(['<none> in /root on a terminal']);
    expect(await run('args 1 && args fail || args 2; args 3')).toEqual(['1', 'fail', '2', '3']);
    expect(await run('boom; echo $?')).toEqual(['boom: it broke', '1']);
  });

  it('take part in pipes and redirections', async () => {
    expect(await run('echo hé | stdin; args x | tr x y')).toEqual(['<hé', '> in /root', 'y']);
    await run('args to file > f; stdin < f > g');
    expect(await run('cat f g')).toEqual(['to|file', '<to|file', '> in /root']);
    expect(await run('for i in 1 2; do args $i; done')).toEqual(['1', '2']);
  });

  it('are called off by ^C', async () => {
    type('wait\r');
    await shows('Waiting ...');
    type('typed ahead and lost\x03');
    await shows(/\^C\n.*# $/);
    expect(await run('echo $?')).toEqual(['130']);
    type('echo begin; wait; echo never\r');
    await new Promise((resolve) => setTimeout(resolve, 50));
    type('\x03');
    expect((await run('echo after')).at(-1)).toBe('after');
    expect(screen.text).not.toContain('\nnever');
  });

  it('own the terminal as soon as they read it', async () => {
    type('raw\r');
    await new Promise((resolve) => setTimeout(resolve, 20));
    type('a\x03');
    await shows('[97 3]');
    type('\x1d');
    expect(await run('echo back')).toEqual(['back']);
  });

  it('wipe their progress before they print or draw', async () => {
    await run('draw');
    expect(screen.lines.slice(-2)).toEqual(['drawn', PROMPT.trimEnd()]);
  });

  it('leave keys typed after them to the shell', async () => {
    type('raw\r');
    await new Promise((resolve) => setTimeout(resolve, 20));
    type('\x1d');
    await shows(/raw\n.*# $/);
    type('echo first');
    expect(await run(' key')).toEqual(['first key']);
  });
});

describe('leaving', { timeout: 30_000 }, () => {
  it('by exit or ^D', async () => {
    type('exit\r');
    await shows('logout');
    expect(ended).toBe(true);
    await start();
    type('\x04');
    await shows('logout');
    expect(ended).toBe(true);
  });

  it('finds the history again', async () => {
    await run('echo one');
    await run('for i in 1\ndo echo $i; done');
    await start();
    expect((await run('history')).map((line) => line.trim())).toEqual([
      '1  echo one',
      '2  for i in 1',
      'do echo $i; done',
      '3  history',
    ]);
    expect(await run('!echo')).toEqual(['echo one', 'one']);
  });
});

describe('completion', { timeout: 30_000 }, () => {
  const rows: [typed: string, completed: string][] = [
    ['arg\t', 'args '],
    ['mkd\t', 'mkdir '],
    ['xm cr\t', 'xm create '],
    ['xm create de\t', 'xm create demo '],
    ['xm pause de\t', 'xm pause demo '],
    ['xm help pa\t', 'xm help pause '],
    ['cat /etc/xe\t', 'cat /etc/xen/'],
    ['cat /etc/xen/d\t', 'cat /etc/xen/demo '],
    ['echo a; arg\t', 'echo a; args '],
    ['xenstore-ls /lo\t', 'xenstore-ls /local/'],
    ['args > /etc/xen/d\t', 'args > /etc/xen/demo '],
    ['cat "/root/with bl\t', 'cat /root/with\\ blank '],
  ];
  it.each(rows)('%j', async (typed, completed) => {
    await files.writeFile('/root/with blank', new Uint8Array());
    type(typed);
    await shows(`${PROMPT}${completed.trimEnd()}`);
    expect(screen.cursor[1]).toBe(PROMPT.length + completed.length);
  });
});

describe('more', { timeout: 30_000 }, () => {
  beforeEach(async () => {
    await start(spawnInline, 40, 6);
    await files.writeFile('/root/long', encodeUtf8(Array.from({ length: 20 }, (_, n) => `line ${n + 1}\n`).join('')));
  });

  it('shows a file screen by screen', async () => {
    type('more long\r');
    await shows(/^line 1\nline 2\nline 3\nline 4\nline 5\n--More--\(25%\)/);
    type(' ');
    await shows(/^line 6\n[^]*line 10\n--More--\(50%\)/);
    type('\r');
    await shows(/^line 7\n/);
    type('b');
    await shows(/^line 2\n/);
    type('/18\r');
    await shows(/^line 16\n/);
    type('g');
    await shows(/^line 1\n/);
    type('q');
    await shows(/# $/);
    expect(screen.text).not.toContain('line 1');
  });

  it('shows what is piped in, and short text without ceremony', async () => {
    type('cat long | grep 1 | more\r');
    await shows(/^line 1\nline 10\nline 11/);
    type('   ');
    await shows(/# $/);
    expect(await run('echo short | more')).toEqual(['short']);
    expect(await run('more nofile')).toEqual(['more: cannot open nofile: No such file or directory']);
    expect((await run('more long | cat')).length).toBe(20);
  });
});

describe('edit', { timeout: 30_000 }, () => {
  it('changes a file', async () => {
    type('edit /etc/xen/demo\r');
    await shows('/etc/xen/demo');
    await shows('^X leave');
    type('\x1b[B\x05');
    type('2\rextra = "x"');
    type('\x1b[A\x01# ');
    await shows('(changed)');
    type('\x0f');
    await shows('File to write: /etc/xen/demo');
    type('\r');
    await shows('Wrote 3 lines');
    type('\x18');
    await shows(/# $/);
    expect(decodeUtf8(await files.readFile('/etc/xen/demo'))).toBe('memory = 64\n# vcpus = 12\nextra = "x"\n');
  });

  it('asks before it throws changes away', async () => {
    type('edit new\r');
    await shows('New file');
    type('text\x18');
    await shows('Save the changes?');
    type('\x03');
    type(' more\x18');
    await shows('Save the changes?');
    type('y');
    await shows('File to write: /root/new');
    type('\r');
    await shows(/# $/);
    expect(decodeUtf8(await files.readFile('/root/new'))).toBe('text more\n');
    type('edit new\r');
    await shows('Read 1 lines');
    type('x\x18');
    await shows('Save the changes?');
    type('n');
    await shows(/# $/);
    expect(decodeUtf8(await files.readFile('/root/new'))).toBe('text more\n');
  });

  it('cuts, pastes, finds and goes to lines', async () => {
    await files.writeFile('/root/t', encodeUtf8('one\ntwo\nthree\nfour\n'));
    type('edit t\r');
    await shows('four');
    type('\x0b\x0b\x1b[B\x1b[B\x15');
    type('\x17thr');
    await shows('Search: thr');
    type('\r!');
    type('\x1f2\r?');
    type('\x0f\r\x18');
    await shows(/# $/);
    expect(decodeUtf8(await files.readFile('/root/t'))).toBe('!three\n?one\ntwo\nfour\n');
  });

  it('refuses what is no text', async () => {
    await files.writeFile('/root/binary', new Uint8Array([1, 0, 2]));
    expect(await run('edit binary')).toEqual(['edit: binary: holds binary data']);
    expect(await run('edit /etc')).toEqual(['edit: /etc: Is a directory']);
    expect(await run('edit x | cat')).toEqual(['edit: an editor needs a terminal']);
  });
});

describe('in a thread of its own', { timeout: 60_000 }, () => {
  it('runs, calls back, and is ended by ^C in an endless loop', async () => {
    terminal.close();
    await start((host, programs) => new ThreadShellProcess(startNodeShellThread(), host, programs));
    expect(await run('args from thread | tr a-z A-Z')).toEqual(['FROM|THREAD']);
    await run('KEPT=yes');
    type('while true; do :; done\r');
    await new Promise((resolve) => setTimeout(resolve, 300));
    type('\x03');
    await shows(/\^C\n.*# $/);
    expect(await run('echo $? $KEPT')).toEqual(['130 yes']);
  });
});
