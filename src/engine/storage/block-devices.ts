/** Devices that dom0's programs open by name: who has block devices tells them here; /dev shows them, and opens end here. */
import type { DiskImage } from './disk-image.ts';
import type { DeviceNumber } from './mountable.ts';

export interface BlockDeviceEntry {
  /** Below /dev: "vg/root", "loop0", "sda1". */
  readonly name: string;
  readonly device: DeviceNumber;
  /** undefined while there is nothing behind the name: a loop device without a file. */
  readonly image: DiskImage | undefined;
}

export class BlockDeviceTable {
  private readonly providers = new Set<() => Iterable<BlockDeviceEntry>>();

  /** `provider` is asked whenever somebody looks: it tells what there is at that moment. */
  add(provider: () => Iterable<BlockDeviceEntry>): void {
    this.providers.add(provider);
  }

  entries(): BlockDeviceEntry[] {
    return [...this.providers].flatMap((provider) => [...provider()]);
  }

  find({ major, minor }: DeviceNumber): BlockDeviceEntry | undefined {
    return this.entries().find(({ device }) => device.major === major && device.minor === minor);
  }
}

/** Character devices by their numbers in Linux. */
export const CHARACTER_DEVICES = [
  { name: 'null', major: 1, minor: 3, mode: 0o666 },
  { name: 'zero', major: 1, minor: 5, mode: 0o666 },
  { name: 'full', major: 1, minor: 7, mode: 0o666 },
  { name: 'random', major: 1, minor: 8, mode: 0o666 },
  { name: 'urandom', major: 1, minor: 9, mode: 0o666 },
  { name: 'tty', major: 5, minor: 0, mode: 0o666 },
  { name: 'console', major: 5, minor: 1, mode: 0o600 },
  { name: 'ptmx', major: 5, minor: 2, mode: 0o666 },
  { name: 'kmsg', major: 1, minor: 11, mode: 0o600 },
  { name: 'tty1', major: 4, minor: 1, mode: 0o600 },
  { name: 'hvc0', major: 229, minor: 0, mode: 0o600 },
  { name: 'xvc0', major: 204, minor: 191, mode: 0o600 },
] as const;
