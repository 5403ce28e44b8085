/** What xend makes of (vm ...): a checked configuration, from which a domain can be built, and built again. */
import type { Sxp } from '../sxp.ts';
import { childrenOf, textOf } from '../sxp.ts';
import { parseUuid, formatUuid } from '../uuid.ts';
import { XendError } from '../xend-error.ts';
import { blockSpecification, type BlockSpecification } from '../devices/block-specification.ts';
import { parseCpuList } from './cpu-list.ts';

export const RESTART_EVENTS = ['destroy', 'restart', 'preserve', 'rename-restart'] as const;
export type RestartEvent = (typeof RESTART_EVENTS)[number];

export const MAX_VCPUS = 32;
/** 1 TiB: far above what a machine has, and safe to count in pages and KiB. */
const MAX_MEMORY_MIB = 1024 * 1024;

export interface DomainConfiguration {
  readonly name: string;
  /** undefined: xend makes one up. */
  readonly uuid: string | undefined;
  readonly memoryMiB: number;
  readonly maxMemoryMiB: number;
  readonly vcpus: number;
  readonly maxVcpus: number;
  /** Physical CPUs; undefined = any. */
  readonly cpus: readonly number[] | undefined;
  readonly cpuWeight: string;
  readonly features: string;
  readonly kernel: string;
  readonly ramdisk: string;
  /** As the guest sees it. */
  readonly commandLine: string;
  readonly onPoweroff: RestartEvent;
  readonly onReboot: RestartEvent;
  readonly onCrash: RestartEvent;
  /** (linux (kernel ...) ...), for showing. */
  readonly image: Sxp;
  /** (device ...) lists as given. */
  readonly devices: readonly Sxp[];
  readonly disks: readonly BlockSpecification[];
}

export function checkName(name: string): void {
  if (name === '') throw new XendError('Missing VM Name');
  if (!/^[A-Za-z0-9_\-.:/+]+$/.test(name) || name.length > 255) throw new XendError('Invalid VM Name');
}

/** Throws XendError with the sentence for the user. */
export function domainConfiguration(vm: Sxp): DomainConfiguration {
  if (typeof vm === 'string' || (vm[0] !== 'vm' && vm[0] !== 'domain'))
    throw new XendError('Not a domain configuration: (vm ...) expected');
  const name = textOf(vm, 'name') ?? '';
  checkName(name);
  const uuidText = textOf(vm, 'uuid');
  const uuidBytes = uuidText === undefined ? undefined : parseUuid(uuidText);
  if (uuidText !== undefined && uuidBytes === undefined) throw new XendError(`Invalid uuid: ${uuidText}`);
  const memoryMiB = whole(vm, 'memory', 128, 1, MAX_MEMORY_MIB);
  const maxMemoryMiB = whole(vm, 'maxmem', memoryMiB, 1, MAX_MEMORY_MIB);
  if (maxMemoryMiB < memoryMiB) throw new XendError(`maxmem (${maxMemoryMiB} MiB) is less than memory (${memoryMiB} MiB).`);
  const vcpus = whole(vm, 'vcpus', 1, 1, MAX_VCPUS);
  const maxVcpus = whole(vm, 'maxvcpus', vcpus, 1, MAX_VCPUS);
  if (maxVcpus < vcpus) throw new XendError(`maxvcpus (${maxVcpus}) is less than vcpus (${vcpus}).`);
  const devices = childrenOf(vm, 'device');
  const image = childrenOf(vm, 'image')[0]?.[1];
  if (textOf(vm, 'bootloader') !== undefined) {
    if (!devices.some((device) => isDisk(device))) throw new XendError('No disks configured and boot loader requested');
    throw new XendError('Boot loaders are not supported; give kernel= and ramdisk=.');
  }
  if (image === undefined || typeof image === 'string') throw new XendError('No kernel specified');
  refuseImage(image);
  refuseDevices(devices);
  const kernel = textOf(image, 'kernel') ?? '';
  if (kernel === '') throw new XendError('No kernel specified');
  return {
    name,
    uuid: uuidBytes === undefined ? undefined : formatUuid(uuidBytes),
    memoryMiB,
    maxMemoryMiB,
    vcpus,
    maxVcpus,
    cpus: parseCpuList(textOf(vm, 'cpus') ?? textOf(vm, 'cpu') ?? ''),
    cpuWeight: textOf(vm, 'cpu_weight') ?? '',
    features: textOf(vm, 'features') ?? '',
    kernel,
    ramdisk: textOf(image, 'ramdisk') ?? '',
    commandLine: commandLine(image),
    onPoweroff: restartEvent(vm, 'on_poweroff', 'destroy'),
    onReboot: restartEvent(vm, 'on_reboot', 'restart'),
    onCrash: restartEvent(vm, 'on_crash', 'restart'),
    image,
    devices,
    disks: disksOf(devices),
  };
}

/** " ip=... root=... args": one blank before each part; (cmdline ...) replaces all of it. */
function commandLine(image: Sxp): string {
  const whole = textOf(image, 'cmdline');
  if (whole !== undefined) return whole;
  const ip = textOf(image, 'ip') ?? '';
  const root = textOf(image, 'root') ?? '';
  const args = textOf(image, 'args') ?? '';
  return `${ip === '' ? '' : ` ip=${ip}`}${root === '' ? '' : ` root=${root}`}${args === '' ? '' : ` ${args}`}`;
}

function whole(vm: Sxp, name: string, preset: number, lowest: number, highest: number): number {
  const text = textOf(vm, name);
  if (text === undefined) return preset;
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= lowest && value <= highest))
    throw new XendError(`Invalid value for ${name}: ${text} (allowed: ${lowest} to ${highest})`);
  return value;
}

function restartEvent(vm: Sxp, name: string, preset: RestartEvent): RestartEvent {
  const text = textOf(vm, name) ?? preset;
  const event = RESTART_EVENTS.find((candidate) => candidate === text);
  if (event === undefined) throw new XendError(`invalid restart event: ${name} = ${text}`);
  return event;
}

function refuseImage(image: readonly Sxp[]): void {
  const builder = typeof image[0] === 'string' ? image[0] : '';
  if (builder === 'hvm' || builder === 'vmx')
    throw new XendError('HVM guest support is unavailable: this machine runs paravirtualised (64-bit PV) kernels only.');
  if (builder !== 'linux' && builder !== 'generic') throw new XendError(`unknown image type: ${builder}`);
}

function classOf(device: readonly Sxp[]): string {
  const body = device[1];
  const name = typeof body === 'string' ? body : body?.[0];
  return typeof name === 'string' ? name : '';
}

function isDisk(device: readonly Sxp[]): boolean {
  return ['vbd', 'tap'].includes(classOf(device));
}

/** The virtual disks; no two may have the same number. */
function disksOf(devices: readonly (readonly Sxp[])[]): BlockSpecification[] {
  const disks = devices.filter((device) => isDisk(device)).map((device) => blockSpecification(device[1] ?? []));
  disks.forEach(({ device, id }, n) => {
    if (disks.findIndex((other) => other.id === id) < n) throw new XendError(`There are two disks ${device} (device ${id}).`);
  });
  return disks;
}

/** There is no network back end yet: saying so beats a guest that waits for its interface for ever. */
function refuseDevices(devices: readonly (readonly Sxp[])[]): void {
  for (const device of devices) {
    const kind = classOf(device);
    if (isDisk(device)) continue;
    if (kind === 'vif')
      throw new XendError('vif= is not supported yet: this machine has no network back end. Remove vif= (and nics=).');
    throw new XendError(`Devices of class '${kind}' are not supported.`);
  }
}
