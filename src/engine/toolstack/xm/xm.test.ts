import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandTerminal } from '../command.ts';
import { settle } from '../testing/manual-clock.ts';
import { ToolstackFixture } from '../testing/toolstack-fixture.ts';

let stack: ToolstackFixture;
beforeEach(async () => {
  stack = await ToolstackFixture.make();
});

/** Two domains: VM1 (id 1) runs, ttylinux (id 2) is paused. */
const twoDomains = async (): Promise<void> => {
  stack.configuration('VM1', 'vcpus = 4', 'maxmem = 96');
  stack.configuration('ttylinux', 'memory = 31');
  await stack.xm('create VM1');
  await stack.xm('create -p ttylinux');
  stack.hypervisor.change(1, { cpuTimeNs: 4.3e9, onlineVcpus: 4 });
  stack.hypervisor.change(2, { cpuTimeNs: 0.6e9 });
};

class ScriptedTerminal implements CommandTerminal {
  readonly columns = 80;
  readonly rows = 24;
  shown = '';
  private readonly _keys: Uint8Array[] = [];
  private _waiting: ((keys: Uint8Array) => void) | undefined;

  write(output: string | Uint8Array): void {
    this.shown += typeof output === 'string' ? output : String.fromCharCode(...output);
  }

  read(): Promise<Uint8Array | undefined> {
    const keys = this._keys.shift();
    if (keys !== undefined) return Promise.resolve(keys);
    return new Promise((resolve) => {
      this._waiting = resolve;
    });
  }

  onResize(): () => void {
    return () => undefined;
  }

  type(text: string): void {
    const keys = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const waiting = this._waiting;
    this._waiting = undefined;
    if (waiting === undefined) this._keys.push(keys);
    else waiting(keys);
  }
}

describe('xm list', () => {
  it('has the columns of 3.0.0', async () => {
    await twoDomains();
    expect((await stack.xm('list')).out).toBe(
      `Name                              ID Mem(MiB) VCPUs State  Time(s)
Domain-0                           0        0     1 r-----     0.0
VM1                                1       64     4 -b----     4.3
ttylinux                           2       31     1 --p---     0.6
`,
    );
    expect((await stack.xm('li VM1')).out.split('\n')[1]).toBe(
      'VM1                                1       64     4 -b----     4.3',
    );
    expect((await stack.xm('list --state=paused')).out).not.toContain('VM1');
  });

  it('describes domains at length', async () => {
    await twoDomains();
    await stack.clock.advance(652_181);
    expect((await stack.xm('list -l 1')).out).toBe(`(domain
    (domid 1)
    (uuid 00112233-4455-4677-8899-aabbccddeeff)
    (ssidref 0)
    (vcpus 4)
    (cpu_weight 1.0)
    (memory 64)
    (maxmem 96)
    (name VM1)
    (on_poweroff destroy)
    (on_reboot restart)
    (on_crash restart)
    (image (linux (kernel /boot/vmlinuz)))
    (state -b----)
    (shutdown_reason poweroff)
    (cpu_time 4.300000000)
    (online_vcpus 4)
    (up_time 652.181)
    (start_time 1795435200.00)
    (store_mfn 1001)
    (console_mfn 2001)
)
`);
  });

  it('warns about -v', async () => {
    const result = await stack.xm('list -v');
    expect(result.error).toBe('xm list -v is deprecated.  Please use xm vcpu-list.\n');
    expect(result.out).toMatch(/^Name .* CPU Affinity\n/);
  });
});

describe('xm vcpu-list and vcpu-pin', () => {
  it('have the columns of 3.0.0', async () => {
    await twoDomains();
    stack.hypervisor.change(1, { onlineVcpus: 3 });
    expect((await stack.xm('vcpu-pin VM1 1 1')).status).toBe(0);
    expect((await stack.xm('vcpu-pin VM1 3 0-1')).status).toBe(0);
    expect((await stack.xm('vcpu-list VM1')).out).toBe(
      `Name                              ID  VCPU  CPU  State  Time(s)  CPU Affinity
VM1                                1     0    0   -b-       1.5  any cpu
VM1                                1     1    1   -b-       1.5  1
VM1                                1     2    0   -b-       1.5  any cpu
VM1                                1     3    -   --p       1.5  0-1
`,
    );
  });

  it('place vCPU n on entry n of cpus=', async () => {
    stack.configuration('vm', 'vcpus = 3', 'cpus = "1,0"');
    await stack.xm('create vm');
    const rows = (await stack.xm('vcpu-list vm')).out.split('\n').slice(1, 4);
    expect(rows.map((row) => row.slice(-1))).toEqual(['0', '1', '0']);
  });
});

