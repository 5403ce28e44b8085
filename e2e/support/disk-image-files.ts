/** Disk images of gigabytes on the host: made, summed up and compared, without one ever being in memory. */
import { spawnSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { ByteSource } from '../../src/engine/images/byte-source.ts';
import { planQcow2, writeQcow2 } from '../../src/engine/images/qcow2/writer.ts';
import { Qcow2Reader } from '../../src/engine/images/qcow2/reader.ts';
import { decoders } from '../../src/engine/images/testing/decoders.ts';

export const MEBIBYTE = 2 ** 20;
/** Unlike any power of two, so that its beginnings and ends fall anywhere in clusters and chunks. */
const EXTENT_BYTES = 7 * MEBIBYTE + 512;

export const hasQemuImg = spawnSync('qemu-img', ['--version']).status === 0;

function qemuImg(...words: string[]): void {
  const { status, stderr } = spawnSync('qemu-img', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`qemu-img ${words.join(' ')}: ${stderr}`);
}

/** A raw image with so much noise in stretches all over it, the first at its start and the last at its end; between them are holes. */
export async function makeRaw(path: string, sizeBytes: number, noiseBytes: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.truncate(sizeBytes);
    const extents = Math.ceil(noiseBytes / EXTENT_BYTES);
    const noise = new Uint8Array(EXTENT_BYTES);
    for (let extent = 0; extent < extents; extent += 1) {
      randomFillSync(noise);
      const at = Math.floor(((sizeBytes - EXTENT_BYTES) * extent) / (extents - 1) / 512) * 512;
      await file.write(noise, 0, noise.length, at);
    }
  } finally {
    await file.close();
  }
}

async function sourceOf(file: FileHandle): Promise<ByteSource> {
  const { size } = await file.stat();
  return {
    sizeBytes: size,
    read: async (offset, into) => {
      const { bytesRead } = await file.read(into, 0, into.length, offset);
      if (bytesRead !== into.length) throw new Error(`the file ends at ${offset + bytesRead}`);
    },
  };
}

/** The qcow2 image of a raw one, by qemu-img where there is one. */
export async function makeQcow2(rawPath: string, path: string): Promise<void> {
  if (hasQemuImg) {
    qemuImg('convert', '-f', 'raw', '-O', 'qcow2', rawPath, path);
    return;
  }
  const [raw, file] = [await open(rawPath, 'r'), await open(path, 'w')];
  try {
    const source = await sourceOf(raw);
    const disk = { ...source, nextData: (offset: number) => Promise.resolve(offset) };
    for await (const piece of writeQcow2(disk, await planQcow2(disk, () => undefined))) await file.write(piece);
  } finally {
    await raw.close();
    await file.close();
  }
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: MEBIBYTE })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Throws when a qcow2 image does not hold what the raw one does: by the reader of the project, and by qemu-img where there is one. */
export async function compareQcow2(path: string, rawPath: string): Promise<void> {
  const [raw, file] = [await open(rawPath, 'r'), await open(path, 'r')];
  try {
    const expected = await sourceOf(raw);
    const image = await Qcow2Reader.open(await sourceOf(file), decoders);
    await image.check();
    if (image.sizeBytes !== expected.sizeBytes) throw new Error(`the image is of ${image.sizeBytes} bytes`);
    const [own, other] = [Buffer.alloc(MEBIBYTE), Buffer.alloc(MEBIBYTE)];
    for (let at = 0; at < expected.sizeBytes; at += MEBIBYTE) {
      const length = Math.min(MEBIBYTE, expected.sizeBytes - at);
      await image.read(at, own.subarray(0, length));
      await expected.read(at, other.subarray(0, length));
      if (!own.subarray(0, length).equals(other.subarray(0, length))) throw new Error(`the images differ in the mebibyte at ${at}`);
    }
  } finally {
    await raw.close();
    await file.close();
  }
  if (!hasQemuImg) return;
  qemuImg('check', '-f', 'qcow2', path);
  qemuImg('compare', '-f', 'qcow2', '-F', 'raw', path, rawPath);
}
