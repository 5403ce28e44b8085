/** Domain 0 once it is up: its files, daemons, programs and terminals, put together. */
import type { BaseImage } from '../../engine/storage/base-image.ts';
import { mountBootFiles } from '../../engine/storage/boot-files.ts';
import { BlockDeviceTable } from '../../engine/storage/block-devices.ts';
import { FileSystem } from '../../engine/storage/file-system.ts';
import type { ChunkStore } from '../../engine/storage/chunk-store.ts';
import type { StoredInode } from '../../engine/storage/native/earlier-inode.ts';
import { recordsOfEarlierStore } from '../../engine/storage/native/earlier-store.ts';
import { NativeFileSystem, type StorageRoom } from '../../engine/storage/native/native-file-system.ts';
import { VolumePool } from '../../engine/storage/volume-pool.ts';
import { removeUnfinishedTransfers } from '../../engine/images/scratch.ts';
import type { Command } from '../../engine/toolstack/command.ts';
import { HardDisks } from '../../engine/toolstack/devices/hard-disks.ts';
import { volumeTools } from '../../engine/toolstack/devices/volume-tools.ts';
import type { ScriptEvaluator } from '../../engine/toolstack/configuration/script.ts';
import type { Clock } from '../../engine/toolstack/services.ts';
import { XendError, messageOf } from '../../engine/toolstack/xend-error.ts';
import { xenstoreTools } from '../../engine/toolstack/xenstore-tools.ts';
import type { DomainDaemons } from '../../engine/toolstack/xend/build-domain.ts';
import { Xend } from '../../engine/toolstack/xend/xend.ts';
import type { XmServices } from '../../engine/toolstack/xm/xm-command.ts';
import { subcommandNames, xmCommand } from '../../engine/toolstack/xm/xm.ts';
import type { StoreClient } from '../../engine/xenstore/client.ts';
import { XenstoreServer } from '../../engine/xenstore/server.ts';
import type { Domid } from '../../engine/hypervisor/control.ts';
import type { ImageCodecs } from '../decoders.ts';
import type { BootOptions, MachineStorage, Progress } from '../protocol.ts';
import type { History } from '../shell/history.ts';
import type { Programs } from '../shell/local-host.ts';
import type { SessionServices } from '../shell/session.ts';
import { openHistory } from '../shell/session.ts';
import type { ShellHost, ShellProcess } from '../shell/shell-host.ts';
import { MachineDisks } from '../storage/machine-disks.ts';
import { storageProgram, type StorageEstimate } from '../storage/storage-program.ts';
import { ConsoleDaemon } from './console-daemon.ts';
import { plantDefaultFiles, renewDefaultFiles } from './default-files.ts';
import { mountImageDirectory } from './image-directory.ts';
import { showSiteDisks } from './site-disks.ts';
import { showUserland } from './userland.ts';
import type { SiteImages } from './site-boot-files.ts';
import { DiskTransfers } from './disk-transfers.ts';
import { mountSystemFiles } from './system-mounts.ts';
import { Executor } from './executor.ts';
import type { CreateMachine, Machine } from './machine-interface.ts';
import { filePrograms } from './programs/file-programs.ts';
import { listFiles } from './programs/list-files.ts';
import { loopDevicesWanted } from './programs/module-options.ts';
import { pager } from './programs/pager.ts';
import { screenEditor } from './programs/screen-editor.ts';
import { qemuImg } from './programs/qemu-img.ts';
import { HostName, systemPrograms } from './programs/system.ts';

const BOOT_DIRECTORY = '/boot';

export interface EarlierFiles {
  readonly inodes: readonly StoredInode[];
  /** They are in the new store. */
  remove(): Promise<void>;
}