describe('xm create', () => {
  it('says what it does', async () => {
    stack.configuration('vm');
    stack.file('/root/mine', 'kernel = "../boot/vmlinuz"\nmemory = 32\n');
    expect(await stack.xm('create mine')).toEqual({
      out: 'Using config file "mine".\nStarted domain mine\n',
      error: '',
      status: 0,
    });
    expect((await stack.xm('create vm name=other')).out).toBe('Using config file "/etc/xen/vm".\nStarted domain other\n');
    expect(await stack.xm('create -q /etc/xen/vm')).toEqual({ out: '', error: '', status: 0 });
    expect(stack.xend.find('mine').configuration?.kernel).toBe('/boot/vmlinuz');
  });

  it('leaves a domain paused with -p', async () => {
    stack.configuration('vm');
    await stack.xm('create vm -p');
    expect(stack.xend.find('vm').state).toBe('--p---');
    await stack.xm('unpause vm');
    expect(stack.xend.find('vm').state).toBe('-b----');
  });

  it('prints and creates nothing with -n', async () => {
    stack.configuration('vm', 'disk = ["phy:sda1,sda1,w"]');
    const result = await stack.xm('create -n vm');
    expect(result.out).toContain('(device (vbd (uname phy:sda1) (dev sda1) (mode w)))\n)\n');
    expect(stack.xend.domains()).toHaveLength(1);
  });

  it('takes SXP', async () => {
    stack.file('/root/vm.sxp', '(vm (name sxp) (memory 32) (image (linux (kernel /boot/vmlinuz) (args quiet))))');
    expect((await stack.xm('create -F vm.sxp')).status).toBe(0);
    expect(stack.hypervisor.image(1)).toMatchObject({ commandLine: ' quiet', pages: 8192 });
    stack.file('/root/bad.sxp', '(vm (name');
    expect((await stack.xm('create -F bad.sxp')).error).toBe('Error: Invalid configuration bad.sxp: line 1: a list does not end\n');
  });

  const refusals: [what: string, lines: string[], words: string, error: string][] = [
    ['a missing file', [], 'create nosuchfile', 'Unable to open config file: nosuchfile'],
    ['no file named', [], 'create', 'Unable to open config file: xmdefconfig'],
    ['a missing kernel', ['kernel = "/boot/nope"'], 'create vm', 'Kernel image does not exist: /boot/nope'],
    ['a missing ramdisk', ['ramdisk = "/boot/nope"'], 'create vm', 'Kernel ramdisk does not exist: /boot/nope'],
    [
      'a directory as kernel',
      ['kernel = "/boot"'],
      'create vm',
      "Kernel image cannot be read: /boot: EISDIR: illegal operation on a directory, read '/boot'",
    ],
    ['what is no kernel', ['kernel = "/boot/initrd"'], 'create vm', 'The kernel is not a Xen kernel: it carries no Xen notes.'],
    ['a ramdisk too large', ['memory = 1', 'ramdisk = "/root/big"'], 'create vm', 'The ramdisk is too large for 1 MiB of memory.'],
    [
      'more memory than is free',
      ['memory = 1020'],
      'create vm',
      'Not enough free memory and dom0_min_mem is 0, so I cannot release any more.  I need 1044480 KiB but only have 1015808.',
    ],
    [
      'more memory than there is',
      ['memory = 5000'],
      'create vm',
      'This machine has 1024 MiB of memory in all; the domain asks for 5000 MiB.',
    ],
    [
      'a fault on a line',
      ['x = 1', 'fault = = 2'],
      'create vm',
      'Errors were found at line 4 while processing vm:\tfault = = 2  (SyntaxError: invalid syntax)',
    ],
    ['an endless loop', ['loop'], 'create vm', 'vm did not come to its end within 5 seconds (an endless loop?) and was stopped.'],
    ['a name in use', [], 'create vm name=busy', "VM name 'busy' already exists as domain 1"],
    [
      'a uuid in use',
      ['uuid = "00112233-4455-4677-8899-aabbccddeeff"'],
      'create vm',
      "VM uuid '00112233-4455-4677-8899-aabbccddeeff' already exists as domain 1",
    ],
    ['the name of domain 0', [], 'create vm name=Domain-0', "VM name 'Domain-0' already exists as domain 0"],
    [
      'a console without a terminal',
      [],
      'create -c vm',
      'xm create -c needs a terminal; run it by itself in the shell of domain 0.',
    ],
    [
      'a volume that is not there',
      ['disk = ["phy:vg/nope,sda1,w"]'],
      'create vm',
      'Device 2049 (vbd) could not be connected. Backend device not found.',
    ],
    [
      'an image that is not there',
      ['disk = ["file:/root/nope,xvda,w"]'],
      'create vm',
      'Device 51712 (vbd) could not be connected.\n/root/nope does not exist.',
    ],
    ['CPUs that are not there', ['cpus = "7"'], 'create vm', 'There is no physical CPU 7; this machine has 2 (0 to 1).'],
  ];
  it.each(refusals)('refuses %s and leaves nothing over', async (_what, lines, words, error) => {
    stack.file('/root/big', 'x'.repeat(1024 * 1024 + 1));
    stack.configuration('busy', 'memory = 32');
    await stack.xm('create busy');
    stack.configuration('vm', ...lines);
    const free = stack.xend.physical.freePages;
    const result = await stack.xm(words);
    expect([result.error, result.status]).toEqual([`Error: ${error}\n`, 1]);
    expect(stack.xend.domains().map((domain) => domain.name)).toEqual(['Domain-0', 'busy']);
    expect(stack.xend.physical.freePages).toBe(free);
    expect(stack.store.list('/local/domain')).toEqual(['0', '1']);
    expect(stack.store.list('/vm')).toHaveLength(1);
  });

  it('can be called off while an image is being fetched', async () => {
    await stack.files.mountLazy('/boot/slow', { sizeBytes: 10, fetch: () => new Promise(() => undefined) });
    stack.configuration('vm', 'kernel = "/boot/slow"');
    const running = stack.xm('create vm');
    await settle();
    stack.cancellation.cancel();
    expect(await running).toMatchObject({ error: 'Interrupted.\n', status: 1 });
    expect((await stack.xm('create vm kernel=/boot/vmlinuz')).status).toBe(0);
  });
});

