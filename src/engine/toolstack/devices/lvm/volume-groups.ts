/**
 * LVM's view of the volume pool: physical volumes on partitions give extents to groups, logical volumes are volumes of the pool
 * called GROUP/NAME and take extents, a snapshot takes as many as were set aside for it. The extents are counted; the bytes lie in the pool,
 * not on the partition, which is what makes a snapshot a matter of milliseconds.
 *
 * A snapshot with space set aside fills up with every chunk in which it and its origin differ, and is invalid from the moment that
 * the space does not suffice: reading it is an error. One made without a size needs no space and never fills up.
 */
import { CHUNK_BYTES } from '../../../storage/chunk-store.ts';
import type { Volume } from '../../../storage/volume.ts';
import type { VolumePool } from '../../../storage/volume-pool.ts';
import { EXTENT_BYTES } from './sizes.ts';

const STATE_KEY = 'lvm:state';
const VERSION = 1;
/** What LVM keeps for itself at the start of a physical volume. */
const METADATA_BYTES = 1024 * 1024;

export interface PhysicalVolume {
  readonly device: string;
  readonly uuid: string;
  readonly sizeBytes: number;
  group?: string;
}

export interface VolumeGroup {
  readonly name: string;
  readonly uuid: string;
}

export interface Snapshot {
  readonly origin: string;
  cowBytes: number;
  invalid: boolean;
}

interface State {
  version: number;
  physical: PhysicalVolume[];
  groups: VolumeGroup[];
  snapshots: Record<string, Snapshot>;
}

export const groupOf = (volumeName: string): string => volumeName.slice(0, Math.max(0, volumeName.lastIndexOf('/')));
export const shortName = (volumeName: string): string => volumeName.slice(volumeName.lastIndexOf('/') + 1);
export const extentsOf = (bytes: number): number => Math.ceil(bytes / EXTENT_BYTES);

export class VolumeGroups {
  private readonly listeners = new Set<(snapshot: string) => void>();
  /** How far a snapshot was when its last event was sent, in tenths. */
  private readonly tenths = new Map<string, number>();
  private events = new Map<string, number>();

  private constructor(
    readonly pool: VolumePool,
    private readonly state: State,
    private readonly log: (line: string) => void,
  ) {
    for (const [name, { invalid }] of Object.entries(state.snapshots)) if (invalid) this.invalidate(name);
    pool.onCommitted((volumes) => {
      this.committed(volumes);
    });
  }

  static open(pool: VolumePool, log: (line: string) => void = () => undefined): VolumeGroups {
    const stored = pool.takeRecords(STATE_KEY).get(STATE_KEY);
    const fresh: State = { version: VERSION, physical: [], groups: [], snapshots: {} };
    // Only `save` writes the record, and the store gives back what was committed.
    const parsed = stored === undefined ? fresh : (JSON.parse(new TextDecoder().decode(stored)) as State);
    if (parsed.version !== VERSION) log(`lvm: the state has version ${parsed.version}, which this program does not know`);
    return new VolumeGroups(pool, parsed.version === VERSION ? parsed : fresh, log);
  }

  get physical(): readonly PhysicalVolume[] {
    return this.state.physical;
  }

  /** Groups that were made, and those that volumes of older machines are in: such a group has no physical volumes and no limit. */
  groups(): (VolumeGroup & { readonly limited: boolean })[] {
    const made = this.state.groups.map((group) => ({ ...group, limited: true }));
    const names = new Set(this.pool.names().map(groupOf));
    for (const { name } of made) names.delete(name);
    names.delete('');
    return [...made, ...[...names].map((name) => ({ name, uuid: '', limited: false }))];
  }

  volumes(group: string): Volume[] {
    return this.pool.names().flatMap((name) => (groupOf(name) === group ? (this.pool.volume(name) ?? []) : []));
  }

  snapshot(name: string): Snapshot | undefined {
    return this.state.snapshots[name];
  }

  /** Names of the snapshots of a volume. */
  snapshotsOf(origin: string): string[] {
    return Object.entries(this.state.snapshots).flatMap(([name, snapshot]) => (snapshot.origin === origin ? [name] : []));
  }

  /** Bytes of the space set aside that are used up. */
  usedBytes(name: string): number {
    const snapshot = this.snapshot(name);
    const [origin, volume] = [this.pool.volume(snapshot?.origin ?? ''), this.pool.volume(name)];
    if (snapshot === undefined || origin === undefined || volume === undefined) return 0;
    return Math.min(snapshot.cowBytes, this.pool.differingChunks(origin, volume) * CHUNK_BYTES);
  }