/** What differs between a browser and a test. */
export interface Dom0Platform {
  readonly createMachine: CreateMachine;
  readonly clock: Clock;
  readonly codecs: ImageCodecs;
  /** Where files and volumes are kept. */
  chunkStore(storage: MachineStorage): Promise<ChunkStore>;
  /** Removes what `chunkStore` made, once it is closed. */
  removeChunkStore(storage: MachineStorage): Promise<void>;
  /** Files that an earlier version of the machine left in a store of its own. */
  earlierFiles(storage: MachineStorage): Promise<EarlierFiles | undefined>;
  random(bytes: Uint8Array): void;
  /** What the browser says about its room. */
  estimate(): Promise<StorageEstimate>;
  bootFiles(): Promise<SiteImages>;
  baseImages(): Promise<readonly BaseImage[]>;
  scripts(): ScriptEvaluator;
  spawnShell(host: ShellHost, programs: readonly string[]): ShellProcess;
  /** Runs a task later, from a fresh stack, with room for other work in between. */
  schedule(task: () => void): void;
}

/** How long changes of files are gathered before they are stored. */
const COMMIT_DELAY_MS = 100;

export class Dom0System {
  readonly machine: Machine;
  readonly files: FileSystem;
  readonly xend: Xend;
  readonly consoles: ConsoleDaemon;
  readonly executor: Executor;
  readonly history: History;
  readonly session: SessionServices;
  readonly transfers: DiskTransfers;

  private constructor(parts: Omit<Dom0System, 'find'>) {
    this.machine = parts.machine;
    this.files = parts.files;
    this.xend = parts.xend;
    this.consoles = parts.consoles;
    this.executor = parts.executor;
    this.history = parts.history;
    this.session = parts.session;
    this.transfers = parts.transfers;
  }

