/** Files and disks that come from the page and go to it. */
import { rawDisk, sourceOfFile } from '../../engine/images/byte-source.ts';
import { exportDisk, imageOf } from '../../engine/images/export-disk.ts';
import { ImageError } from '../../engine/images/image-error.ts';
import { importDisk, streamOf } from '../../engine/images/import-disk.ts';
import { exportMachine } from '../../engine/images/machine/export-machine.ts';
import type { OnProgress } from '../../engine/images/transfer.ts';
import { PIECE_BYTES } from '../../engine/images/transfer.ts';
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { baseName, directoryName } from '../../engine/storage/path.ts';
import { Volume } from '../../engine/storage/volume.ts';
import type { VolumePool } from '../../engine/storage/volume-pool.ts';
import type { BlockSources } from '../../engine/toolstack/devices/block-sources.ts';
import { IMAGES_GROUP, newVolumeName, requireExtents } from '../../engine/toolstack/devices/lvm/new-volume.ts';
import type { VolumeGroups } from '../../engine/toolstack/devices/lvm/volume-groups.ts';
import type { ImageCodecs } from '../decoders.ts';
import type { DiskFormat, ImportedDisk, PieceSink, TransferInput } from '../protocol.ts';
import { drain, sourceOfBlob, streamOfPieces } from './transfer-ends.ts';

export interface DiskTransferServices {
  readonly pool: VolumePool;
  readonly files: FileSystem;
  readonly groups: VolumeGroups;
  readonly sources: BlockSources;
  readonly codecs: ImageCodecs;
  /** The machine's name. */
  readonly machine: string;
}

export class DiskTransfers {
  constructor(private readonly services: DiskTransferServices) {}

  async import(name: string, input: TransferInput, format: DiskFormat | undefined, onProgress: OnProgress): Promise<ImportedDisk> {
    const { codecs, files, groups, pool } = this.services;
    const volumeName = newVolumeName(groups, name);
    const accept = (sizeBytes: number): void => {
      requireExtents(groups, volumeName, sizeBytes);
    };
    const options = { format, onProgress, accept };
    const file = typeof input === 'string' ? await files.open(input) : undefined;
    try {
      const source =
        file !== undefined
          ? await sourceOfFile(file)
          : input instanceof Blob
            ? sourceOfBlob(input)
            : streamOfPieces(input as Exclude<TransferInput, string | Blob>);
      const result = await importDisk(pool, volumeName, source, codecs, options);
      return { device: `/dev/${volumeName}`, sizeBytes: result.volume.sizeBytes, format: result.format };
    } finally {
      await file?.close();
    }
  }

  /** A volume by its name or device; other devices and files of domain 0 by their paths, while no guest writes them. */
  async export(
    name: string,
    format: DiskFormat,
    compress: 'gzip' | undefined,
    sink: PieceSink,
    onProgress: OnProgress,
  ): Promise<void> {
    const { codecs, files, pool, sources } = this.services;
    const packed = (stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> =>
      compress === 'gzip' ? codecs.gzip(stream) : stream;
    const given = name.replace(/^\/dev\//, '');
    const volume = pool.names().includes(given) ? pool.volume(given) : pool.volume(`${IMAGES_GROUP}/${given}`);
    if (volume !== undefined) {
      await drain(packed(exportDisk(pool, volume, format, onProgress)), sink);
      return;
    }
    if (!name.startsWith('/')) throw new ImageError(`there is no volume ${name}`);
    const release = sources.mounting(await files.realPath(name), false);
    const file = await files.open(name);
    try {
      const disk = file.disk(true);
      if (disk instanceof Volume) await drain(packed(exportDisk(pool, disk, format, onProgress)), sink);
      else await drain(packed(imageOf(rawDisk(await sourceOfFile(file)), format, onProgress)), sink);
    } finally {
      release();
      await file.close();
    }
  }

  /** Everything that is stored; changes of files that wait are the caller's to flush. */
  async exportMachine(sink: PieceSink, onProgress: OnProgress): Promise<void> {
    const { codecs, machine, pool } = this.services;
    await pool.flush();
    await drain(codecs.gzip(exportMachine(pool, machine, onProgress)), sink);
  }

  /** The file is there whole or not at all. */
  async storeFile(path: string, blob: Blob, onProgress: OnProgress): Promise<void> {
    const { files } = this.services;
    const directory = directoryName(path);
    const made = `${directory === '/' ? '' : directory}/.${baseName(path)}.part`;
    if (blob.size <= PIECE_BYTES) {
      await files.writeFile(path, new Uint8Array(await blob.arrayBuffer()));
      await files.flush();
      return;
    }
    try {
      const file = await files.open(made, { create: 0o644 });
      try {
        await file.truncate(0);
        let at = 0;
        for await (const piece of streamOf(sourceOfBlob(blob))) {
          await file.write(at, piece);
          at += piece.length;
          await onProgress(at, blob.size);
        }
      } finally {
        await file.close();
      }
      await files.move(made, path);
    } catch (error) {
      await files.remove(made, { force: true });
      throw error;
    } finally {
      await files.flush();
    }
  }
}
