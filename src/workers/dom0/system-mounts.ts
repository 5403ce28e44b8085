/** What domain 0 mounts over its root at every boot: /proc, as far as scripts and people look there, and /dev. */
import { DeviceDirectory } from '../../engine/storage/device-directory.ts';
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { NativeFileSystem } from '../../engine/storage/native/native-file-system.ts';
import { SECTOR_BYTES } from '../../engine/storage/disk-image.ts';
import { encodeUtf8 } from '../../engine/storage/utf8.ts';
import { DOM0_IDENTITY } from '../../engine/toolstack/dom0-identity.ts';
import type { Clock } from '../../engine/toolstack/services.ts';

const MOUNTED_TYPES = ['ext3', 'ext2', 'ext4'];

export async function mountSystemFiles(files: FileSystem, clock: Clock, bootTimeMs: number): Promise<void> {
  const now = (): number => clock.nowMs();
  const devices = await DeviceDirectory.make(files.devices, now);
  const { fileSystem: proc } = await NativeFileSystem.open({ type: 'proc', now });
  for (const path of ['/dev', '/proc']) await files.makeDirectory(path, { recursive: true });
  await files.mount(devices.fileSystem, '/dev', { source: 'udev', refresh: () => devices.refresh() });
  await files.mount(proc, '/proc', { source: 'proc' });
  const { system, release, version } = DOM0_IDENTITY;
  const generated: readonly (readonly [path: string, make: () => string])[] = [
    ['uptime', () => `${((now() - bootTimeMs) / 1000).toFixed(2)} 0.00\n`],
    ['version', () => `${system} version ${release} ${version}\n`],
    ['xen/capabilities', () => 'control_d\n'],
    ['mounts', () => mountLines(files)],
    ['filesystems', () => `nodev\tproc\nnodev\tdevtmpfs\nnodev\ttmpfs\n${MOUNTED_TYPES.map((type) => `\t${type}\n`).join('')}`],
    ['partitions', () => partitionLines(files)],
  ];
  for (const [path, make] of generated) await files.mountGenerated(`/proc/${path}`, { read: () => encodeUtf8(make()) });
  await files.makeDirectory('/etc', { recursive: true });
  await files.addLink('/etc/mtab', '/proc/mounts');
}

/** As in /proc/mounts: blanks in names as octal numbers. */
function mountLines(files: FileSystem): string {
  const escaped = (text: string): string =>
    text.replaceAll(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return files.mounts
    .list()
    .map(
      ({ source, path, fileSystem, options, readOnly }) =>
        `${escaped(source)} ${escaped(path)} ${fileSystem.type} ${[readOnly ? 'ro' : 'rw', ...options].join(',')} 0 0\n`,
    )
    .join('');
}

function partitionLines(files: FileSystem): string {
  const rows = files.devices.entries().flatMap(({ name, device, image }) => {
    if (image === undefined) return [];
    const kibibytes = Math.floor((image.sectors * SECTOR_BYTES) / 1024);
    return `${String(device.major).padStart(4)} ${String(device.minor).padStart(8)} ${String(kibibytes).padStart(10)} ${name}\n`;
  });
  return `major minor  #blocks  name\n\n${rows.join('')}`;
}