describe('refusals of other commands', () => {
  const rows: [words: string, error: string][] = [
    ['foo', 'Subcommand foo not found!'],
    ['p', 'Subcommand p not found!'],
    ['mem', 'Subcommand mem not found!'],
    ['pause nosuch', "Domain 'nosuch' does not exist."],
    ['pause 7', "Domain '7' does not exist."],
    ['pause 0', 'Cannot pause privileged domain 0'],
    ['unpause Domain-0', 'Cannot unpause privileged domain 0'],
    ['destroy 0', 'Cannot destroy privileged domain 0'],
    ['shutdown 0', 'Domain 0 cannot be shutdown'],
    ['shutdown VM1 ttylinux', 'No multiple domain parameters allowed'],
    ['shutdown -H -R VM1', "Can't specify halt and reboot"],
    ['mem-set VM1 0', 'Invalid memory size'],
    ['mem-set VM1 97', "Cannot set the memory of domain 'VM1' to 97 MiB: its ceiling (maxmem) is 96 MiB."],
    ['mem-max VM1 97', "Cannot raise the memory ceiling of domain 'VM1' to 97 MiB: it was created with maxmem = 96."],
    ['vcpu-set VM1 5', "Cannot give domain 'VM1' 5 virtual CPUs: it was created with 4 (vcpus, maxvcpus)."],
    ['vcpu-pin VM1 9 0', "Domain 'VM1' has no virtual CPU 9."],
    ['vcpu-pin VM1 0 5', 'There is no physical CPU 5; this machine has 2 (0 to 1).'],
    ['rename VM1 ttylinux', "VM name 'ttylinux' already exists as domain 2"],
    ['rename VM1 a/b*', 'Invalid VM Name'],
    ['sysrq VM1 hh', 'The SysRq key must be one letter or digit.'],
    ['trigger VM1 init', "Trigger 'init' is not supported for a paravirtualised domain; only 'nmi' is."],
    ['console VM1', 'xm console needs a terminal; run it by itself in the shell of domain 0.'],
    ['top', 'xm top needs a terminal; use -b -i 1 to print once.'],
    ['save VM1 /x', "'xm save' is not supported: domains cannot be saved, restored or moved yet."],
    ['list --state=odd', 'Invalid state: odd'],
    ['list --state=all VM1', 'You may specify either a state or a particular VM, but not both'],
  ];
  it.each(rows)('%s', async (words, error) => {
    await twoDomains();
    const result = await stack.xm(words);
    expect([result.error, result.status]).toEqual([`Error: ${error}\n`, 1]);
  });

  const usages: [words: string, error: string, usage: string][] = [
    ['pause', "'xm pause' requires 1 argument.", '\nUsage: xm pause <DomId>\n\nStop scheduling a domain.\n'],
    [
      'mem-set 1',
      "'xm mem-set' requires 2 arguments.",
      '\nUsage: xm mem-set <DomId> <Mem>\n\nChange the memory target of a domain.\n',
    ],
    [
      'shutdown',
      "'xm shutdown' requires between 1 and 4 arguments.",
      '\nUsage: xm shutdown [-a] [-w] [-H|-R] <DomId>\n\nAsk a domain to stop.\n',
    ],
    ['vcpu-set 1 x', "Domain '1' does not exist.", ''],
    ['list -z', 'option -z not recognized', '\nUsage: xm list [-l] [DomId ...]\n\nShow domains and their state.\n'],
    [
      'create --path',
      'option --path requires argument',
      '\nUsage: xm create [-c] [-q] [-p] [-n] <ConfigFile> [Name=Value]..\n\nBuild and start a domain from a configuration file.\n',
    ],
  ];
  it.each(usages)('%s', async (words, error, usage) => {
    expect(await stack.xm(words)).toEqual({ out: usage, error: `Error: ${error}\n`, status: 1 });
  });
});