  /** @param onProgress also called later, for each long task */
  static async boot(
    platform: Dom0Platform,
    { storage, commandLine = '' }: BootOptions,
    onProgress: (progress: Progress) => void,
  ): Promise<Dom0System> {
    const { clock } = platform;
    const bootTimeMs = clock.nowMs();
    const messages: string[] = [];
    const say = (text: string): void => {
      messages.push(`[${((clock.nowMs() - bootTimeMs) / 1000).toFixed(6).padStart(12)}] ${text}\n`);
    };
    const [machine, { baseImages, files, pool, root }, siteImages] = await Promise.all([
      during(onProgress, 'Starting the hypervisor', platform.createMachine(commandLine)),
      during(onProgress, 'Reading the files of domain 0', openFiles(platform, storage, say)),
      platform.bootFiles().catch((error: unknown): SiteImages => {
        say(`boot: ${messageOf(error)}`);
        return { files: [], fetch: (name) => Promise.reject(new Error(`there is no ${name}`)) };
      }),
    ]);
    await mountSystemFiles(files, clock, bootTimeMs);
    const bootFiles = reportingFetches(siteImages, onProgress);
    await mountBootFiles(files, BOOT_DIRECTORY, bootFiles);
    say(`boot: ${bootFiles.files.length} kernels and ramdisks in ${BOOT_DIRECTORY}`);
    if (siteImages.userland !== undefined)
      showUserland({
        images: bootFiles,
        gunzip: platform.codecs.gunzip,
        userland: siteImages.userland,
        root,
        clock,
        random: (bytes) => platform.random(bytes),
        whileMaking: (path, work) => during(onProgress, `Making ${path}`, work),
      });
    showSiteDisks(root, baseImages, clock.nowMs());
    await mountImageDirectory(files);

    const xenstored = new XenstoreServer({
      schedule: (task) => platform.schedule(task),
      log: (line) => machine.log(line),
      domainExists: (domid) => domid === 0 || machine.control.domain(domid as Domid) !== undefined,
      mapRing: (domid, mfn, port) => machine.mapRing(domid as Domid, mfn, port),
    });
    say('xenstored: ready');
    const random = (bytes: Uint8Array): void => platform.random(bytes);
    const disks = new MachineDisks({
      pool,
      hardDisks: await HardDisks.open(pool),
      files,
      loopDevices: await loopDevicesWanted(files),
      clock,
      decoders: platform.codecs,
      store: xenstored.connect(),
      guest: (domid) => machine.guest(domid as Domid),
      schedule: (task) => platform.schedule(task),
      log: (line) => machine.log(line),
    });
    say(`volumes: ${pool.names().length} of machine ${storage.machine} on ${storage.kind}`);
    const consoles = new ConsoleDaemon(clock, (line) => machine.log(line));
    const hostName = await HostName.read(files);
    const xend: Xend = new Xend({
      control: machine.control,
      store: xenstored.connect(),
      files,
      clock,
      entropy: machine.entropy,
      daemons: daemonsOf(machine, xenstored, consoles, disks, (domid) => xend.nameOf(domid)),
    });
    say('xend: ready');

    const tools = xenstored.connect();
    const services: XmServices = { xend, files, scripts: platform.scripts(), consoles, clock, hostName: () => hostName.name };
    const programs: Programs = collect([
      xmCommand(services, 'xm'),
      xmCommand(services, 'xl'),
      ...xenstoreTools(tools, clock),
      storageProgram({ pool, storage, estimate: () => platform.estimate() }),
      ...volumeTools({
        groups: disks.groups,
        disks: disks.hardDisks,
        isAttached: (volume) => disks.sources.isAttached(volume),
        isInUse: (device) => disks.sources.isInUse(device),
        random: (bytes) => machine.entropy.bytes(bytes),
      }),
      listFiles(files, clock),
      ...filePrograms({ files, clock, sources: disks.sources, random, codecs: platform.codecs }),
      qemuImg({ files, clock, sources: disks.sources, groups: disks.groups, codecs: platform.codecs }),
      pager(files, 'more'),
      pager(files, 'less'),
      ...['edit', 'nano', 'vi'].map((name) => screenEditor(files, name)),
      ...systemPrograms(
        { files, clock, bootTimeMs, bootMessages: () => messages.join(''), programs: () => [...programs.values()] },
        hostName,
      ),
    ]);
    const common = {
      files,
      programs,
      hostName: () => hostName.name,
      spawnShell: (host: ShellHost, names: readonly string[]) => platform.spawnShell(host, names),
    };
    return new Dom0System({
      machine,
      files,
      xend,
      consoles,
      executor: new Executor({ ...common, clock }),
      history: await openHistory(files),
      transfers: new DiskTransfers({
        pool,
        files,
        groups: disks.groups,
        sources: disks.sources,
        codecs: platform.codecs,
        machine: storage.machine,
      }),
      session: {
        ...common,
        completion: {
          subcommands: () => subcommandNames(),
          domainNames: () => xend.domains().map((domain) => domain.name),
          storeChildren: (path) => childrenOf(tools, path),
        },
      },
    });
  }

  /** A domain that is there, or the console of one that was; by name or id. Throws XendError. */
  find(designation: string | number): Domid {
    try {
      return this.xend.find(String(designation)).domid;
    } catch (error) {
      if (!(error instanceof XendError)) throw error;
      const ended =
        typeof designation === 'number' || /^\d+$/.test(designation)
          ? (Number(designation) as Domid)
          : this.consoles.endedNamed(designation);
      if (ended === undefined || !this.consoles.has(ended)) throw error;
      return ended;
    }
  }
}

/** Shows a task while it is under way. */
async function during<T>(onProgress: (progress: Progress) => void, task: string, work: Promise<T>): Promise<T> {
  onProgress({ task, fraction: undefined });
  try {
    return await work;
  } finally {
    onProgress({ task, fraction: 1 });
  }
}

