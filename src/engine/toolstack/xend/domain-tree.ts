/**
 * The nodes xend writes for a domain, and takes away again: what the guest's xenbus drivers look for, who may read and write
 * it. Nodes owned by the guest are those it writes itself; the others it may read.
 *
 *   /vm/UUID                    name, uuid, image, start time: lives as long as the virtual machine, restarts included
 *   /local/domain/N             the running domain
 *   /local/domain/0/backend/... dom0's end of each device
 */
import type { BuiltDomain, Domid } from '../../hypervisor/control.ts';
import type { StoreAccess } from '../../xenstore/client.ts';
import type { Permissions } from '../../xenstore/permissions.ts';
import { removeAllBlockBackends } from '../devices/block-nodes.ts';

export const CONSOLE_LIMIT_BYTES = 1024 * 1024;
const STATE_INITIALISING = '1';

export interface DomainTreeSpecification {
  readonly domid: Domid;
  readonly name: string;
  readonly uuid: string;
  readonly memoryKiB: number;
  readonly maxMemoryKiB: number;
  /** vCPUs 0 .. vcpus-1 are online, the others up to maxVcpus can be plugged in. */
  readonly vcpus: number;
  readonly maxVcpus: number;
  readonly kernel: string;
  readonly ramdisk: string;
  readonly commandLine: string;
  /** Seconds since 1970. */
  readonly startTime: number;
  readonly built: BuiltDomain;
}

export const domainPath = (domid: number): string => `/local/domain/${domid}`;
export const vmPath = (uuid: string): string => `/vm/${uuid}`;
const consoleBackendPath = (domid: number): string => `/local/domain/0/backend/console/${domid}`;

/** All of it, in one transaction of the caller's. */
export function writeDomainTree(store: StoreAccess, specification: DomainTreeSpecification): void {
  const { domid, built } = specification;
  const readable: Permissions = [
    { domid: 0, access: 'n' },
    { domid, access: 'r' },
  ];
  const guests: Permissions = [{ domid, access: 'n' }];
  const root = domainPath(domid);
  const put = (path: string, value: string | number = '', permissions = readable): void => {
    store.write(path, String(value));
    store.setPermissions(path, permissions);
  };

  const vm = vmPath(specification.uuid);
  put(vm);
  put(`${vm}/name`, specification.name);
  put(`${vm}/uuid`, specification.uuid);
  put(`${vm}/image`);
  put(`${vm}/image/ostype`, built.guestOs);
  put(`${vm}/image/kernel`, specification.kernel);
  put(`${vm}/image/ramdisk`, specification.ramdisk);
  put(`${vm}/image/cmdline`, specification.commandLine);
  put(`${vm}/start_time`, specification.startTime.toFixed(2));

  put(root);
  put(`${root}/vm`, vm);
  put(`${root}/name`, specification.name);
  put(`${root}/cpu`);
  for (let vcpu = 0; vcpu < specification.maxVcpus; vcpu++) {
    put(`${root}/cpu/${vcpu}`);
    put(`${root}/cpu/${vcpu}/availability`, vcpu < specification.vcpus ? 'online' : 'offline');
  }
  put(`${root}/memory`);
  put(`${root}/memory/static-max`, specification.maxMemoryKiB);
  put(`${root}/memory/target`, specification.memoryKiB);
  put(`${root}/memory/videoram`, 0);
  put(`${root}/device`);
  put(`${root}/device/suspend`);
  put(`${root}/device/suspend/event-channel`, '', guests);
  put(`${root}/control`);
  for (const name of ['shutdown', 'feature-poweroff', 'feature-reboot', 'feature-suspend', 'sysrq'])
    put(`${root}/control/${name}`, '', guests);
  put(`${root}/control/platform-feature-multiprocessor-suspend`, 1);
  put(`${root}/control/platform-feature-xs_reset_watches`, 1);
  for (const name of ['data', 'drivers', 'feature', 'attr', 'error']) put(`${root}/${name}`, '', guests);
  put(`${root}/domid`, domid);
  put(`${root}/store`);
  put(`${root}/store/port`, built.storePort);
  put(`${root}/store/ring-ref`, built.storeMfn);

  const backend = `${consoleBackendPath(domid)}/0`;
  put(`${root}/console`);
  put(`${root}/console/backend`, backend);
  put(`${root}/console/backend-id`, 0, [
    { domid, access: 'n' },
    { domid: 0, access: 'r' },
  ]);
  put(`${root}/console/limit`, CONSOLE_LIMIT_BYTES);
  put(`${root}/console/type`, 'xenconsoled');
  put(`${root}/console/output`, 'pty');
  put(`${root}/console/tty`, `/dev/pts/${domid}`);
  put(`${root}/console/port`, built.consolePort);
  put(`${root}/console/ring-ref`, built.consoleMfn);
  store.write(consoleBackendPath(domid), '');
  put(backend);
  put(`${backend}/frontend`, `${root}/console`);
  put(`${backend}/frontend-id`, domid);
  put(`${backend}/online`, 1);
  put(`${backend}/state`, STATE_INITIALISING);
  put(`${backend}/protocol`, 'vt100');
}

/** `uuid`: given when the virtual machine itself ends, left out when it is about to be built again. */
export function removeDomainTree(store: StoreAccess, domid: Domid, uuid: string | undefined): void {
  store.remove(domainPath(domid));
  store.remove(consoleBackendPath(domid));
  removeAllBlockBackends(store, domid);
  if (uuid !== undefined) store.remove(vmPath(uuid));
}

/** What stands in the store before the first domain is made. */
export function writeHostTree(store: StoreAccess, memoryKiB: number): void {
  const root = domainPath(0);
  store.write('/tool/xenstored', '');
  for (const name of ['poweroff', 'reboot', 'suspend']) store.write(`${root}/control/feature-${name}`, '1');
  store.write(`${root}/domid`, '0');
  store.write(`${root}/name`, 'Domain-0');
  store.write(`${root}/memory/target`, String(memoryKiB));
  store.write(`${root}/memory/static-max`, String(memoryKiB));
  store.write('/local/pool/0/name', 'Pool-0');
}
