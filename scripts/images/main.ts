/**
 * `npm run images [-- tests] [-- --force]`: makes the guest images in public/images/ (or, for tests, in build/test-images/) from
 * Debian packages. Does nothing when they are there and made by this recipe.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PackageError, packageSource, type PackageSource, unpack } from './debian-packages.ts';
import { collectModules } from './kernel-modules.ts';
import { type ImageRecord, imageRecord, packageRecord, recipeOf, upToDate, writeManifest } from './manifest.ts';
import { addGuestSystem, Tree } from './ramdisk.ts';
import { makeDebianDisk } from './debian-disk.ts';
import { readDiskManifest, writeDiskManifest } from './disk-manifest.ts';
import { makeDiskPrograms } from './disk-programs.ts';
import { makeTestImages } from './test-ramdisk.ts';
import { contentsOf, type Kernel, packTar, timeOf, userlandTree } from './userland.ts';

interface KernelChoice {
  /** Package that always depends on the newest kernel of its kind. */
  readonly metapackage: string;
  readonly alias: string;
  readonly description: string;
}

const KERNELS: readonly KernelChoice[] = [
  { metapackage: 'linux-image-cloud-amd64', alias: 'cloud', description: "Debian's kernel for virtual machines" },
  { metapackage: 'linux-image-amd64', alias: 'amd64', description: "Debian's kernel for all machines" },
];

/** Drivers and file systems a guest is likely to need before its root disk is there; what is built in is left out. */
const MODULES = [
  'xen-blkfront',
  'xen-netfront',
  'xenfs',
  'xen-evtchn',
  'ext4',
  'crc32c_generic',
  'isofs',
  'vfat',
  'nls_cp437',
  'nls_ascii',
  'overlay',
];

const outputDirectory = 'public/images';
const testDirectory = 'build/test-images';
const soakDirectory = 'build/soak-images';
const diskDirectory = 'public/disks';

async function makeImages(source: PackageSource, recipe: string): Promise<void> {
  console.log('images: busybox-static');
  const busybox = unpack(await source.fetch('busybox-static'));
  const busyboxProgram = readFileSync(join(busybox.directory, 'bin/busybox'));

  rmSync(outputDirectory, { recursive: true, force: true });
  mkdirSync(outputDirectory, { recursive: true });
  const images: ImageRecord[] = [];
  const kernels: Kernel[] = [];
  const write = (fields: Omit<ImageRecord, 'bytes' | 'sha256'>, content: Uint8Array): void => {
    writeFileSync(join(outputDirectory, fields.file), content);
    images.push(imageRecord(fields, content));
    console.log(`images: ${fields.file}, ${(content.length / 1e6).toFixed(1)} MB`);
  };

  for (const choice of KERNELS) {
    const packageName = (await source.dependencies(choice.metapackage)).find((name) => name.startsWith('linux-image-'));
    if (packageName === undefined) throw new PackageError(`${choice.metapackage} depends on no kernel package.`);
    console.log(`images: ${choice.metapackage} is ${packageName}`);
    const kernel = unpack(await source.fetch(packageName));
    const file = readdirSync(join(kernel.directory, 'boot')).find((name) => name.startsWith('vmlinuz-'));
    if (file === undefined) throw new PackageError(`${packageName} holds no kernel in /boot.`);
    const release = file.slice('vmlinuz-'.length);
    write(
      {
        file,
        kind: 'kernel',
        aliases: [`vmlinuz-${choice.alias}`],
        description: choice.description,
        packages: [packageRecord(kernel)],
      },
      readFileSync(join(kernel.directory, 'boot', file)),
    );
    const moduleDirectory = join(kernel.directory, 'lib/modules', release);
    const tree = new Tree();
    tree.skeleton();
    addGuestSystem(tree, busyboxProgram);
    const modules = collectModules(moduleDirectory, MODULES);
    const builtin = readFileSync(join(moduleDirectory, 'modules.builtin'));
    tree.modules(release, modules, builtin);
    kernels.push({ release, modules, builtin, package: kernel });
    write(
      {
        file: `initrd.img-${release}`,
        kind: 'ramdisk',
        aliases: [`initrd.img-${choice.alias}`],
        description: `Small system for ${file}: a login on the console, or the disk of root=`,
        packages: [packageRecord(busybox), packageRecord(kernel)],
      },
      tree.pack(),
    );
  }
  const userland = userlandTree(busybox, kernels);
  const time = timeOf(busybox);
  write(
    {
      // Not .tar.gz: there are servers that then announce the compression, and browsers unpack.
      file: 'userland.img',
      kind: 'userland',
      aliases: [],
      description: "The system in domain 0's root that guests are given: busybox, settings, the kernels' modules",
      packages: [busybox, ...kernels.map((kernel) => kernel.package)].map(packageRecord),
      time,
      contents: contentsOf(userland),
    },
    packTar(userland, time),
  );
  writeManifest(outputDirectory, { version: 1, recipe, images });
}

/** What can be made: the site's images unless "tests" or "soak" is asked for. */
interface Target {
  readonly directory: string;
  /** Files and folders that it is made by, or of. */
  readonly sources: readonly string[];
  make(source: PackageSource, recipe: string): Promise<void>;
}

const common = ['images/rootfs', 'scripts/images'];
const targets: Readonly<Record<string, Target>> = {
  site: { directory: outputDirectory, sources: [...common, 'src/engine/storage/tar'], make: makeImages },
  tests: {
    directory: testDirectory,
    sources: [...common, 'images/checks'],
    make: (source, recipe) => makeTestImages(source, testDirectory, recipe),
  },
  soak: {
    directory: soakDirectory,
    sources: [...common, 'images/disks'],
    make: (source, recipe) => makeDiskPrograms(source, soakDirectory, recipe),
  },
};

async function main(): Promise<void> {
  const [name = 'site'] = process.argv.slice(2).filter((word) => !word.startsWith('-'));
  if (name === 'debian') {
    makeDebianDisk(diskDirectory);
    return;
  }
  // Without it each page would ask for a file that is not there.
  writeDiskManifest(diskDirectory, readDiskManifest(diskDirectory));
  const target = targets[name];
  if (target === undefined)
    throw new PackageError(`There are no images "${name}"; there are ${Object.keys(targets).join(', ')} and debian.`);
  const recipe = recipeOf(target.sources);
  if (!process.argv.includes('--force') && upToDate(target.directory, recipe)) {
    console.log(`images: ${target.directory} is up to date`);
  } else {
    await target.make(packageSource(), recipe);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof PackageError)) throw error;
  console.error(`images: ${error.message}`);
  process.exitCode = 1;
}
