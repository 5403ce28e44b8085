/**
 * `npm run images -- debian`: a disk with a minimal Debian 12, made by Debian's own tools (mmdebstrap, mke2fs), as a base image of the
 * site in public/disks/. Takes root, since the files of the disk have owners.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeBaseImage } from './base-image.ts';
import { PackageError } from './debian-packages.ts';
import { readDiskManifest, writeDiskManifest } from './disk-manifest.ts';

const NAME = 'debian-12';
const SUITE = 'bookworm';
const SIZE_BYTES = 2 * 1024 * 1024 * 1024;
const INCLUDED = ['systemd-sysv', 'udev', 'login', 'procps', 'iproute2', 'iputils-ping', 'e2fsprogs', 'python3', 'less', 'nano'];
const WORK = 'build/debian-disk';

/** Left out of the packages: nobody reads them on a console. Copyright files stay. */
const EXCLUDED = ['/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*', '/usr/share/doc/*'];

const FILES: Readonly<Record<string, string>> = {
  'etc/hostname': 'debian\n',
  'etc/hosts': '127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n',
  'etc/fstab': '/dev/xvda / ext4 errors=remount-ro 0 1\n',
  'etc/issue': 'Debian GNU/Linux 12 on \\n, \\l. Log in as root with the password xen.\n\n',
  'etc/machine-id': '',
  // As images/rootfs/lib/guest/disk-queues, which says why.
  'etc/udev/rules.d/60-xen-disk-queues.rules':
    'ACTION=="add|change", SUBSYSTEM=="block", ENV{DEVTYPE}=="disk", KERNEL=="xvd*", ATTR{queue/scheduler}="none", ATTR{queue/read_ahead_kb}="1024"\n',
  'etc/apt/sources.list': '# Where packages come from: put the address of a mirror here once the guest has a network.\n',
};

function tool(program: string, packageName: string): void {
  if (spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined || existsSync(`/sbin/${program}`)) return;
  console.log(`images: installing ${packageName}`);
  const { status } = spawnSync('apt-get', ['install', '-q', '-y', '--no-install-recommends', packageName], { stdio: 'ignore' });
  if (status !== 0) throw new PackageError(`${program} is needed: apt-get install ${packageName}`);
}

/** This machine's own sources of Debian packages, or the mirror that WEBXEN_DEBIAN_MIRROR names; else what mmdebstrap takes by itself. */
function sources(): string[] {
  const mirror = process.env['WEBXEN_DEBIAN_MIRROR'];
  if (mirror !== undefined) return [mirror];
  return ['/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.sources'].filter((path) => existsSync(path)).slice(-1);
}

export function makeDebianDisk(directory: string): void {
  if (process.getuid?.() !== 0) throw new PackageError('The Debian disk takes root to make: run npm run images -- debian as root.');
  tool('mmdebstrap', 'mmdebstrap');
  tool('mke2fs', 'e2fsprogs');
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(WORK, { recursive: true });
  const root = join(WORK, 'root');
  console.log(`images: a minimal Debian 12 (${SUITE})`);
  const bootstrap = spawnSync(
    'mmdebstrap',
    [
      '--variant=minbase',
      '--quiet',
      `--include=${INCLUDED.join(',')}`,
      '--aptopt=Acquire::Languages "none"',
      ...EXCLUDED.map((path) => `--dpkgopt=path-exclude=${path}`),
      '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      SUITE,
      root,
      ...sources(),
    ],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  if (bootstrap.status !== 0)
    throw new PackageError(`mmdebstrap failed:\n${bootstrap.stderr.trim().split('\n').slice(-8).join('\n')}`);
  for (const [path, text] of Object.entries(FILES)) writeFileSync(join(root, path), text);
  rmSync(join(root, 'etc/apt/sources.list.d'), { recursive: true, force: true });
  mkdirSync(join(root, 'etc/apt/sources.list.d'));
  for (const path of ['var/cache/apt', 'var/lib/apt/lists', 'var/log']) {
    execFileSync('find', [join(root, path), '-type', 'f', '-delete']);
  }
  execFileSync('chroot', [root, 'chpasswd'], { input: 'root:xen\n' });
  const listed = execFileSync('chroot', [root, 'dpkg-query', '-W', '-f', '${Package} ${Version} ${source:Package}\\n'], {
    encoding: 'utf8',
  });
  const packages = listed
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', version = '', source = ''] = line.split(' ');
      return { package: name, version, source: `Debian source package ${source}, to be had with apt-get source ${source}` };
    });

  const image = join(WORK, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, SIZE_BYTES);
  const made = spawnSync('mke2fs', ['-q', '-t', 'ext4', '-m', '1', '-L', NAME, '-d', root, image], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/sbin:/usr/sbin` },
  });
  if (made.status !== 0) throw new PackageError(`mke2fs failed: ${made.stderr.trim()}`);
  mkdirSync(directory, { recursive: true });
  const { disks } = readDiskManifest(directory);
  for (const { data, index } of disks.filter(({ name }) => name === NAME))
    for (const file of [data, index]) rmSync(join(directory, file), { force: true });
  const files = writeBaseImage(image, directory, NAME);
  writeDiskManifest(directory, {
    version: 1,
    disks: [
      ...disks.filter(({ name }) => name !== NAME),
      {
        name: NAME,
        description: 'A minimal Debian 12; the licence of each package is in its /usr/share/doc/PACKAGE/copyright',
        ...files,
        packages,
      },
    ],
  });
  rmSync(WORK, { recursive: true, force: true });
  console.log(`images: ${files.data}, ${(files.dataBytes / 1e6).toFixed(1)} MB of a disk of ${SIZE_BYTES / 2 ** 20} MiB`);
}