async function openFiles(
  platform: Dom0Platform,
  storage: MachineStorage,
  say: (text: string) => void,
): Promise<{ baseImages: readonly BaseImage[]; files: FileSystem; pool: VolumePool; root: NativeFileSystem }> {
  const baseImages = await platform.baseImages().catch((error: unknown): BaseImage[] => {
    say(`disks: ${messageOf(error)}`);
    return [];
  });
  try {
    const crc32 = await platform.codecs.crc32();
    const pool = await VolumePool.open(await platform.chunkStore(storage), { baseImages, crc32, log: say });
    await removeUnfinishedTransfers(pool);
    let earlier: EarlierFiles | undefined;
    const { fileSystem: root, fresh } = await NativeFileSystem.open(
      {
        type: 'webxen',
        pool,
        now: () => platform.clock.nowMs(),
        defer: (callback) => platform.clock.after(COMMIT_DELAY_MS, callback),
        log: say,
        room: () => roomOf(platform, storage),
      },
      async () => {
        earlier = await platform.earlierFiles(storage);
        return recordsOfEarlierStore(earlier?.inodes ?? []);
      },
    );
    if (earlier !== undefined && !fresh) {
      say(`files: ${earlier.inodes.length} moved from the earlier store`);
      await earlier.remove();
    }
    const random = (bytes: Uint8Array): void => platform.random(bytes);
    const files = new FileSystem({ root, rootSource: '/dev/root', devices: new BlockDeviceTable(), random });
    await (fresh ? plantDefaultFiles(files) : renewDefaultFiles(files));
    say(`files: ${storage.kind}${fresh ? ', new' : ''}`);
    return { baseImages, files, pool, root };
  } catch (error) {
    throw new Error(`The files of domain 0 cannot be read from this browser's storage: ${messageOf(error)}`, { cause: error });
  }
}

/** What a machine without storage may hold, as it is shown: everything stays in memory. */
const MEMORY_ROOM_BYTES = 1024 * 1024 * 1024;

async function roomOf(platform: Dom0Platform, storage: MachineStorage): Promise<StorageRoom> {
  if (storage.kind === 'memory') return { totalBytes: MEMORY_ROOM_BYTES, freeBytes: MEMORY_ROOM_BYTES };
  const { quota = 0, usage = 0 } = await platform.estimate();
  return { totalBytes: quota, freeBytes: Math.max(0, quota - usage) };
}

/** Fetches of kernels are shown by the page, whoever asked for them. */
function reportingFetches(bootFiles: SiteImages, onProgress: (progress: Progress) => void): SiteImages {
  return {
    files: bootFiles.files,
    fetch: async (name, onFetch) => {
      const task = `Fetching ${name}`;
      onProgress({ task, fraction: 0 });
      try {
        return await bootFiles.fetch(name, (loaded, total) => {
          onFetch(loaded, total);
          // 1 means the end of the task, which comes below, after the check of what was fetched.
          if (total > 0) onProgress({ task, fraction: Math.min(0.99, loaded / total) });
        });
      } finally {
        onProgress({ task, fraction: 1 });
      }
    },
  };
}

function daemonsOf(
  machine: Machine,
  xenstored: XenstoreServer,
  consoles: ConsoleDaemon,
  disks: MachineDisks,
  nameOf: (domid: Domid) => string | undefined,
): DomainDaemons {
  return {
    connect: (domid, name, built) => {
      xenstored.introduce(domid, machine.mapRing(domid, built.storeMfn, built.storePort));
      consoles.open(domid, name, machine.mapRing(domid, built.consoleMfn, built.consolePort));
    },
    shutDown: (domid) => xenstored.domainShutdown(domid),
    disconnect: (domid) => {
      void disks.backend.disconnectDomain(domid);
      consoles.end(domid, nameOf(domid));
      if (xenstored.isIntroduced(domid)) xenstored.release(domid);
    },
  };
}

function collect(commands: readonly Command[]): Programs {
  return new Map(commands.map((command) => [command.name, command]));
}

function childrenOf(store: StoreClient, path: string): readonly string[] {
  try {
    return store.list(path) ?? [];
  } catch {
    // Not a path that could exist.
    return [];
  }
}