describe('commands that change a domain', () => {
  beforeEach(twoDomains);

  it('write what the guest looks at', async () => {
    for (const words of ['mem-set VM1 48', 'vcpu-set VM1 2', 'sysrq VM1 h', 'shutdown VM1', 'trigger VM1 nmi 1'])
      expect(await stack.xm(words)).toEqual({ out: '', error: '', status: 0 });
    const read = (path: string): string | undefined => stack.store.read(`/local/domain/1/${path}`);
    expect([read('memory/target'), read('control/sysrq'), read('control/shutdown')]).toEqual(['49152', 'h', 'poweroff']);
    expect([0, 1, 2, 3].map((vcpu) => read(`cpu/${vcpu}/availability`))).toEqual(['online', 'online', 'offline', 'offline']);
    expect(stack.hypervisor.triggers).toEqual(['1 nmi 1']);
    expect((await stack.xm('list VM1')).out).toContain('   48 ');
  });

  it('rename it everywhere', async () => {
    await stack.xm('rename VM1 web');
    expect((await stack.xm('domid web')).out).toBe('1\n');
    expect((await stack.xm('domname 1')).out).toBe('web\n');
    expect(stack.store.read('/local/domain/1/name')).toBe('web');
    expect(stack.store.read(`${stack.store.read('/local/domain/1/vm') ?? ''}/name`)).toBe('web');
  });

  it('change the ceiling', async () => {
    await stack.xm('mem-max VM1 80');
    expect(stack.hypervisor.domain(stack.xend.find('VM1').domid)?.maxPages).toBe(80 * 256);
    expect((await stack.xm('mem-set VM1 96')).status).toBe(1);
  });

  it('pause and go on', async () => {
    await stack.xm('pause VM1');
    expect(stack.xend.find('VM1').state).toBe('--p---');
    await stack.xm('unp VM1');
    expect(stack.xend.find('VM1').state).toBe('-b----');
  });

  it('point out deprecated names', async () => {
    expect(await stack.xm('balloon VM1 32')).toEqual({
      out: '',
      error: 'Command balloon is deprecated.  Please use xm mem-set instead.\n',
      status: 0,
    });
  });
});

