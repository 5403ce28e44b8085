import { describe, expect, it } from 'vitest';
import { prettySxp } from '../sxp.ts';
import { formatCpuList, parseCpuList } from './cpu-list.ts';
import { domainConfiguration } from './domain-configuration.ts';
import { parseMemoryMiB } from './memory-size.ts';
import type { ScriptValue } from './script.ts';
import type { Assignment } from './settings.ts';
import { collectSettings, parseAssignment } from './settings.ts';
import { vmSxp } from './vm-sxp.ts';

const KERNEL = '/boot/vmlinuz-2.6-xenU';

const settings = (script: Record<string, ScriptValue>, ...words: string[]) =>
  collectSettings(
    script,
    words.map((word) => parseAssignment(word)).filter((assignment): assignment is Assignment => assignment !== undefined),
  );
const make = (script: Record<string, ScriptValue>, ...words: string[]) =>
  vmSxp(settings({ kernel: KERNEL, name: 'vm', ...script }, ...words));
const configure = (script: Record<string, ScriptValue>, ...words: string[]) => domainConfiguration(make(script, ...words));

describe('(vm ...)', () => {
  it('looks as the 3.0.2 tools print xmexample2', () => {
    const script = {
      kernel: KERNEL,
      memory: 64,
      name: 'VM1',
      vcpus: 4,
      disk: ['phy:sda8,sda1,w', 'phy:sda6,sda6,r'],
      vif: [''],
      root: '/dev/sda1 ro',
      extra: '4 VMID=1 usr=/dev/sda6',
    };
    expect(prettySxp(make(script))).toBe(`(vm
    (name VM1)
    (memory 64)
    (vcpus 4)
    (image
        (linux
            (kernel /boot/vmlinuz-2.6-xenU)
            (root '/dev/sda1 ro')
            (args '4 VMID=1 usr=/dev/sda6')
        )
    )
    (device (vbd (uname phy:sda8) (dev sda1) (mode w)))
    (device (vbd (uname phy:sda6) (dev sda6) (mode r)))
    (device (vif))
)`);
  });

  it('takes words of the command line over the file, and prints addresses, taps and modes', () => {
    const script = {
      name: 'web1',
      memory: 64,
      vcpus: 1,
      on_crash: 'preserve',
      ip: '10.0.0.5',
      netmask: '255.255.255.0',
      gateway: '10.0.0.1',
      hostname: 'web1',
      root: '/dev/sda1 ro',
      extra: '4',
      disk: ['file:/full/path/to/vm1disk,sda1,w', 'tap:qcow:/x.qcow,sdb,w', 'phy:vg/lvm1,sda2,w!'],
      vif: ['mac=00:16:3E:00:00:11, bridge=xenbr0', ''],
    };
    expect(prettySxp(make(script, 'memory=96'))).toBe(`(vm
    (name web1)
    (memory 96)
    (on_crash preserve)
    (vcpus 1)
    (image
        (linux
            (kernel /boot/vmlinuz-2.6-xenU)
            (ip 10.0.0.5:1.2.3.4:10.0.0.1:255.255.255.0:web1:eth0:off)
            (root '/dev/sda1 ro')
            (args 4)
        )
    )
    (device (vbd (uname file:/full/path/to/vm1disk) (dev sda1) (mode w)))
    (device (tap (uname tap:qcow:/x.qcow) (dev sdb) (mode w)))
    (device (vbd (uname phy:vg/lvm1) (dev sda2) (mode 'w!')))
    (device (vif (bridge xenbr0) (mac 00:16:3E:00:00:11)))
    (device (vif))
)`);
  });
});

describe('kernel command line', () => {
  const rows: [what: Record<string, ScriptValue>, line: string][] = [
    [{ root: '/dev/sda1 ro', extra: '4' }, ' root=/dev/sda1 ro 4'],
    [{ root: 'root=/dev/sda1 ro' }, ' root=/dev/sda1 ro'],
    [{ dhcp: 'dhcp', root: '/dev/sda1 ro' }, ' ip=:1.2.3.4::::eth0:dhcp root=/dev/sda1 ro'],
    [
      { ip: '10.0.0.5', netmask: '255.255.255.0', gateway: '10.0.0.1', hostname: 'web1', root: '/dev/sda1 ro', extra: '4' },
      ' ip=10.0.0.5:1.2.3.4:10.0.0.1:255.255.255.0:web1:eth0:off root=/dev/sda1 ro 4',
    ],
    [
      { root: '/dev/nfs', nfs_server: '2.3.4.5', nfs_root: '/path/to/root', dhcp: 'dhcp' },
      ' ip=:2.3.4.5::::eth0:dhcp root=/dev/nfs nfsroot=2.3.4.5:/path/to/root ',
    ],
    [{}, ''],
    [{ cmdline: 'console=hvc0 quiet', root: 'x' }, 'console=hvc0 quiet'],
  ];
  it.each(rows)('%j', (script, line) => {
    expect(configure(script).commandLine).toBe(line);
  });
});

