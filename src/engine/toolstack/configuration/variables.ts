/**
 * The variables a configuration may set, with their types, as `xm create` of Xen 3.0 knew them, and a few of later releases
 * that people's files contain. What stands here is recognised; what of it cannot be honoured is refused later by name.
 */

export type VariableType = 'string' | 'integer' | 'number' | 'boolean' | 'list';

export interface Variable {
  readonly name: string;
  readonly type: VariableType;
  readonly description: string;
}

const variable = (name: string, type: VariableType, description: string): Variable => ({ name, type, description });

export const VARIABLES: readonly Variable[] = [
  variable('name', 'string', 'unique name of the domain; default: name of the file'),
  variable('uuid', 'string', '128-bit identity; default: random'),
  variable('memory', 'integer', 'memory at start, MiB; default 128'),
  variable('maxmem', 'integer', 'ceiling for ballooning, MiB; default: memory'),
  variable('shadow_memory', 'integer', 'shadow memory of a fully virtualised domain, MiB'),
  variable('vcpus', 'integer', 'virtual CPUs at start; default 1'),
  variable('maxvcpus', 'integer', 'virtual CPUs that can be plugged in; default: vcpus'),
  variable('cpu', 'integer', 'physical CPU of virtual CPU 0; -1 = any'),
  variable('cpus', 'string', 'physical CPUs the domain may use, such as "0-3,5,^1"'),
  variable('cpu_cap', 'integer', 'share of a physical CPU at most, percent; 0 = no limit'),
  variable('cpu_weight', 'number', 'weight for the scheduler'),
  variable('builder', 'string', 'function that builds the domain; default linux'),
  variable('type', 'string', 'kind of domain: pv'),
  variable('bootloader', 'string', 'program that finds the kernel on the first disk'),
  variable('bootentry', 'string', 'deprecated: argument of the boot loader'),
  variable('bootargs', 'string', 'arguments of the boot loader'),
  variable('features', 'string', 'features to enable in the guest kernel'),
  variable('kernel', 'string', 'path of the kernel image'),
  variable('ramdisk', 'string', 'path of the initial ramdisk'),
  variable('root', 'string', 'root= parameter of the kernel'),
  variable('extra', 'string', 'further parameters of the kernel'),
  variable('cmdline', 'string', 'whole command line of the kernel, instead of root and extra'),
  variable('ip', 'string', 'address for the kernel to configure'),
  variable('gateway', 'string', 'gateway for the kernel to configure'),
  variable('netmask', 'string', 'network mask for the kernel to configure'),
  variable('hostname', 'string', 'host name for the kernel to configure'),
  variable('interface', 'string', 'interface for the kernel to configure; default eth0'),
  variable('dhcp', 'string', '"dhcp": the kernel asks for its address; default off'),
  variable('nfs_server', 'string', 'address of the NFS server of the root file system'),
  variable('nfs_root', 'string', 'path of the root file system on the NFS server'),
  variable('on_poweroff', 'string', 'when the guest powers off: destroy, restart, preserve or rename-restart'),
  variable('on_reboot', 'string', 'when the guest reboots; default restart'),
  variable('on_crash', 'string', 'when the guest crashes; default restart'),
  variable('restart', 'string', 'deprecated: onreboot, always or never'),
  variable('on_xend_start', 'string', 'ignore or start'),
  variable('on_xend_stop', 'string', 'ignore, shutdown or suspend'),
  variable('disk', 'list', "disks: 'phy:DEVICE,VDEV,MODE' or 'file:PATH,VDEV,MODE'"),
  variable('vif', 'list', "network interfaces: 'mac=MAC, bridge=BRIDGE'"),
  variable('nics', 'integer', 'deprecated: number of network interfaces'),
  variable('vtpm', 'list', 'virtual TPMs'),
  variable('vfb', 'list', 'paravirtual frame buffers'),
  variable('pci', 'list', 'PCI devices to pass through'),
  variable('ioports', 'list', 'I/O port ranges to pass through'),
  variable('irq', 'list', 'interrupts to pass through'),
  variable('usb', 'string', 'USB devices'),
  variable('access_control', 'list', 'security label'),
  variable('blkif', 'boolean', 'the domain is a block back end'),
  variable('netif', 'boolean', 'the domain is a network back end'),
  variable('tpmif', 'boolean', 'the domain is a TPM back end'),
  variable('console', 'string', 'ignored: consoles go through the store'),
];

const BY_NAME = new Map(VARIABLES.map((entry) => [entry.name, entry]));

export function variableNamed(name: string): Variable | undefined {
  return BY_NAME.get(name);
}
