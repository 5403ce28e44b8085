/** The nodes of a virtual disk: both ends' directories as xend writes them, and takes them away. */
import { XenbusStateClosing, XenbusStateInitialising } from '../../abi/xenbus.ts';
import type { StoreAccess } from '../../xenstore/client.ts';
import type { Permissions } from '../../xenstore/permissions.ts';
import type { BlockSpecification } from './block-specification.ts';

const BACKEND_ROOT = '/local/domain/0/backend';
const BACKEND_CLASSES = ['vbd', 'tap'] as const;

export const blockFrontendPath = (domid: number, id: number): string => `/local/domain/${domid}/device/vbd/${id}`;

export function blockBackendPath(domid: number, { deviceClass, id }: Pick<BlockSpecification, 'deviceClass' | 'id'>): string {
  return `${BACKEND_ROOT}/${deviceClass}/${domid}/${id}`;
}

/** Both ends, in state Initialising; within a transaction of the caller's. */
export function writeBlockNodes(store: StoreAccess, domid: number, domainName: string, disk: BlockSpecification): void {
  const frontend = blockFrontendPath(domid, disk.id);
  const backend = blockBackendPath(domid, disk);
  const guests: Permissions = [
    { domid, access: 'n' },
    { domid: 0, access: 'r' },
  ];
  const ours: Permissions = [
    { domid: 0, access: 'n' },
    { domid, access: 'r' },
  ];
  const put = (path: string, value: string | number, permissions: Permissions): void => {
    store.write(path, String(value));
    store.setPermissions(path, permissions);
  };
  const parent = frontend.slice(0, frontend.lastIndexOf('/'));
  if (!store.exists(parent)) put(parent, '', ours);
  put(frontend, '', guests);
  put(`${frontend}/backend`, backend, guests);
  put(`${frontend}/backend-id`, 0, guests);
  put(`${frontend}/state`, XenbusStateInitialising, guests);
  put(`${frontend}/virtual-device`, disk.id, guests);
  put(`${frontend}/device-type`, disk.deviceType, guests);
  put(backend, '', ours);
  put(`${backend}/domain`, domainName, ours);
  put(`${backend}/frontend`, frontend, ours);
  put(`${backend}/frontend-id`, domid, ours);
  put(`${backend}/dev`, disk.device, ours);
  put(`${backend}/device-type`, disk.deviceType, ours);
  put(`${backend}/type`, disk.type, ours);
  put(`${backend}/params`, disk.params, ours);
  put(`${backend}/mode`, disk.mode, ours);
  put(`${backend}/online`, 1, ours);
  put(`${backend}/state`, XenbusStateInitialising, ours);
}

/** Asks the front end to let the disk go. */
export function askToDetach(store: StoreAccess, backend: string): void {
  store.write(`${backend}/online`, '0');
  store.write(`${backend}/state`, String(XenbusStateClosing));
}

export function removeBlockNodes(store: StoreAccess, domid: number, disk: Pick<BlockSpecification, 'deviceClass' | 'id'>): void {
  for (const path of [blockBackendPath(domid, disk), blockFrontendPath(domid, disk.id)]) {
    store.remove(path);
    removeIfEmpty(store, path.slice(0, path.lastIndexOf('/')));
  }
  removeIfEmpty(store, `${BACKEND_ROOT}/${disk.deviceClass}`);
}

function removeIfEmpty(store: StoreAccess, path: string): void {
  if (store.list(path)?.length === 0) store.remove(path);
}

/** Back ends of all disks of a domain, which live outside its own directory. */
export function removeAllBlockBackends(store: StoreAccess, domid: number): void {
  for (const name of BACKEND_CLASSES) {
    store.remove(`${BACKEND_ROOT}/${name}/${domid}`);
    removeIfEmpty(store, `${BACKEND_ROOT}/${name}`);
  }
}

/** Directories of the back ends of a domain's disks. */
export function blockBackends(store: StoreAccess, domid: number): { readonly id: number; readonly path: string }[] {
  return BACKEND_CLASSES.flatMap((name) => {
    const parent = `${BACKEND_ROOT}/${name}/${domid}`;
    return (store.list(parent) ?? []).map((id) => ({ id: Number(id), path: `${parent}/${id}` }));
  });
}
