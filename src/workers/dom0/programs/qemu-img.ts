/**
 * qemu-img: looks into disk images, makes and converts them, in qemu-img's words. Beyond it: a compressed source is expanded, and
 * a target below /dev that is no device yet becomes a volume.
 */
import type { ByteSource, DiskTarget, SparseDisk } from '../../../engine/images/byte-source.ts';
import { isZero, rawDisk, sourceOfFile } from '../../../engine/images/byte-source.ts';
import { HEAD_BYTES, imageFormat, type ImageFormat } from '../../../engine/images/detect.ts';
import { diskOfVolume, imageOf } from '../../../engine/images/export-disk.ts';
import { ImageError } from '../../../engine/images/image-error.ts';
import { importDisk, openImage, type OpenedImage } from '../../../engine/images/import-disk.ts';
import { Qcow2Reader } from '../../../engine/images/qcow2/reader.ts';
import { Scratch } from '../../../engine/images/scratch.ts';
import { copyDisk, PIECE_BYTES } from '../../../engine/images/transfer.ts';
import { SECTOR_BYTES } from '../../../engine/storage/disk-image.ts';
import { baseName, directoryName, resolvePath } from '../../../engine/storage/path.ts';
import { Volume } from '../../../engine/storage/volume.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import type { BlockSources } from '../../../engine/toolstack/devices/block-sources.ts';
import { newVolumeName, requireExtents } from '../../../engine/toolstack/devices/lvm/new-volume.ts';
import type { VolumeGroups } from '../../../engine/toolstack/devices/lvm/volume-groups.ts';
import { parseOptions, type OptionSpecification, type ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import type { ImageCodecs } from '../../decoders.ts';
import { flag, parseCount, ProgramError, Progress, sentenceOf, valued, type FileTools } from './file-program.ts';

export interface ImageTools extends FileTools {
  readonly sources: BlockSources;
  readonly groups: VolumeGroups;
  readonly codecs: ImageCodecs;
}

interface Subcommand {
  readonly usage: string;
  readonly options: readonly OptionSpecification[];
  run(tools: ImageTools, options: ParsedOptions, io: CommandIo): Promise<void>;
}

const FORMAT = valued('format', '-f');
const QUIET = flag('quiet', '-q');
const USAGE = 'usage: qemu-img info|create|convert ...';

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  info: { usage: 'qemu-img info [-f FMT] FILE', options: [FORMAT], run: info },
  create: { usage: 'qemu-img create [-q] [-f FMT] FILE SIZE', options: [FORMAT, QUIET], run: create },
  convert: {
    usage: 'qemu-img convert [-p] [-q] [-f FMT] [-O FMT] SOURCE TARGET',
    options: [FORMAT, QUIET, valued('output', '-O'), flag('progress', '-p'), flag('existing', '-n'), flag('compress', '-c')],
    run: convert,
  },
};

export function qemuImg(tools: ImageTools): Command {
  return {
    name: 'qemu-img',
    description: 'look into, make and convert disk images',
    async run([name = '', ...words], io) {
      const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
      if (subcommand === undefined) {
        const usages = Object.values(SUBCOMMANDS).map(({ usage }) => `  ${usage}\n`);
        const text = `${USAGE}\n${usages.join('')}`;
        if (name !== '--help' && name !== '-h') {
          io.error(text);
          return 1;
        }
        io.out(text);
        return 0;
      }
      try {
        await subcommand.run(tools, parseOptions(words, subcommand.options), io);
        return 0;
      } catch (error) {
        const known = error instanceof Error && (error instanceof ImageError || error.name === 'DecodeError');
        const text = known ? error.message : sentenceOf(error);
        if (text === undefined) throw error;
        io.error(`qemu-img: ${text}\n`);
        return 1;
      }
    },
  };
}

function formatOf(text: string | undefined): ImageFormat | undefined {
  if (text === undefined || text === 'raw' || text === 'qcow2') return text;
  throw new ProgramError(`Unknown file format '${text}': raw and qcow2 are supported`);
}

function operands(options: ParsedOptions, count: number, usage: string): string[] {
  if (options.operands.length !== count) throw new ProgramError(`Try: ${usage}`);
  return [...options.operands];
}

