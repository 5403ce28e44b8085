/**
 * Domain 0's block back end: watches the part of the store where xend writes virtual block devices, and keeps a BlockDevice for
 * each one there.
 */
import type { StoreClient } from '../../xenstore/client.ts';
import { BlockDevice, DEFAULT_OFFER, type BlockDescription, type BlockDeviceServices, type BlockOffer } from './block-device.ts';

const TOKEN = 'blkback';
/** Both classes of device that xend writes; `tap` differs in the name only. */
const CLASSES = ['vbd', 'tap'] as const;

export type BlockBackendServices = Omit<BlockDeviceServices, 'offer'> & { readonly offer?: BlockOffer };

interface Entry {
  readonly device: BlockDevice;
  readonly frontDomid: number;
}

export class BlockBackend {
  private readonly devices = new Map<string, Entry>();
  private readonly services: BlockDeviceServices;
  private readonly store: StoreClient;

  constructor(services: BlockBackendServices) {
    this.services = { ...services, offer: services.offer ?? DEFAULT_OFFER };
    this.store = services.store;
    for (const name of CLASSES) {
      const root = `/local/domain/0/backend/${name}`;
      this.store.watch(root, TOKEN, (path) => {
        this.changed(root, path);
      });
    }
  }

  /** The device whose back end's directory this is. */
  device(path: string): BlockDevice | undefined {
    return this.devices.get(path)?.device;
  }

  /** Before a domain's memory goes: none of its devices touches it afterwards. Resolves when their images are closed. */
  async disconnectDomain(domid: number): Promise<void> {
    const leaving = [...this.devices].filter(([, { frontDomid }]) => frontDomid === domid);
    await Promise.all(leaving.map(([path]) => this.remove(path)));
  }

  private changed(root: string, path: string): void {
    if (path === root) {
      for (const domid of this.store.list(root) ?? [])
        for (const id of this.store.list(`${root}/${domid}`) ?? []) this.look(root, domid, id);
      for (const known of this.devices.keys())
        if (known.startsWith(`${root}/`) && !this.store.exists(known)) void this.remove(known);
      return;
    }
    const [domid, id] = path.slice(root.length + 1).split('/');
    if (domid === undefined) return;
    if (id !== undefined) this.look(root, domid, id);
    else
      for (const known of this.devices.keys())
        if (known.startsWith(`${path}/`) && !this.store.exists(known)) void this.remove(known);
  }

  private look(root: string, domid: string, id: string): void {
    const path = `${root}/${domid}/${id}`;
    const known = this.devices.has(path);
    if (!this.store.exists(path)) {
      if (known) void this.remove(path);
      return;
    }
    if (known) return;
    const read = (name: string): string | undefined => this.store.read(`${path}/${name}`);
    const frontend = read('frontend');
    const [type, params, mode] = [read('type'), read('params'), read('mode')];
    // xend writes a device in one transaction: what is incomplete is not one of its devices.
    if (frontend === undefined || type === undefined || params === undefined || mode === undefined) return;
    const description: BlockDescription = { frontDomid: Number(domid), id: Number(id), type, params, mode };
    if (!Number.isInteger(description.frontDomid) || !Number.isInteger(description.id)) return;
    const device = new BlockDevice(this.services, path, frontend, description);
    this.devices.set(path, { device, frontDomid: description.frontDomid });
    device.start().catch((error: unknown) => {
      this.services.log(`blkback: ${device.name} could not be started: ${String(error)}`);
    });
  }

  private async remove(path: string): Promise<void> {
    const entry = this.devices.get(path);
    if (entry === undefined) return;
    this.devices.delete(path);
    try {
      await entry.device.close();
    } catch (error) {
      this.services.log(`blkback: ${entry.device.name} could not be closed: ${String(error)}`);
    }
  }
}
