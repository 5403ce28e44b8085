import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { codecModule } from '../../engine/codec/testing/codec-module.ts';
import { noise } from '../../engine/codec/testing/patterns.ts';
import { Qcow2Reader } from '../../engine/images/qcow2/reader.ts';
import { decoders, memorySource } from '../../engine/images/testing/decoders.ts';
import { buildQcow2, contentsOf, type BuiltImage } from '../../engine/images/testing/qcow2-builder.ts';
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { DeviceDirectory } from '../../engine/storage/device-directory.ts';
import { memoryFiles } from '../../engine/storage/testing/memory-files.ts';
import type { VolumePool } from '../../engine/storage/volume-pool.ts';
import type { OnProgress } from '../../engine/images/transfer.ts';
import { BlockSources } from '../../engine/toolstack/devices/block-sources.ts';
import { LoopDevices } from '../../engine/toolstack/devices/loop-devices.ts';
import { VolumeGroups } from '../../engine/toolstack/devices/lvm/volume-groups.ts';
import { CancellationSource } from '../../engine/toolstack/services.ts';
import { imageCodecs } from '../decoders.ts';
import type { PieceSource } from '../protocol.ts';
import { DiskTransfers } from './disk-transfers.ts';
import { qemuImg } from './programs/qemu-img.ts';
import { observed } from './transfer-ends.ts';

const clock = { nowMs: () => Date.now(), after: () => () => undefined };
const codecs = imageCodecs(codecModule);
let files: FileSystem;
let pool: VolumePool;
let groups: VolumeGroups;
let transfers: DiskTransfers;
let sources: BlockSources;

beforeEach(async () => {
  ({ files, pool } = await memoryFiles());
  for (const path of ['/root', '/dev']) await files.makeDirectory(path);
  groups = VolumeGroups.open(pool);
  sources = new BlockSources(pool, files, new LoopDevices(files), codecs);
  files.devices.add(() => sources.entries());
  const devices = await DeviceDirectory.make(files.devices, () => 0);
  await files.mount(devices.fileSystem, '/dev', { source: 'udev', refresh: () => devices.refresh() });
  transfers = new DiskTransfers({ pool, files, groups, sources, codecs, machine: 'lab' });
});

const image: BuiltImage = {
  sizeBytes: 2 * 1024 * 1024,
  clusters: new Map([
    [1, { kind: 'data', bytes: noise(65536, 1) }],
    [9, { kind: 'compressed', bytes: new Uint8Array(65536).fill(7) }],
  ]),
};
const disk = Buffer.from(contentsOf(image));
const file = Buffer.from(buildQcow2(image).file);

const piecesOf = (bytes: Uint8Array, failAt = Infinity): PieceSource => {
  let at = 0;
  return {
    next: async () => {
      if (at > failAt) throw new Error('the download was cut off');
      const piece = bytes.slice(at, at + 50_000);
      at += piece.length;
      return piece.length === 0 ? undefined : piece;
    },
  };
};

async function exported(
  name: string,
  format: 'raw' | 'qcow2',
  compress?: 'gzip',
  onProgress: OnProgress = () => undefined,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  await transfers.export(name, format, compress, { write: async (bytes) => pieces.push(bytes) > 0 }, onProgress);
  return Buffer.concat(pieces);
}

async function deviceBytes(path: string): Promise<Buffer> {
  return Buffer.from(await files.readFile(path));
}

const quiet = (): void => undefined;

describe('disks from the page and to it', () => {
  it.each([
    ['a file of the page', new Blob([file])],
    ['a compressed file of the page', new Blob([gzipSync(file)])],
    ['a stream', piecesOf(file)],
    ['a file of domain 0', '/root/image'],
  ])('%s becomes a volume', async (_, input) => {
    await files.writeFile('/root/image', new Uint8Array(file));
    expect(await transfers.import('debian', input, undefined, quiet)).toEqual({
      device: '/dev/images/debian',
      sizeBytes: disk.length,
      format: 'qcow2',
    });
    expect((await deviceBytes('/dev/images/debian')).equals(disk)).toBe(true);
    expect((await exported('debian', 'raw')).equals(disk)).toBe(true);
    const seen: [number, number | undefined][] = [];
    const packed = await exported('/dev/images/debian', 'raw', 'gzip', (done, total) => void seen.push([done, total]));
    expect(gunzipSync(packed).equals(disk)).toBe(true);
    expect(seen.at(-1)).toEqual([disk.length, disk.length]);
    const reader = await Qcow2Reader.open(memorySource(await exported('images/debian', 'qcow2')), decoders);
    const again = Buffer.alloc(reader.sizeBytes);
    await reader.read(0, again);
    expect(again.equals(disk)).toBe(true);
    expect(pool.internalNames().filter((name) => name.startsWith('.transfer'))).toEqual([]);
  });

  it('refuses names, groups that are not there or full, and what breaks off', async () => {
    const blob = new Blob([file]);
    for (const name of ['', 'a b', '.disk/hda', 'a/b/c', '../x'])
      await expect(transfers.import(name, blob, undefined, quiet), name).rejects.toThrow('cannot be the name of a volume');
    await expect(transfers.import('vg/a', blob, undefined, quiet)).rejects.toThrow('Volume group "vg" not found');
    await groups.createGroup({ name: 'vg', uuid: '' }, []);
    await expect(transfers.import('vg/a', blob, undefined, quiet)).rejects.toThrow('insufficient free space');
    await expect(transfers.import('a', piecesOf(file, 60_000), undefined, quiet)).rejects.toThrow('the download was cut off');
    await expect(transfers.export('nobody', 'raw', undefined, { write: async () => true }, quiet)).rejects.toThrow(
      'no volume nobody',
    );
    expect([...pool.names(), ...pool.internalNames()]).toEqual([]);
  });

  it('ends when the observer or the sink says so, and leaves nothing', async () => {
    const answers = [true, false];
    let time = 0;
    const onProgress = observed({ progress: () => answers.shift() ?? false }, { ...clock, nowMs: () => (time += 200) });
    await expect(transfers.import('a', piecesOf(file), undefined, onProgress)).rejects.toThrow('Interrupted');
    expect(answers).toEqual([]);
    await transfers.import('a', new Blob([file]), undefined, quiet);
    let pieces = 0;
    const sink = { write: async () => (pieces += 1) < 1 };
    await expect(transfers.export('a', 'raw', undefined, sink, quiet)).rejects.toThrow('Interrupted');
    expect(pieces).toBe(1);
    expect([...pool.names(), ...pool.internalNames()]).toEqual(['images/a']);
  });

  it('copies a large file whole or not at all', async () => {
    const bytes = noise(3_000_001, 5);
    await transfers.storeFile('/root/large', new Blob([bytes]), quiet);
    expect((await deviceBytes('/root/large')).equals(bytes)).toBe(true);
    const callOff = (): never => {
      throw new Error('called off');
    };
    await expect(transfers.storeFile('/root/other', new Blob([bytes]), callOff)).rejects.toThrow('called off');
    expect((await files.readDirectory('/root')).map(({ name }) => name)).toEqual(['large']);
  });
});

