/**
 * The S-expression (vm ...) in which xm describes a domain to xend, made of the settings; `xm create -n` prints it. Settings
 * that are empty or zero are left out.
 */
import type { Sxp } from '../sxp.ts';
import { XendError } from '../xend-error.ts';
import { diskSxp, vifSxp } from './devices.ts';
import type { Settings } from './settings.ts';
import { listSetting, numberSetting, textSetting } from './settings.ts';

/** Linux wants some server in the field when it takes its address from the command line. */
const NO_NFS_SERVER = '1.2.3.4';

const UNSUPPORTED = ['pci', 'ioports', 'irq', 'usb', 'vtpm', 'vfb', 'access_control', 'blkif', 'netif', 'tpmif'];

const RESTART_MODES: Readonly<Record<string, readonly [poweroff: string, reboot: string, crash: string]>> = {
  onreboot: ['destroy', 'restart', 'destroy'],
  always: ['restart', 'restart', 'restart'],
  never: ['destroy', 'destroy', 'destroy'],
};

export function vmSxp(settings: Settings): Sxp {
  refuseUnsupported(settings);
  const vm: Sxp[] = ['vm'];
  const add = (element: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '' && value !== 0) vm.push([element, String(value)]);
  };
  add('name', textSetting(settings, 'name'));
  add('memory', numberSetting(settings, 'memory') ?? 128);
  add('maxmem', numberSetting(settings, 'maxmem'));
  add('shadow_memory', numberSetting(settings, 'shadow_memory'));
  const events = restartEvents(settings);
  add('on_poweroff', events[0]);
  add('on_reboot', events[1]);
  add('on_crash', events[2]);
  add('vcpus', numberSetting(settings, 'vcpus') ?? 1);
  add('maxvcpus', numberSetting(settings, 'maxvcpus'));
  add('features', textSetting(settings, 'features'));
  add('uuid', textSetting(settings, 'uuid'));
  const cpu = numberSetting(settings, 'cpu');
  if (cpu !== undefined && cpu >= 0) vm.push(['cpu', String(cpu)]);
  add('cpus', textSetting(settings, 'cpus'));
  add('cpu_cap', numberSetting(settings, 'cpu_cap'));
  add('cpu_weight', numberSetting(settings, 'cpu_weight'));
  add('bootloader', textSetting(settings, 'bootloader'));
  vm.push(['image', imageSxp(settings)]);
  for (const disk of listSetting(settings, 'disk')) vm.push(diskSxp(disk));
  const vifs = [...listSetting(settings, 'vif')];
  while (vifs.length < Math.min(numberSetting(settings, 'nics') ?? 0, 64)) vifs.push('');
  for (const vif of vifs) vm.push(vifSxp(vif));
  return vm;
}

function refuseUnsupported(settings: Settings): void {
  for (const name of UNSUPPORTED) {
    const value = settings.get(name);
    const empty =
      value === undefined || value === '' || value === 0 || value === '0' || (typeof value === 'object' && value.length === 0);
    if (!empty) throw new XendError(`${name}= is not supported by this machine; remove it from the configuration.`);
  }
  const type = textSetting(settings, 'type');
  if (type !== '' && type !== 'pv') throw new XendError(`Domains of type '${type}' are not supported; only type = 'pv' is.`);
}

/** on_poweroff, on_reboot, on_crash: explicit ones win over the deprecated restart=. */
function restartEvents(settings: Settings): readonly [string, string, string] {
  const restart = textSetting(settings, 'restart');
  const mode = RESTART_MODES[restart] ?? ['', '', ''];
  if (restart !== '' && RESTART_MODES[restart] === undefined) throw new XendError(`invalid restart mode: ${restart}`);
  return [
    textSetting(settings, 'on_poweroff') || mode[0],
    textSetting(settings, 'on_reboot') || mode[1],
    textSetting(settings, 'on_crash') || mode[2],
  ];
}

function imageSxp(settings: Settings): Sxp {
  const kernel = textSetting(settings, 'kernel');
  if (kernel === '' && textSetting(settings, 'bootloader') === '') throw new XendError('No kernel specified');
  const image: Sxp[] = [textSetting(settings, 'builder') || 'linux'];
  const add = (element: string, value: string): void => {
    if (value !== '') image.push([element, value]);
  };
  add('kernel', kernel);
  add('ramdisk', textSetting(settings, 'ramdisk'));
  add('ip', addressParameter(settings));
  const root = textSetting(settings, 'root');
  add('root', root.startsWith('root=') ? root.slice('root='.length) : root);
  add('args', extraParameters(settings));
  add('cmdline', textSetting(settings, 'cmdline'));
  return image;
}

/** client:server:gateway:netmask:host:interface:autoconfiguration, or '' when neither ip nor dhcp is set. */
function addressParameter(settings: Settings): string {
  const ip = textSetting(settings, 'ip');
  const dhcp = textSetting(settings, 'dhcp') || 'off';
  if (ip === '' && dhcp === 'off') return '';
  return [
    ip,
    textSetting(settings, 'nfs_server') || NO_NFS_SERVER,
    textSetting(settings, 'gateway'),
    textSetting(settings, 'netmask'),
    textSetting(settings, 'hostname'),
    textSetting(settings, 'interface') || 'eth0',
    dhcp,
  ].join(':');
}

function extraParameters(settings: Settings): string {
  const extra = textSetting(settings, 'extra');
  const path = textSetting(settings, 'nfs_root');
  if (path === '') return extra;
  const server = textSetting(settings, 'nfs_server');
  if (server === '') throw new XendError('Must set nfs root and nfs server');
  return `nfsroot=${server}:${path} ${extra}`;
}
