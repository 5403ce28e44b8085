/**
 * One domain, from its configuration to a guest that waits paused at its first instruction: images are read, memory is
 * reserved, the hypervisor builds, the store's nodes are written, the daemons connect. Whatever fails, nothing is left over.
 */
import type { BuiltDomain, Domid, HypervisorControl } from '../../hypervisor/control.ts';
import type { FetchProgress, FileSystem } from '../../storage/file-system.ts';
import { FileSystemError } from '../../storage/file-system-error.ts';
import { resolvePath } from '../../storage/path.ts';
import type { StoreClient } from '../../xenstore/client.ts';
import { attachDisks } from '../devices/block-devices.ts';
import type { DomainConfiguration } from '../configuration/domain-configuration.ts';
import type { Cancellation, Clock, Entropy } from '../services.ts';
import { Interrupted, unlessCancelled } from '../services.ts';
import { parseUuid } from '../uuid.ts';
import { XendError } from '../xend-error.ts';
import { removeDomainTree, writeDomainTree } from './domain-tree.ts';
import type { ManagedDomain } from './managed-domain.ts';

export const PAGES_PER_MIB = 256;

/** The other daemons, which take up a domain's pages and channels. */
export interface DomainDaemons {
  /** xenstored is introduced to the domain, xenconsoled opens its console. */
  connect(domid: Domid, name: string, built: BuiltDomain): void;
  /** The domain has shut down but is still there. */
  shutDown(domid: Domid): void;
  /** Before the domain's memory goes: nothing may touch its pages afterwards. */
  disconnect(domid: Domid): void;
}

export interface BuildServices {
  readonly control: HypervisorControl;
  readonly store: StoreClient;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly daemons: DomainDaemons;
}

export interface CreateOptions {
  /** Told while the kernel and the ramdisk are being fetched. */
  readonly onFetch?: (path: string, loadedBytes: number, totalBytes: number) => void;
  readonly cancellation?: Cancellation;
}

export async function buildDomain(
  services: BuildServices,
  configuration: DomainConfiguration,
  uuid: string,
  options: CreateOptions,
): Promise<ManagedDomain> {
  const { control, daemons, store } = services;
  const kernel = await readImage(services.files, 'Kernel image', configuration.kernel, options);
  const ramdisk =
    configuration.ramdisk === '' ? undefined : await readImage(services.files, 'Kernel ramdisk', configuration.ramdisk, options);
  stopIfCancelled(options.cancellation);
  requireMemory(control, configuration.maxMemoryMiB);
  const domid = await control.createDomain({
    maxPages: configuration.maxMemoryMiB * PAGES_PER_MIB,
    maxVcpus: configuration.maxVcpus,
    handle: parseUuid(uuid) ?? new Uint8Array(16),
  });
  let connecting = false;
  try {
    const built = await control.buildDomain(domid, {
      kernel,
      ramdisk,
      commandLine: configuration.commandLine,
      pages: configuration.memoryMiB * PAGES_PER_MIB,
      features: configuration.features,
    });
    stopIfCancelled(options.cancellation);
    pinAll(control, domid, configuration);
    const startTimeMs = services.clock.nowMs();
    const domain: ManagedDomain = {
      domid,
      name: configuration.name,
      uuid,
      configuration,
      startTimeMs,
      built,
      memoryMiB: configuration.memoryMiB,
      maxMemoryMiB: configuration.maxMemoryMiB,
      requested: undefined,
      cancelShutdownLimit: () => undefined,
      dying: false,
    };
    store.transaction((access) => writeDomainTree(access, treeSpecification(domain)));
    connecting = true;
    daemons.connect(domid, configuration.name, built);
    await attachDisks(services, domain, configuration.disks, options.cancellation);
    return domain;
  } catch (error) {
    if (connecting) daemons.disconnect(domid);
    await control.destroyDomain(domid);
    store.transaction((access) => removeDomainTree(access, domid, uuid));
    throw error;
  }
}

function treeSpecification(domain: ManagedDomain): Parameters<typeof writeDomainTree>[1] {
  const { configuration } = domain;
  return {
    domid: domain.domid,
    name: domain.name,
    uuid: domain.uuid,
    memoryKiB: configuration.memoryMiB * 1024,
    maxMemoryKiB: configuration.maxMemoryMiB * 1024,
    vcpus: configuration.vcpus,
    maxVcpus: configuration.maxVcpus,
    kernel: configuration.kernel,
    ramdisk: configuration.ramdisk,
    commandLine: configuration.commandLine,
    startTime: domain.startTimeMs / 1000,
    built: domain.built,
  };
}

function stopIfCancelled(cancellation: Cancellation | undefined): void {
  if (cancellation?.cancelled === true) throw new Interrupted();
}

async function readImage(files: FileSystem, what: string, name: string, options: CreateOptions): Promise<Uint8Array> {
  stopIfCancelled(options.cancellation);
  const path = resolvePath('/', name);
  const onProgress: FetchProgress = (loaded, total) => options.onFetch?.(path, loaded, total);
  try {
    return await unlessCancelled(files.readFileWithProgress(path, onProgress), options.cancellation);
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') throw new XendError(`${what} does not exist: ${path}`);
    throw new XendError(`${what} cannot be read: ${path}: ${error.message}`);
  }
}

function requireMemory(control: HypervisorControl, memoryMiB: number): void {
  const { freePages, totalPages } = control.physical();
  const needKiB = memoryMiB * 1024;
  if (needKiB > totalPages * 4)
    throw new XendError(
      `This machine has ${Math.floor(totalPages / PAGES_PER_MIB)} MiB of memory in all; the domain asks for ${memoryMiB} MiB.`,
    );
  if (needKiB > freePages * 4)
    throw new XendError(
      `Not enough free memory and dom0_min_mem is 0, so I cannot release any more.  I need ${needKiB} KiB but only have ${freePages * 4}.`,
    );
}

/** vCPU n gets entry n of the list, beginning again at its end. */
function pinAll(control: HypervisorControl, domid: Domid, { name, cpus, maxVcpus }: DomainConfiguration): void {
  if (cpus === undefined) return;
  for (let vcpu = 0; vcpu < maxVcpus; vcpu++) {
    const cpu = cpus[vcpu % cpus.length];
    pinVcpu(control, domid, name, vcpu, cpu === undefined ? undefined : [cpu]);
  }
}

/** `cpus` undefined: any. */
export function pinVcpu(
  control: HypervisorControl,
  domid: Domid,
  name: string,
  vcpu: number,
  cpus: readonly number[] | undefined,
): void {
  if (!control.vcpus(domid).some((entry) => entry.vcpu === vcpu))
    throw new XendError(`Domain '${name}' has no virtual CPU ${vcpu}.`);
  const { pcpus } = control.physical();
  const missing = cpus?.find((cpu) => cpu >= pcpus);
  if (missing !== undefined)
    throw new XendError(`There is no physical CPU ${missing}; this machine has ${pcpus} (0 to ${pcpus - 1}).`);
  control.setAffinity(domid, vcpu, cpus);
}
