/** Virtual disks of running domains: put there, waited for, taken away, listed. What the back end does is seen in the store. */
import { XenbusStateClosed } from '../../abi/xenbus.ts';
import type { StoreClient } from '../../xenstore/client.ts';
import { Interrupted, type Cancellation, type Clock } from '../services.ts';
import { XendError } from '../xend-error.ts';
import {
  askToDetach,
  blockBackendPath,
  blockBackends,
  blockFrontendPath,
  removeBlockNodes,
  writeBlockNodes,
} from './block-nodes.ts';
import type { BlockSpecification } from './block-specification.ts';

/** How long a back end may take to open an image, and a guest to let a disk go. */
const NO_BACKEND = 'Backend device not found.';
const HOTPLUG_LIMIT_MS = 100_000;
const DETACH_LIMIT_MS = 10_000;

export interface BlockServices {
  readonly store: StoreClient;
  readonly clock: Clock;
}

export interface BlockDeviceSummary {
  readonly id: number;
  /** Name in the guest, "sda1". */
  readonly device: string;
  readonly backendId: number;
  /** State of the front end, -1 = unknown. */
  readonly state: number;
  readonly eventChannel: number;
  readonly ringRef: number;
  readonly backend: string;
}

let watches = 0;

/** Resolves when `isOver` says so; it is asked after every change at or below the path. False after the limit. */
function until(
  { clock, store }: BlockServices,
  path: string,
  limitMs: number,
  isOver: () => boolean,
  cancellation?: Cancellation,
): Promise<boolean> {
  watches += 1;
  const token = `xend-block-${watches}`;
  return new Promise((resolve, reject) => {
    let forget: () => void = () => undefined;
    const end = (settle: () => void): void => {
      stopClock();
      forget();
      store.unwatch(path, token);
      settle();
    };
    const stopClock = clock.after(limitMs, () => {
      end(() => {
        resolve(false);
      });
    });
    store.watch(path, token, () => {
      if (isOver()) {
        end(() => {
          resolve(true);
        });
      }
    });
    forget =
      cancellation?.onCancel(() => {
        end(() => {
          reject(new Interrupted());
        });
      }) ?? forget;
  });
}

/** Describes the disks to both ends and waits until the back end has them. Throws XendError; the nodes are left to the caller. */
export async function attachDisks(
  services: BlockServices,
  domain: { readonly domid: number; readonly name: string },
  disks: readonly BlockSpecification[],
  cancellation?: Cancellation,
): Promise<void> {
  const { store } = services;
  store.transaction((access) => {
    for (const disk of disks) {
      if (access.exists(blockFrontendPath(domain.domid, disk.id))) {
        throw new XendError(`Device ${disk.id} (${disk.deviceClass}) is already connected.`);
      }
      writeBlockNodes(access, domain.domid, domain.name, disk);
    }
  });
  for (const disk of disks) {
    const path = blockBackendPath(domain.domid, disk);
    const status = (): string | undefined => store.read(`${path}/hotplug-status`);
    const failed = `Device ${disk.id} (${disk.deviceClass}) could not be connected.`;
    const answered = await until(services, `${path}/hotplug-status`, HOTPLUG_LIMIT_MS, () => status() !== undefined, cancellation);
    if (!answered) throw new XendError(`${failed} Hotplug scripts not working.`);
    if (status() === 'connected') continue;
    const reason = store.read(`${path}/hotplug-error`) ?? NO_BACKEND;
    // xend's own words go on in the line; what the script says begins a line of its own.
    throw new XendError(`${failed}${reason === NO_BACKEND ? ' ' : '\n'}${reason}`);
  }
}

/** One more disk for a domain that runs; taken back when it cannot be connected. */
export async function attachDisk(
  services: BlockServices,
  domain: { readonly domid: number; readonly name: string },
  disk: BlockSpecification,
): Promise<void> {
  const present = services.store.exists(blockFrontendPath(domain.domid, disk.id));
  try {
    await attachDisks(services, domain, [disk]);
  } catch (error) {
    if (!present) services.store.transaction((access) => removeBlockNodes(access, domain.domid, disk));
    throw error;
  }
}

/**
 * Asks the guest to let a disk go and removes it. Without `force` a guest that still uses it keeps it, which is an error after
 * a while; with it the disk is taken away.
 */
export async function detachDisk(services: BlockServices, domid: number, designation: string, force: boolean): Promise<void> {
  const { store } = services;
  const disk = listDisks(store, domid).find(
    ({ device, id }) => String(id) === designation || device === designation.replace(/^\/dev\//, ''),
  );
  if (disk === undefined) throw new XendError(`Device ${designation} (vbd) is not connected to the domain.`);
  store.transaction((access) => {
    askToDetach(access, disk.backend);
  });
  const frontState = `${blockFrontendPath(domid, disk.id)}/state`;
  const isGone = (): boolean => store.read(frontState) === undefined || store.read(frontState) === String(XenbusStateClosed);
  // A guest that never had a driver for it has nothing to let go.
  const unused = disk.state === 1;
  const released = unused || force || (await until(services, frontState, DETACH_LIMIT_MS, isGone));
  if (!released) throw new XendError(`Device ${disk.id} (vbd) disconnect failed: the guest still uses it.`);
  const deviceClass = disk.backend.includes('/backend/tap/') ? 'tap' : 'vbd';
  store.transaction((access) => {
    removeBlockNodes(access, domid, { deviceClass, id: disk.id });
  });
}

/** By number of the device. What the guest wrote is shown as far as it is a number. */
export function listDisks(store: StoreClient, domid: number): BlockDeviceSummary[] {
  const number = (path: string): number => {
    const text = store.read(path) ?? '';
    return /^\d{1,10}$/.test(text) ? Number(text) : -1;
  };
  return blockBackends(store, domid)
    .map(({ id, path }) => {
      const frontend = blockFrontendPath(domid, id);
      return {
        id,
        device: store.read(`${path}/dev`) ?? '??',
        backendId: 0,
        state: number(`${frontend}/state`),
        eventChannel: number(`${frontend}/event-channel`),
        ringRef: number(`${frontend}/ring-ref`),
        backend: path,
      };
    })
    .sort((a, b) => a.id - b.id);
}