describe('waiting for a shutdown', () => {
  beforeEach(twoDomains);

  it('tells when every domain has gone', async () => {
    const running = stack.xm('shutdown -a -w');
    await settle();
    stack.hypervisor.stop(1, 'poweroff');
    await stack.clock.advance(1500);
    stack.hypervisor.stop(2, 'poweroff');
    await stack.clock.advance(1500);
    expect((await running).out).toBe('Domain VM1 terminated\nDomain ttylinux terminated\nAll domains terminated\n');
  });

  it('tells when a domain has come back', async () => {
    const running = stack.xm('reboot -w VM1');
    await settle();
    stack.hypervisor.stop(1, 'reboot');
    await stack.clock.advance(1500);
    expect((await running).out).toBe('Domain VM1 rebooted\nAll domains rebooted\n');
  });

  it('can be called off', async () => {
    const running = stack.xm('shutdown -w VM1');
    await settle();
    stack.cancellation.cancel();
    expect(await running).toEqual({ out: '', error: 'Interrupted.\n', status: 1 });
  });
});

describe('facts about the machine', () => {
  it('are laid out as the manual shows', async () => {
    const { out } = await stack.xm('info');
    expect(out.split('\n').map((line) => line.slice(0, 23).trimEnd())).toEqual(
      [
        'system',
        'host',
        'release',
        'version',
        'machine',
        'nr_cpus',
        'nr_nodes',
        'sockets_per_node',
        'cores_per_socket',
        'threads_per_core',
      ]
        .concat([
          'cpu_mhz',
          'hw_caps',
          'total_memory',
          'free_memory',
          'xen_major',
          'xen_minor',
          'xen_extra',
          'xen_caps',
          'platform_params',
        ])
        .concat(['xen_changeset', 'cc_compiler', 'cc_compile_by', 'cc_compile_domain', 'cc_compile_date', '']),
    );
    expect(out).toContain('cpu_mhz                : 1000\n');
    expect(out).toContain('free_memory            : 1024\n');
    expect(out).toContain('cc_compile_domain      : (none)\n');
    expect(out).toMatch(/hw_caps {16}: [0-9a-f]{8}:[0-9a-f]{8}:[0-9a-f]{8}:[0-9a-f]{8}\n/);
  });

  it('include the messages of the hypervisor, until they are cleared', async () => {
    expect((await stack.xm('dmesg')).out).toBe('(XEN) Xen version 4.17.7\n(XEN) Brought up 2 CPUs\n');
    expect((await stack.xm('dmesg -c')).out).toBe('');
    expect((await stack.xm('dmesg')).out).toBe('');
  });

  it('include how long domains have run', async () => {
    await stack.clock.advance(3000 * 1000);
    await twoDomains();
    await stack.clock.advance(4000 * 1000);
    expect((await stack.xm('uptime')).out).toBe(
      `Name                              ID Uptime
Domain-0                           0  1:56:40
VM1                                1  1:06:40
ttylinux                           2  1:06:40
`,
    );
    await stack.clock.advance(2 * 86400 * 1000);
    expect((await stack.xm('uptime VM1')).out.split('\n')[1]).toBe('VM1                                1 2 days,  1:06:40');
    expect((await stack.xm('uptime -s VM1')).out).toBe(' 13:56:40 up 2 days,  1:06, VM1 (1)\n');
  });

  it('include the log of xend', async () => {
    await twoDomains();
    expect((await stack.xm('log')).out).toContain('INFO (XendDomain) Domain VM1 (1) unpaused.\n');
  });

  it('include a table of all domains', async () => {
    await twoDomains();
    const { out } = await stack.xm('top -b -i 1');
    expect(out.split('\n').slice(1, 6)).toEqual([
      '3 domains: 1 running, 1 blocked, 1 paused, 0 crashed, 0 dying, 0 shutdown ',
      'Mem: 1048576k total, 130048k used, 918528k free    CPUs: 2 @ 1000MHz',
      '      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) SSID',
      '  Domain-0 -----r          0    0.0          0    0.0   no limit       n/a     1    0        0        0    0',
      '       VM1 --b---          4    0.0      65536    6.3      98304       9.4     4    0        0        0    0',
    ]);
  });
});