describe('qemu-img', () => {
  const run = async (line: string): Promise<{ out: string; error: string; status: number }> => {
    let [out, error] = ['', ''];
    const status = await qemuImg({ files, clock, sources, groups, codecs }).run(line.split(' '), {
      out: (text) => (out += text),
      error: (text) => (error += text),
      stdin: undefined,
      directory: '/root',
      cancellation: new CancellationSource(),
      terminal: undefined,
      progress: () => undefined,
    });
    return { out, error, status };
  };

  it('tells what an image is', async () => {
    await files.writeFile('/root/a.qcow2', new Uint8Array(file));
    expect((await run('info a.qcow2')).out).toBe(
      'image: a.qcow2\nfile format: qcow2\nvirtual size: 2 MiB (2097152 bytes)\n' +
        `disk size: 512 KiB\ncluster_size: 65536\n` +
        'Format specific information:\n    compat: 1.1\n    compression type: zlib\n    refcount bits: 16\n    dirty: false\n    corrupt: false\n',
    );
    expect((await run('info -f raw a.qcow2')).out).toContain('file format: raw\n');
  });

  it('converts between files, devices and volumes, from compressed ones too', async () => {
    await files.writeFile('/root/a.qcow2.gz', new Uint8Array(gzipSync(file)));
    for (const line of [
      'convert -O raw a.qcow2.gz a.img',
      'convert -f raw -O qcow2 a.img b.qcow2',
      'convert -p -f qcow2 b.qcow2 /dev/images/disk',
      'convert -O qcow2 /dev/images/disk c.qcow2',
      'create -f qcow2 empty.qcow2 3G',
      'create large.img 1T',
    ])
      expect(await run(line), line).toMatchObject({ error: '', status: 0 });
    expect((await deviceBytes('/root/a.img')).equals(disk)).toBe(true);
    expect((await deviceBytes('/dev/images/disk')).equals(disk)).toBe(true);
    expect((await deviceBytes('/root/b.qcow2')).equals(await deviceBytes('/root/c.qcow2'))).toBe(true);
    expect((await run('info empty.qcow2')).out).toContain('virtual size: 3 GiB (3221225472 bytes)');
    expect((await run('info large.img')).out).toContain('virtual size: 1 TiB (1099511627776 bytes)\ndisk size: 0 B');
    // What the device held is gone where the disk is empty.
    await pool.create('images/used', 4 * 1024 * 1024);
    await pool.volume('images/used')!.write(0, new Uint8Array(4 * 1024 * 1024).fill(9));
    expect(await run('convert b.qcow2 /dev/images/used')).toMatchObject({ error: '', status: 0 });
    const used = await deviceBytes('/dev/images/used');
    expect(used.subarray(0, disk.length).equals(disk)).toBe(true);
    expect(used[disk.length]).toBe(9);
    expect(pool.internalNames().filter((name) => name.startsWith('.transfer'))).toEqual([]);
  });

  it.each([
    ['convert nofile x', 'nofile: No such file or directory'],
    ['convert -c bytes x', 'clusters cannot be written compressed'],
    ['convert -O vmdk bytes x', "Unknown file format 'vmdk'"],
    ['convert -f qcow2 bytes x', 'not a qcow2 image'],
    ['convert bytes', 'Try: qemu-img convert'],
    ['convert bytes /dev/vg/x', 'Volume group "vg" not found'],
    ['convert -O qcow2 bytes /dev/images/x', 'a volume holds a disk itself'],
    ['convert bytes /dev/images/small', 'has 512 bytes, and the disk has 1024'],
    ['convert cut.gz x', 'gzip stream is damaged or cut off'],
    ['create x 12Q', 'Invalid image size'],
    ['resize x 1', 'usage: qemu-img'],
  ])('refuses %s', async (line, reason) => {
    await files.writeFile('/root/bytes', new Uint8Array(1000).fill(5));
    await files.writeFile('/root/cut.gz', new Uint8Array(gzipSync(noise(5000, 1)).subarray(0, -10)));
    await pool.create('images/small', 512);
    const { error, status } = await run(line);
    expect(error).toContain(reason);
    expect(status).toBe(1);
    expect((await files.readDirectory('/root')).map(({ name }) => name)).toEqual(['bytes', 'cut.gz']);
  });
});