  totalExtents(group: string): number {
    return this.state.physical
      .filter((physical) => physical.group === group)
      .reduce((sum, physical) => sum + extentsOfPhysical(physical), 0);
  }

  takenExtents(group: string): number {
    return this.volumes(group).reduce((sum, { name, sizeBytes }) => sum + extentsOf(this.snapshot(name)?.cowBytes ?? sizeBytes), 0);
  }

  freeExtents(group: string): number {
    const limited = this.groups().find(({ name }) => name === group)?.limited ?? false;
    return limited ? this.totalExtents(group) - this.takenExtents(group) : Infinity;
  }

  addPhysical(physical: PhysicalVolume): Promise<void> {
    this.state.physical = [...this.state.physical.filter(({ device }) => device !== physical.device), physical];
    return this.save();
  }

  removePhysical(device: string): Promise<void> {
    this.state.physical = this.state.physical.filter((physical) => physical.device !== device);
    return this.save();
  }

  assign(device: string, group: string | undefined): Promise<void> {
    for (const physical of this.state.physical) {
      if (physical.device !== device) continue;
      if (group === undefined) delete physical.group;
      else physical.group = group;
    }
    return this.save();
  }

  async createGroup(group: VolumeGroup, devices: readonly string[]): Promise<void> {
    this.state.groups.push(group);
    for (const physical of this.state.physical) if (devices.includes(physical.device)) physical.group = group.name;
    await this.save();
  }

  removeGroup(name: string): Promise<void> {
    this.state.groups = this.state.groups.filter((group) => group.name !== name);
    for (const physical of this.state.physical) if (physical.group === name) delete physical.group;
    return this.save();
  }

  /** @param cowBytes space set aside; undefined = it needs none */
  async createSnapshot(origin: Volume, name: string, cowBytes: number | undefined, readOnly: boolean): Promise<void> {
    await this.pool.clone(origin, name, { readOnly });
    if (cowBytes === undefined) return;
    this.state.snapshots[name] = { origin: origin.name, cowBytes, invalid: false };
    await this.save();
  }

  async resizeSnapshot(name: string, cowBytes: number): Promise<void> {
    const snapshot = this.snapshot(name);
    if (snapshot !== undefined) snapshot.cowBytes = cowBytes;
    await this.save();
  }

  /** Removes volumes; what is said about them goes in the same commit. */
  async remove(volumes: readonly Volume[]): Promise<void> {
    for (const { name } of volumes) Reflect.deleteProperty(this.state.snapshots, name);
    await this.pool.commit({ removed: volumes, records: [this.record()] });
  }

  /** Events of a snapshot so far: one for each tenth that fills up, and one when it becomes invalid. */
  eventsOf(name: string): number {
    return this.events.get(name) ?? 0;
  }

  /** The function returned ends it. */
  onEvent(listener: (snapshot: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private committed(volumes: readonly Volume[]): void {
    const names = new Set(volumes.map(({ name }) => name));
    for (const [name, snapshot] of Object.entries(this.state.snapshots)) {
      if (snapshot.invalid || !(names.has(name) || names.has(snapshot.origin))) continue;
      const [origin, volume] = [this.pool.volume(snapshot.origin), this.pool.volume(name)];
      if (origin === undefined || volume === undefined) continue;
      const used = this.pool.differingChunks(origin, volume) * CHUNK_BYTES;
      const tenth = Math.floor((used / snapshot.cowBytes) * 10);
      if (used > snapshot.cowBytes) {
        snapshot.invalid = true;
        this.invalidate(name);
        this.log(`device-mapper: snapshots: Invalidating snapshot ${name}: Unable to allocate exception.`);
        this.save().catch((error: unknown) => {
          this.log(`lvm: ${String(error)}`);
        });
      } else if (tenth <= (this.tenths.get(name) ?? 0)) continue;
      this.tenths.set(name, tenth);
      this.events.set(name, this.eventsOf(name) + 1);
      for (const listener of [...this.listeners]) listener(name);
    }
  }

  private invalidate(name: string): void {
    this.pool.volume(name)?.invalidate(`snapshot ${name} is invalid: its space has filled up`);
  }

  private record(): readonly [string, Uint8Array] {
    return [STATE_KEY, new TextEncoder().encode(JSON.stringify(this.state))];
  }

  private save(): Promise<void> {
    return this.pool.commit({ records: [this.record()] });
  }
}

export const extentsOfPhysical = ({ sizeBytes }: PhysicalVolume): number =>
  Math.max(0, Math.floor((sizeBytes - METADATA_BYTES) / EXTENT_BYTES));
