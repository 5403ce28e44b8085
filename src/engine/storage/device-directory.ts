/** /dev: a file system in memory with the usual character devices, and a node for each block device there is at the moment. */
import { CHARACTER_DEVICES, type BlockDeviceTable } from './block-devices.ts';
import { NativeFileSystem } from './native/native-file-system.ts';

const BLOCK_MODE = 0o660;
const DIRECTORY_MODE = 0o755;

export class DeviceDirectory {
  /** Names below /dev that this made, with the devices they stand for. */
  private shown = new Map<string, string>();

  private constructor(
    readonly fileSystem: NativeFileSystem,
    private readonly table: BlockDeviceTable,
  ) {}

  static async make(table: BlockDeviceTable, now: () => number): Promise<DeviceDirectory> {
    const { fileSystem } = await NativeFileSystem.open({ type: 'devtmpfs', now });
    const { root } = fileSystem;
    for (const { name, major, minor, mode } of CHARACTER_DEVICES)
      fileSystem.addTransient(root, name, { kind: 'character-device', device: { major, minor } }, mode);
    for (const [name, target] of [
      ['stdin', '/proc/self/fd/0'],
      ['stdout', '/proc/self/fd/1'],
      ['stderr', '/proc/self/fd/2'],
    ] as const)
      fileSystem.addTransient(root, name, { kind: 'symlink', target }, 0o777);
    for (const name of ['pts', 'shm']) fileSystem.addTransient(root, name, { kind: 'directory' }, DIRECTORY_MODE);
    const directory = new DeviceDirectory(fileSystem, table);
    directory.refresh();
    return directory;
  }

  /** Brings the nodes up to date with the devices. */
  refresh(): void {
    const present = new Map(this.table.entries().map(({ name, device }) => [name, device] as const));
    const next = new Map([...present].map(([name, { major, minor }]) => [name, `${major}:${minor}`] as const));
    for (const [name, device] of this.shown) if (next.get(name) !== device) this.remove(name.split('/'));
    for (const [name, device] of present) if (this.shown.get(name) !== next.get(name)) this.add(name.split('/'), device);
    this.shown = next;
  }

  private add(parts: readonly string[], device: { readonly major: number; readonly minor: number }): void {
    let directory = this.fileSystem.root;
    for (const part of parts.slice(0, -1)) {
      if (this.fileSystem.lookupNow(directory, part) === undefined)
        this.fileSystem.addTransient(directory, part, { kind: 'directory' }, DIRECTORY_MODE);
      const below = this.fileSystem.lookupNow(directory, part);
      if (below === undefined) return;
      directory = below;
    }
    this.fileSystem.addTransient(directory, parts.at(-1) ?? '', { kind: 'block-device', device }, BLOCK_MODE);
  }

  /** With the directories that hold nothing else. A name that somebody else has taken away is no matter. */
  private remove(parts: readonly string[]): void {
    const trail: number[] = [this.fileSystem.root];
    for (const part of parts.slice(0, -1)) {
      const below = this.fileSystem.lookupNow(trail.at(-1) ?? 0, part);
      if (below === undefined) return;
      trail.push(below);
    }
    for (let depth = parts.length - 1; depth >= 0; depth -= 1) {
      if (!this.fileSystem.removeTransient(trail[depth] ?? 0, parts[depth] ?? '')) return;
    }
  }
}