/** A file or device, at rest while it is read: no guest may write it, unless it is a volume, which has snapshots. */
async function withSource<T>(
  { files, groups, sources }: ImageTools,
  path: string,
  body: (source: ByteSource, scratch: Scratch) => Promise<T>,
): Promise<T> {
  const file = await files.open(path);
  const scratch = new Scratch(groups.pool);
  let release: () => void = () => undefined;
  try {
    const disk = file.disk(true);
    if (disk instanceof Volume) return await body(diskOfVolume(await scratch.snapshot(disk)), scratch);
    release = sources.mounting(await files.realPath(path), false);
    return await body(await sourceOfFile(file), scratch);
  } finally {
    release();
    await scratch.remove();
    await file.close();
  }
}

// info

async function info(tools: ImageTools, options: ParsedOptions, io: CommandIo): Promise<void> {
  const [name = ''] = operands(options, 1, SUBCOMMANDS['info']?.usage ?? '');
  const { files } = tools;
  const path = resolvePath(io.directory, name);
  await withSource(tools, path, async (source) => {
    const head = new Uint8Array(Math.min(HEAD_BYTES, source.sizeBytes));
    await source.read(0, head);
    const format = formatOf(options.value('format')) ?? (head.length === 0 ? 'raw' : imageFormat(head));
    const reader = format === 'qcow2' ? await Qcow2Reader.open(source, tools.codecs) : undefined;
    const virtual = reader?.sizeBytes ?? rawDisk(source).sizeBytes;
    const { blocks, kind } = await files.stat(path);
    const used = kind === 'file' ? blocks * SECTOR_BYTES : 0;
    io.out(`image: ${name}\nfile format: ${format}\nvirtual size: ${readable(virtual)} (${virtual} bytes)\n`);
    io.out(`disk size: ${readable(used)}\n`);
    if (reader === undefined) return;
    const { header } = reader;
    io.out(`cluster_size: ${header.clusterBytes}\n`);
    if (header.snapshots > 0) io.out(`snapshots: ${header.snapshots} (not read)\n`);
    const details = [
      `compat: ${header.version === 3 ? '1.1' : '0.10'}`,
      `compression type: ${header.compression === 'zstd' ? 'zstd' : 'zlib'}`,
      `refcount bits: ${2 ** header.refcountOrder}`,
      ...(header.version === 3 ? [`dirty: ${header.dirty}`, `corrupt: ${header.corrupt}`] : []),
    ];
    io.out(`Format specific information:\n${details.map((line) => `    ${line}\n`).join('')}`);
  });
}

/** "10 MiB", "1.5 GiB", "196 KiB": three digits, as qemu-img rounds. */
function readable(bytes: number): string {
  let amount = bytes;
  let unit = 'B';
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']) {
    if (amount < 1000) break;
    amount /= 1024;
    unit = next;
  }
  return `${Number(amount.toPrecision(3))} ${unit}`;
}

// create

async function create(tools: ImageTools, options: ParsedOptions, io: CommandIo): Promise<void> {
  const [name = '', size = ''] = operands(options, 2, SUBCOMMANDS['create']?.usage ?? '');
  const format = formatOf(options.value('format')) ?? 'raw';
  const bytes = parseCount(size);
  if (bytes === undefined || bytes > 2 ** 50) throw new ProgramError(`Invalid image size specified: ${size}`);
  const sizeBytes = Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
  const empty: SparseDisk = { sizeBytes, nextData: () => Promise.resolve(sizeBytes), read: () => Promise.resolve() };
  if (!options.has('quiet'))
    io.out(
      `Formatting '${name}', fmt=${format}${format === 'qcow2' ? ' cluster_size=65536 compression_type=zlib' : ''} size=${sizeBytes}\n`,
    );
  await writeFileImage(tools, resolvePath(io.directory, name), empty, format, () => undefined);
}

// convert

