import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GuestConsole } from '../../engine/devices/console/testing/guest-console.ts';
import type { BootFiles } from '../../engine/storage/boot-files.ts';
import { codecModule } from '../../engine/codec/testing/codec-module.ts';
import { MemoryChunkStore } from '../../engine/storage/memory-chunk-store.ts';
import { SimulatedHypervisor } from '../../engine/toolstack/testing/simulated-hypervisor.ts';
import type { Progress, TerminalSink } from '../protocol.ts';
import { imageCodecs } from '../decoders.ts';
import { DisposableEvaluator } from '../python/disposable-evaluator.ts';
import { spawnNodeScriptWorker } from '../python/testing/node-script-worker.ts';
import { ThreadShellProcess } from '../shell/shell-process.ts';
import { InlineShell } from '../shell/testing/inline-shell.ts';
import { startNodeShellThread } from '../shell/testing/node-shell-thread.ts';
import { Screen } from '../shell/testing/screen.ts';
import { Dom0Service } from './dom0-service.ts';
import type { Dom0Platform, EarlierFiles } from './dom0-system.ts';

const clock = {
  nowMs: () => Date.now(),
  after: (delayMs: number, callback: () => void) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

const KERNEL = new TextEncoder().encode('KERNEL of the site');
const site: BootFiles = {
  files: [
    { name: 'vmlinuz-6.1.0-9-cloud-amd64', sizeBytes: KERNEL.length, aliases: ['vmlinuz-cloud'] },
    { name: 'initrd.img-6.1.0-9-cloud-amd64', sizeBytes: 100, aliases: ['initrd.img-cloud'] },
    { name: 'broken', sizeBytes: 5, aliases: [] },
  ],
  fetch: (name, onProgress) => {
    if (name === 'broken') return Promise.reject(new Error('the site answered 500 for broken'));
    onProgress(50, 100);
    onProgress(100, 100);
    return Promise.resolve(name.startsWith('vmlinuz') ? KERNEL : new Uint8Array(100));
  },
};

const DISKLESS =
  'kernel = "/boot/vmlinuz-cloud"\nramdisk = "/boot/initrd.img-cloud"\nmemory = 256\nname = "demo"\nextra = "console=hvc0 earlyprintk=xen"\n';

let hypervisor: SimulatedHypervisor;
let consoles: Map<number, GuestConsole>;
let progress: Progress[];
let messages: ((text: string) => void)[];

const platform = (): Dom0Platform => ({
  createMachine: () =>
    Promise.resolve({
      control: hypervisor,
      mapRing: (domid, mfn) => {
        if (mfn < 2000) return new GuestConsole().ring;
        const guest = new GuestConsole();
        consoles.set(domid, guest);
        return guest.ring;
      },
      guest: () => undefined,
      profile: () => ({ samples: [[0x401000, 1, 2, 3, 4]], regions: [], exits: [], pauses: [] }),
      counters: (domid) => [
        {
          vcpu: 0,
          instructionsInterpreted: domid,
          instructionsTranslated: 0,
          instructionsHandled: 0,
          exits: {},
          tlbMisses: 0,
          runningNs: 0,
        },
      ],
      onMessage: (listener) => {
        messages.push(listener);
        return () => (messages = messages.filter((candidate) => candidate !== listener));
      },
      log: (line) => {
        hypervisor.messages += `${line}\n`;
        for (const listener of messages) listener(`${line}\n`);
      },
      entropy: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
    }),
  clock,
  codecs: imageCodecs(codecModule),
  earlierFiles: () => Promise.resolve(earlier),
  chunkStore: ({ machine }) => Promise.resolve(machine === 'webxen' ? chunks : (others.get(machine) ?? addOther(machine))),
  removeChunkStore: ({ machine }) => Promise.resolve(void others.delete(machine)),
  estimate: () => Promise.resolve({ usage: 1024 * 1024, quota: 64 * 1024 * 1024, persisted: true }),
  random: (bytes) => bytes.fill(1),
  baseImages: () => Promise.resolve([]),
  bootFiles: () => Promise.resolve(site),
  scripts: () => new DisposableEvaluator({ spawn: spawnNodeScriptWorker, wasmUrl: undefined, clock, limitMs: 3000 }),
  spawnShell: (host, programs) => new InlineShell(host, programs),
  schedule: (task) => setImmediate(task),
});

class Collector implements TerminalSink {
  text = '';
  reason: string | undefined;
  write(bytes: Uint8Array): void {
    this.text += new TextDecoder().decode(bytes);
  }
  ended(reason: string): void {
    this.reason = reason;
  }
}

const until = async (condition: () => boolean, what = 'condition'): Promise<void> => {
  for (let waited = 0; !condition(); waited += 2) {
    if (waited > 10_000) throw new Error(`${what} did not come true`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

let dom0: Dom0Service;
let earlier: EarlierFiles | undefined;
let chunks: MemoryChunkStore;
/** Stores of other machines, by their names. */
let others: Map<string, MemoryChunkStore>;

function addOther(machine: string): MemoryChunkStore {
  const store = new MemoryChunkStore();
  others.set(machine, store);
  return store;
}

const boot = async (): Promise<void> => {
  dom0 = new Dom0Service(platform());
  await dom0.boot({ storage: { machine: 'webxen', kind: 'memory' } }, (step) => progress.push(step));
};

beforeEach(async () => {
  hypervisor = new SimulatedHypervisor();
  consoles = new Map();
  progress = [];
  messages = [];
  earlier = undefined;
  chunks = new MemoryChunkStore();
  others = new Map();
  await boot();
  // The simulated hypervisor's guests take no disks.
  await write('/etc/xen/demo', DISKLESS);
});

describe('volumes', () => {
  it('are made, cloned, resized, listed, kept over a restart, and removed', async () => {
    const answer = async (command: string): Promise<string> => {
      const { stdout, stderr } = await exec(command);
      return stdout + stderr;
    };
    expect(await answer('lvcreate -L4096M -n myvmdisk1 vg')).toBe('  Volume group "vg" not found\n');
    expect(await answer('pvcreate /dev/sda10')).toBe('  Physical volume "/dev/sda10" successfully created\n');
    expect(await answer('vgcreate vg /dev/sda10')).toBe('  Volume group "vg" successfully created\n');
    expect(await answer('lvcreate -L4096M -n myvmdisk1 vg')).toBe('  Logical volume "myvmdisk1" created\n');
    expect(await answer('lvcreate -s -L1024M -n myclonedisk1 /dev/vg/myvmdisk1')).toBe('  Logical volume "myclonedisk1" created\n');
    expect(await answer('lvextend +100M /dev/vg/myclonedisk1')).toBe(
      '  Extending logical volume myclonedisk1 to 1.10 GB\n  Logical volume myclonedisk1 successfully resized\n',
    );
    expect(await answer('lvcreate -L1M -n myvmdisk1 vg')).toContain('"myvmdisk1" already exists in volume group "vg"');
    expect(await answer('lvextend -L 1M vg/myvmdisk1')).toContain('(1 extents) not larger than existing size (1024 extents)');
    expect(await answer('lvremove vg/nope')).toContain('Failed to find logical volume "vg/nope"');
    await boot();
    expect((await exec('lvs')).stdout.split('\n').slice(1, 3)).toEqual([
      expect.stringMatching(/^ {2}myclonedisk1 vg swi-a- 1\.10G myvmdisk1 0\.00 /),
      expect.stringMatching(/^ {2}myvmdisk1 {4}vg owi-a- 4\.00G /),
    ]);
    expect(await answer('lvremove -f vg/myvmdisk1 /dev/vg/myclonedisk1')).toContain('"myclonedisk1" successfully removed');
    expect(await answer('lvs')).toBe('');
  });
});

const exec = (command: string, options: { stdin?: string; timeoutMs?: number } = {}) => dom0.exec(command, options);
const write = (path: string, text: string): Promise<void> => dom0.writeFile(path, new TextEncoder().encode(text));

describe('starting', () => {
  it('happens once, and nothing works before', async () => {
    await expect(dom0.boot({ storage: { machine: 'webxen', kind: 'memory' } }, () => undefined)).rejects.toThrow(
      'has been started already',
    );
    await expect(new Dom0Service(platform()).exec('xm list')).rejects.toThrow('has not been started');
    expect(progress.filter((step) => step.fraction === 1).map((step) => step.task)).toEqual(
      expect.arrayContaining(['Starting the hypervisor', 'Reading the files of domain 0']),
    );
  });

  it('plants files of its own and shows the kernels of the site', async () => {
    expect((await exec('ls /etc/xen')).stdout).toBe('auto\ndemo\nxmexample1\nxmexample2\n');
    expect((await exec('ls /boot')).stdout).toBe(
      'broken\ninitrd.img-6.1.0-9-cloud-amd64\ninitrd.img-cloud\nvmlinuz-6.1.0-9-cloud-amd64\nvmlinuz-cloud\n',
    );
    expect((await exec('readlink /boot/vmlinuz-cloud')).stdout).toBe('vmlinuz-6.1.0-9-cloud-amd64\n');
    expect((await exec('uname -a; hostname; cat /proc/xen/capabilities; whoami; id')).stdout).toBe(
      'webxen dom0 0.1.0-xen0 #1 SMP x86_64 webxen\ndom0\ncontrol_d\nroot\nuid=0(root) gid=0(root) groups=0(root)\n',
    );
    expect((await exec('dmesg')).stdout).toMatch(/^\[ +\d+\.\d{6}\] files: memory, new\n/);
    expect((await exec('uptime')).stdout).toMatch(/^ \d\d:\d\d:\d\d up 0 min, {2}1 user\n$/);
  });

  it('finds the files of the last visit again', async () => {
    await exec('hostname lab; rm /etc/xen/xmexample1; echo mine > /root/note');
    await write('relative', 'x');
    await boot();
    expect((await exec('cat note relative; hostname; ls /etc/xen')).stdout).toBe('mine\nxlab\nauto\ndemo\nxmexample2\n');
    expect(new TextDecoder().decode(await dom0.readFile('/root/note'))).toBe('mine\n');
    await expect(dom0.readFile('/nofile')).rejects.toThrow('ENOENT');
  });

  it('brings the files of an earlier version along, once', async () => {
    chunks = new MemoryChunkStore();
    let removed = 0;
    earlier = {
      inodes: [
        {
          number: 1,
          kind: 'directory',
          mode: 0o755,
          mtimeMs: 1,
          entries: [
            ['root', 2],
            ['to', 4],
          ],
        },
        { number: 2, kind: 'directory', mode: 0o700, mtimeMs: 1, entries: [['large', 3]] },
        { number: 3, kind: 'file', mode: 0o640, mtimeMs: 86_400_000, bytes: new Uint8Array(300_000).fill(0x41) },
        { number: 4, kind: 'symlink', mode: 0o777, mtimeMs: 1, target: 'root/large' },
      ],
      remove: () => {
        removed += 1;
        return Promise.resolve();
      },
    };
    await boot();
    const look = async (): Promise<string> => (await exec('ls -l /root/large; tail -c 3 /to; ls -d /root /etc/xen')).stdout;
    const before = await look();
    expect(before).toContain('-rw-r----- 1 root root 300000 Jan  2  1970 /root/large\nAAA');
    expect(removed).toBe(1);
    earlier = undefined;
    await boot();
    expect(await look()).toBe(before);
  });
});

describe('guests', { timeout: 60_000 }, () => {
  it('are made from the files that come along', async () => {
    expect(await exec('xm create demo')).toEqual({
      stdout: 'Using config file "/etc/xen/demo".\nStarted domain demo\n',
      stderr: '',
      exitCode: 0,
    });
    expect(hypervisor.image(1)).toMatchObject({ commandLine: ' console=hvc0 earlyprintk=xen', pages: 65536, kernel: KERNEL });
    expect((await exec('xl create xmexample1')).exitCode).toBe(0);
    expect((await exec('xm create xmexample2 vmid=7')).stdout).toContain('Started domain VM7\n');
    expect((await exec('xm create xmexample2')).stderr).toBe('Error: vmid - say which guest: vmid=1, vmid=2 ...\n');
    expect((await exec('xm create --help_config xmexample2 vmid=1')).stdout).toMatch(
      /Configuration variables for xmexample2:\n\nvmid {9}Number of the guest, 1 or more\.\n$/,
    );
    expect(await dom0.domains()).toMatchObject([
      { domid: 0, name: 'Domain-0', state: 'r-----' },
      { domid: 1, name: 'demo', memoryMiB: 256, state: '-b----' },
      { name: 'ExampleDomain' },
      { name: 'VM7' },
    ]);
    expect(progress).toContainEqual({ task: 'Fetching vmlinuz-6.1.0-9-cloud-amd64', fraction: 0.5 });
    expect(progress.filter((step) => step.task === 'Fetching vmlinuz-6.1.0-9-cloud-amd64').at(-1)?.fraction).toBe(1);
  });

  const refusals: [what: string, config: string, error: RegExp][] = [
    [
      'a wrong line',
      'memory = 64\nkernel = = 1\n',
      /^Error: Errors were found at line 2 while processing bad:\tkernel = = 1 {2}\(SyntaxError: invalid syntax\)\n$/,
    ],
    [
      'an unknown name',
      'kernel = "/boot/vmlinuz-cloud"\n\nmemory = size * 2\n',
      /^Error: Errors were found at line 3 .*\tmemory = size \* 2 {2}\(NameError: name 'size' isn't defined\)\n$/,
    ],
    [
      'an endless loop',
      'while 1:\n  pass\n',
      /^Error: bad did not come to its end within 3 seconds \(an endless loop\?\) and was stopped\.\n$/,
    ],
    [
      'a kernel that cannot be fetched',
      'kernel = "/boot/broken"',
      /^Error: Kernel image cannot be read: \/boot\/broken: .*the site answered 500 for broken\)\n$/,
    ],
    [
      'a disk',
      'kernel = "/boot/vmlinuz-cloud"\ndisk = [ "phy:sdz1,sda1,w" ]',
      /^Error: Device 2049 \(vbd\) could not be connected/,
    ],
    ['a binary file', '\0\x01', /^Error: bad is no configuration file: it holds binary data\.\n$/],
  ];
  it.each(refusals)('are refused for %s', async (_what, config, error) => {
    await write('bad', config);
    const result = await exec('xm create bad');
    expect(result.stderr).toMatch(error);
    expect(result.exitCode).toBe(1);
    expect(await dom0.domains()).toHaveLength(1);
  });

  it('have consoles, whose text outlives them', async () => {
    await exec('xm create -q demo');
    consoles.get(1)?.print('Linux version 6.1\r\nlogin: ');
    const early = new Collector();
    await dom0.openConsole('demo', early);
    consoles.get(1)?.print('more');
    await until(() => early.text.endsWith('more'));
    expect(early.text).toBe('Linux version 6.1\r\nlogin: more');
    await dom0.consoleInput('demo', new TextEncoder().encode('root\r'));
    expect(consoles.get(1)?.take()).toBe('root\r');
    await exec('xm rename demo old');
    consoles.get(1)?.fill(new TextEncoder().encode(' last words'));
    await exec('xm destroy old');
    await until(() => early.reason !== undefined);
    expect([early.text.slice(-10), early.reason]).toEqual(['last words', 'the domain is gone']);
    expect(await dom0.consoleText('old')).toContain('last words');
    const late = new Collector();
    await dom0.openConsole(1, late);
    await until(() => late.reason !== undefined);
    expect(late.text).toBe(early.text);
    await expect(dom0.consoleText('demo')).rejects.toThrow("Domain 'demo' does not exist.");
  });

  it('tell the page when something changes', async () => {
    let changes = 0;
    await dom0.onDomainsChanged(() => changes++);
    await exec('xm create -q demo');
    await until(() => changes > 0);
    const before = changes;
    hypervisor.stop(1, 'poweroff');
    await until(() => changes > before);
    await until(() => hypervisor.listDomains().length === 0);
    expect(await dom0.domains()).toHaveLength(1);
  });

  it('are counted', async () => {
    await exec('xm create -q demo');
    expect(await dom0.counters('demo')).toMatchObject([{ vcpu: 0, instructionsInterpreted: 1 }]);
    await expect(dom0.counters('none')).rejects.toThrow('does not exist');
  });
});

describe('the hypervisor', () => {
  it('has a console without input', async () => {
    const sink = new Collector();
    const handle = await dom0.openConsole('xen', sink);
    hypervisor.messages = '';
    for (const listener of messages) listener('(XEN) news\n');
    await until(() => sink.text.includes('news'));
    expect(sink.text).toBe('(XEN) Xen version 4.17.7\r\n(XEN) Brought up 2 CPUs\r\n(XEN) news\r\n');
    await expect(dom0.consoleInput('xen', new Uint8Array(1))).rejects.toThrow('takes no input');
    await dom0.closeTerminal(handle);
    expect(messages).toEqual([]);
  });
});

describe('commands without a terminal', { timeout: 30_000 }, () => {
  it('take input, and say when they need a terminal', async () => {
    expect(await exec('cat | tr a-z A-Z', { stdin: 'hé\n' })).toEqual({
      stdout: 'Hé\n'.replace('h', 'H'),
      stderr: '',
      exitCode: 0,
    });
    expect((await exec('xm list | head -1 | cut -c1-4')).stdout).toBe('Name\n');
    await exec('xm create -q -p demo');
    expect(await exec('xm console demo')).toEqual({
      stdout: '',
      stderr: 'Error: xm console needs a terminal; run it by itself in the shell of domain 0.\n',
      exitCode: 1,
    });
    expect(await exec('exit 7')).toEqual({ stdout: '', stderr: '', exitCode: 7 });
    expect((await exec('nosuch')).exitCode).toBe(127);
    expect((await exec('xm create -c demo name=other')).exitCode).toBe(1);
    expect((await exec('edit x')).stderr).toBe('edit: an editor needs a terminal\n');
    expect((await exec('more /etc/hostname')).stdout).toBe('dom0\n');
    expect((await exec('xenstore-read /local/domain/1/name')).stdout).toBe('demo\n');
    expect((await exec('help')).stdout).toContain('  xenstore-ls          print the store as a tree\n');
  });

  it('start each in a fresh shell', async () => {
    await exec('cd /etc; X=1');
    expect((await exec('pwd; echo "[$X]"')).stdout).toBe('/root\n[]\n');
  });

  it('are stopped when their time is up', async () => {
    await exec('xm create -q demo');
    expect(await exec('xm shutdown -w demo', { timeoutMs: 100 })).toEqual({
      stdout: '',
      stderr: 'Interrupted.\nthe command did not end within 100 ms and was stopped\n',
      exitCode: 124,
    });
    const loop = new Dom0Service({
      ...platform(),
      spawnShell: (host, programs) => new ThreadShellProcess(startNodeShellThread(), host, programs),
    });
    await loop.boot({ storage: { machine: 'webxen', kind: 'memory' } }, () => undefined);
    expect(await loop.exec('while true; do :; done', { timeoutMs: 2000 })).toMatchObject({ exitCode: 124 });
    expect(await loop.exec('echo alive')).toMatchObject({ stdout: 'alive\n', exitCode: 0 });
  });
});

describe('a shell on a terminal', { timeout: 30_000 }, () => {
  let screen: Screen;
  let shell: number;
  const type = (text: string): Promise<void> => dom0.shellInput(shell, new TextEncoder().encode(text));
  beforeEach(async () => {
    screen = new Screen(80, 24);
    shell = await dom0.openShell(screen, 80, 24);
    await until(() => screen.text.endsWith('root@dom0:~#'), 'a prompt');
  });
  afterEach(() => dom0.closeTerminal(shell));

  it('greets, and lends itself to a guest', async () => {
    expect(screen.text).toContain('This is domain 0.');
    await type('xm create -c demo\r');
    await until(() => consoles.has(1), 'a console');
    consoles.get(1)?.print('demo login: ');
    await until(() => screen.text.endsWith('demo login:'), 'the guest');
    await type('root\r');
    await until(() => consoles.get(1)?.take() === 'root\r', 'the keys');
    await type('\x1d');
    await until(() => screen.text.endsWith('#'), 'the prompt again');
    consoles.get(1)?.print('unseen until now');
    await type('xm console demo\r');
    await until(() => screen.text.endsWith('unseen until now'), 'the rest');
    hypervisor.stop(1, 'poweroff');
    await until(() => screen.text.endsWith('#'), 'the end of the guest');
    expect(screen.text.match(/demo login/g)).toHaveLength(1);
  });

  it('ends when it is left', async () => {
    let reason = '';
    screen.ended = (text?: string) => {
      reason = text ?? '';
    };
    await type('exit\r');
    await until(() => reason !== '');
    expect(reason).toBe('the shell was left');
  });
});

describe('a machine that moves', () => {
  it('is exported as it is, imported under another name, and not over one that is there', async () => {
    await dom0.exec('pvcreate /dev/sda10 && vgcreate vg /dev/sda10 && lvcreate -L 8M -n kept vg && echo here > /root/note');
    const pieces: Uint8Array[] = [];
    await dom0.exportMachine({ write: async (bytes) => pieces.push(bytes) > 0 }, { progress: () => true });
    const archive = new Blob(pieces as Uint8Array<ArrayBuffer>[]);
    const watch = { progress: () => true };
    const half = archive.slice(0, Math.floor(archive.size / 2));
    await expect(dom0.importMachine({ machine: 'other', kind: 'opfs' }, half, watch)).rejects.toThrow('cut off');
    expect(others.size).toBe(0);
    expect(await dom0.importMachine({ machine: 'other', kind: 'opfs' }, archive, watch)).toBe('webxen');
    await expect(dom0.importMachine({ machine: 'other', kind: 'opfs' }, archive, watch)).rejects.toThrow('there is a machine');
    chunks = others.get('other')!;
    await boot();
    expect((await dom0.exec('cat /root/note; lvs; vgs')).stdout).toMatch(/^here\n[^]*kept[^]*vg /);
  });
});