describe('refusals', () => {
  const rows: [what: Record<string, ScriptValue>, words: string[], message: string][] = [
    [{ kernel: '' }, [], 'No kernel specified'],
    [{}, ['disk=bad'], 'Invalid disk specifier: bad'],
    [{}, ['disk=phy:sda1,sda1,x'], 'Invalid mode'],
    [{}, ['vif=foo=bar'], 'Invalid vif option: foo'],
    [{}, ['vif=foo'], 'foo should be a pair, separated by an equals sign.'],
    [{}, ['blkif=maybe'], 'Invalid value:maybe'],
    [{}, ['memory=much'], 'Invalid value for memory: much'],
    [{ memory: 1.5 }, [], 'Invalid value for memory: 1.5'],
    [{ memory: -5 }, [], 'Invalid value for memory: -5 (allowed: 1 to 1048576)'],
    [{ memory: ['64'] }, [], 'memory must not be a list.'],
    [{ disk: [1] }, [], 'disk must be a list of strings.'],
    [{ vcpus: 33 }, [], 'Invalid value for vcpus: 33 (allowed: 1 to 32)'],
    [{ vcpus: 4, maxvcpus: 2 }, [], 'maxvcpus (2) is less than vcpus (4).'],
    [{ memory: 64, maxmem: 32 }, [], 'maxmem (32 MiB) is less than memory (64 MiB).'],
    [{ on_crash: 'foo' }, [], 'invalid restart event: on_crash = foo'],
    [{ restart: 'foo' }, [], 'invalid restart mode: foo'],
    [{ name: 'a b' }, [], 'Invalid VM Name'],
    [{ name: '' }, [], 'Missing VM Name'],
    [{ uuid: 'xyz' }, [], 'Invalid uuid: xyz'],
    [{ cpus: '0-' }, [], 'Invalid list of CPUs: 0-'],
    [{ nfs_root: '/x' }, [], 'Must set nfs root and nfs server'],
    [{ builder: 'hvm' }, [], 'HVM guest support is unavailable: this machine runs paravirtualised (64-bit PV) kernels only.'],
    [{ builder: 'foo' }, [], 'unknown image type: foo'],
    [{ type: 'hvm' }, [], "Domains of type 'hvm' are not supported; only type = 'pv' is."],
    [{ bootloader: '/usr/bin/pygrub' }, [], 'No disks configured and boot loader requested'],
    [{ pci: ['01:00.0'] }, [], 'pci= is not supported by this machine; remove it from the configuration.'],
    [{ disk: ['phy:sda1,sdz9999,w'] }, [], 'Unable to find number for device (sdz9999)'],
    [{ disk: ['nbd:1.2.3.4,sda1,w'] }, [], 'Invalid disk source: nbd:1.2.3.4'],
    [{ disk: ['tap:vmdk:/x,sda1,w'] }, [], 'aio, sync, qcow and qcow2 are supported'],
    [{ disk: ['phy:a,sda1,w,3'] }, [], 'Domain 3 is no driver domain'],
    [{ disk: ['phy:a,sda1,w', 'phy:b,/dev/sda1,r'] }, [], 'There are two disks sda1 (device 2049).'],
    [{ vif: [''] }, [], 'vif= is not supported yet: this machine has no network back end. Remove vif= (and nics=).'],
    [{ nics: 1 }, [], 'vif= is not supported yet: this machine has no network back end. Remove vif= (and nics=).'],
  ];
  it.each(rows)('%j %j', (script, words, message) => {
    expect(() => configure(script, ...words)).toThrow(message);
  });
});

describe('domainConfiguration', () => {
  it('fills in what is not given', () => {
    expect(configure({})).toMatchObject({
      name: 'vm',
      uuid: undefined,
      memoryMiB: 128,
      maxMemoryMiB: 128,
      vcpus: 1,
      maxVcpus: 1,
      cpus: undefined,
      onPoweroff: 'destroy',
      onReboot: 'restart',
      onCrash: 'restart',
    });
  });

  it('understands the deprecated restart=, under explicit events', () => {
    expect(configure({ restart: 'always', on_crash: 'preserve' })).toMatchObject({
      onPoweroff: 'restart',
      onReboot: 'restart',
      onCrash: 'preserve',
    });
    expect(configure({ restart: 'onreboot' })).toMatchObject({ onPoweroff: 'destroy', onReboot: 'restart', onCrash: 'destroy' });
  });

  it('takes CPUs as text, list or number', () => {
    for (const cpus of ['0-1', [0, 1], ['0', '1']]) expect(configure({ cpus }).cpus).toEqual([0, 1]);
    expect(configure({ cpu: 1 }).cpus).toEqual([1]);
    expect(configure({ cpu: -1 }).cpus).toBeUndefined();
  });
});

describe('lists of CPUs', () => {
  const rows: [text: string, cpus: number[] | undefined, printed: string][] = [
    ['0', [0], '0'],
    ['0-3', [0, 1, 2, 3], '0-3'],
    ['0-3,5,^1', [0, 2, 3, 5], '0,2-3,5'],
    ['0-3,^1,1', [0, 1, 2, 3], '0-3'],
    ['all', undefined, 'any cpu'],
  ];
  it.each(rows)('%s', (text, cpus, printed) => {
    expect(parseCpuList(text)).toEqual(cpus);
    expect(formatCpuList(cpus)).toBe(printed);
  });
  it.each(['x', '3-1', '^0', '0-99999', '-'])('refuses %s', (text) => {
    expect(() => parseCpuList(text)).toThrow('Invalid list of CPUs');
  });
  it('prints an empty set', () => {
    expect(formatCpuList([])).toBe('no cpus');
  });
});

describe('amounts of memory', () => {
  it.each([
    ['64', 64],
    ['1G', 1024],
    ['2048K', 2],
    ['3000k', 2],
    ['5M', 5],
  ])('%s', (text, mib) => {
    expect(parseMemoryMiB(text)).toBe(mib);
  });
  it.each([
    ['0', 'Invalid memory size'],
    ['-5', 'Invalid memory size'],
    ['512K', 'Invalid memory size'],
    ['many', 'Invalid argument.'],
    ['5T', 'Invalid argument.'],
  ])('refuses %s', (text, message) => {
    expect(() => parseMemoryMiB(text)).toThrow(message);
  });
});