async function convert(tools: ImageTools, options: ParsedOptions, io: CommandIo): Promise<void> {
  const [from = '', to = ''] = operands(options, 2, SUBCOMMANDS['convert']?.usage ?? '');
  if (options.has('compress')) throw new ProgramError('clusters cannot be written compressed: compress the image as a whole');
  const stated = formatOf(options.value('format'));
  const output = formatOf(options.value('output')) ?? 'raw';
  const target = resolvePath(io.directory, to);
  const exists = await tools.files.exists(target);
  if (options.has('existing') && !exists) throw new ProgramError(`Could not open '${to}': No such file or directory`);
  const shown = new Progress(io, tools.clock);
  const onProgress = (done: number, total: number | undefined): void => {
    const percent = total === undefined ? undefined : Math.min(100, (done / Math.max(1, total)) * 100);
    shown.step(() => (percent === undefined ? `${Math.floor(done / 2 ** 20)} MiB` : `(${percent.toFixed(2)}/100%)`));
  };
  await withSource(tools, resolvePath(io.directory, from), async (source, scratch) => {
    if (target.startsWith('/dev/') && !exists) {
      if (output !== 'raw') throw new ProgramError(`a volume holds a disk itself: -O raw makes ${to}`);
      const { groups } = tools;
      const name = newVolumeName(groups, target);
      const accept = (sizeBytes: number): void => {
        requireExtents(groups, name, sizeBytes);
      };
      await importDisk(groups.pool, name, source, tools.codecs, { format: stated, onProgress, accept });
    } else {
      const opened = await openImage(source, tools.codecs, scratch, { format: stated, onProgress });
      const disk = opened.disk ?? (await keptDisk(opened, scratch));
      if (exists && (await tools.files.stat(target)).kind === 'block-device')
        await writeDevice(tools, target, disk, output, onProgress);
      else await writeFileImage(tools, target, disk, output, onProgress);
    }
  });
  if (options.has('progress') && !options.has('quiet')) io.out('    (100.00/100%)\n');
}

/** A raw stream has to be somewhere before it can be read twice. */
async function keptDisk(opened: Extract<OpenedImage, { readonly disk?: undefined }>, scratch: Scratch): Promise<SparseDisk> {
  return rawDisk(await scratch.keep(opened.stream));
}

/** All of the device that the disk covers; its other bytes stay. */
async function writeDevice(
  { files, sources }: ImageTools,
  path: string,
  disk: SparseDisk,
  format: ImageFormat,
  onProgress: (done: number, total: number | undefined) => void,
): Promise<void> {
  if (format !== 'raw') throw new ProgramError(`${path} is a device, which takes raw images only`);
  const release = sources.mounting(await files.realPath(path), true);
  try {
    const file = await files.open(path);
    try {
      const room = (await file.size()) ?? 0;
      if (room < disk.sizeBytes)
        throw new ProgramError(`${path} has ${room} bytes, and the disk has ${disk.sizeBytes}: make it larger first`);
      const before = new Uint8Array(PIECE_BYTES);
      for (let at = 0; at < disk.sizeBytes; at += PIECE_BYTES) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, disk.sizeBytes - at));
        if ((await disk.nextData(at)) < at + piece.length) await disk.read(at, piece);
        // Where nothing is and nothing is to be, nothing is written.
        const there = before.subarray(0, piece.length);
        await file.read(at, there);
        if (!isZero(piece) || !isZero(there)) await file.write(at, piece);
        onProgress(at + piece.length, disk.sizeBytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    release();
  }
}

/** A file of that name, whole or not at all. */
async function writeFileImage(
  { files, sources }: ImageTools,
  path: string,
  disk: SparseDisk,
  format: ImageFormat,
  onProgress: (done: number, total: number | undefined) => void,
): Promise<void> {
  const real = (await files.exists(path)) ? await files.realPath(path) : path;
  if ((await files.exists(real)) && (await files.stat(real)).kind !== 'file') throw new ProgramError(`${path} is not a file`);
  const release = sources.mounting(real, true);
  const made = `${directoryName(real) === '/' ? '' : directoryName(real)}/.${baseName(real)}.part`;
  try {
    const file = await files.open(made, { create: 0o644 });
    try {
      await file.truncate(0);
      if (format === 'raw') {
        const target: DiskTarget = { write: (offset, bytes) => file.write(offset, bytes) };
        await copyDisk(disk, target, onProgress);
        await file.truncate(disk.sizeBytes);
      } else {
        let at = 0;
        for await (const piece of imageOf(disk, 'qcow2', onProgress)) {
          await file.write(at, piece);
          at += piece.length;
        }
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await files.move(made, real);
  } catch (error) {
    await files.remove(made, { force: true });
    throw error;
  } finally {
    release();
  }
}