describe('xm console', () => {
  beforeEach(twoDomains);

  it('joins terminal and guest until Ctrl-] is typed', async () => {
    const terminal = new ScriptedTerminal();
    const running = stack.xm('console VM1', terminal);
    await settle();
    stack.consoles.get(1)?.print('login: ');
    terminal.type('root\r');
    await settle();
    terminal.type('\x1d');
    expect(await running).toEqual({ out: '', error: '', status: 0 });
    expect(terminal.shown).toBe('login: \r\n');
    expect(String.fromCharCode(...(stack.consoles.get(1)?.typed ?? []))).toBe('root\r');
    expect(stack.consoles.get(1)?.closed).toBe(true);
  });

  it('ends with the domain', async () => {
    const running = stack.xm('console VM1', new ScriptedTerminal());
    await settle();
    stack.consoles.get(1)?.domainGone();
    expect((await running).status).toBe(0);
  });

  it('is not for domain 0', async () => {
    expect(await stack.xm('console 0', new ScriptedTerminal())).toEqual({ out: '', error: "Can't specify Domain-0\n", status: 22 });
    expect(await stack.xm('console -q nosuch', new ScriptedTerminal())).toEqual({ out: '', error: '', status: 1 });
  });

  it('follows a creation with -c', async () => {
    const terminal = new ScriptedTerminal();
    stack.configuration('vm');
    const running = stack.xm('create -c vm', terminal);
    await settle();
    stack.consoles.get(3)?.print('hello');
    terminal.type('\x1d');
    expect(await running).toMatchObject({ out: 'Using config file "/etc/xen/vm".\nStarted domain vm\n', status: 0 });
    expect(terminal.shown).toBe('hello\r\n');
  });
});

describe('xm help', () => {
  it('has a short list, a long one, and a line for each command', async () => {
    const short = await stack.xm('help');
    expect(short.out.split('\n').slice(0, 7)).toEqual([
      'Usage: xm <subcommand> [args]',
      '    Control, list and manipulate the domains of this machine',
      '',
      'xm common subcommands:',
      "   console <DomId>                  connect this terminal to a domain's console",
      '   create [-c] [-q] [-p] [-n] <ConfigFile>',
      '               [Name=Value]..       build and start a domain from a configuration file',
    ]);
    expect(short.out).toContain("For a complete list of subcommands run 'xm help --long'\n");
    expect((await stack.xm('help --long')).out).toContain('   vcpu-list [DomId ...]            show virtual CPUs\n');
    expect((await stack.xm('help pause')).out).toBe('   pause <DomId>                    stop scheduling a domain\n');
    expect(short.status).toBe(0);
    expect((await stack.xm('')).status).toBe(1);
    expect((await stack.xm('--help')).status).toBe(0);
  });

  it('lists the common subcommands in the manual’s order', async () => {
    const { out } = await stack.xm('help');
    expect([...out.matchAll(/^ {3}(\S+)/gm)].map(([, name]) => name)).toEqual(
      'console create destroy help list mem-set pause reboot shutdown top unpause vcpu-set'.split(' '),
    );
  });

  it('follows an unknown subcommand', async () => {
    const short = await stack.xm('help');
    expect(await stack.xm('frobnicate')).toEqual({ ...short, error: 'Error: Subcommand frobnicate not found!\n', status: 1 });
  });

  const SUBCOMMANDS =
    'create list console shutdown reboot destroy pause unpause mem-set domid domname info dmesg vcpu-list help'.split(' ');
  it.each(SUBCOMMANDS)('knows %s: in the full list, by name and by --help', async (name) => {
    const line = (await stack.xm(`help ${name}`)).out;
    expect(line).toMatch(new RegExp(`^   ${name}\\b`));
    if (name !== 'help') expect((await stack.xm('help --long')).out).toContain(line);
    const usage = await stack.xm(`${name} --help`);
    expect(usage.out).toContain(`Usage: xm ${name}`);
    expect(usage.status).toBe(name === 'create' ? 0 : 1);
  });
});
