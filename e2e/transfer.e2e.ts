/** Disk images that come into the machine and leave it: dropped, by the script API, compressed, cut off, called off. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { buildQcow2, type BuiltCluster } from '../src/engine/images/testing/qcow2-builder.ts';
import { expect, test, type Machine } from './support/machine.ts';

const CLUSTER_BYTES = 65536;

/** A qcow2 image of raw bytes, all its clusters compressed. */
function qcow2Of(raw: Buffer): Buffer {
  const clusters = new Map<number, BuiltCluster>();
  for (let at = 0; at < raw.length; at += CLUSTER_BYTES) {
    const bytes = raw.subarray(at, at + CLUSTER_BYTES);
    if (bytes.some((byte) => byte !== 0)) clusters.set(at / CLUSTER_BYTES, { kind: 'compressed', bytes });
  }
  return Buffer.from(buildQcow2({ sizeBytes: raw.length, clusters }).file);
}

async function readFile(page: Page, path: string): Promise<Buffer> {
  const encoded = await page.evaluate(async (name) => {
    const bytes = await xen.readFile(name);
    let text = '';
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  }, path);
  return Buffer.from(encoded, 'base64');
}

/** Keeps bytes on the page under a name, for the functions evaluated there. */
async function give(page: Page, name: string, bytes: Buffer): Promise<void> {
  await page.evaluate(
    ([key, encoded]) => {
      const file = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
      (globalThis as unknown as Record<string, unknown>)[key] = new File([file], key);
    },
    [name, bytes.toString('base64')] as const,
  );
}

/** An ext2 file system with a note, made by domain 0. */
async function makeDisk(machine: Machine): Promise<Buffer> {
  await machine.run(
    'dd if=/dev/zero of=/root/fs.img bs=1M count=4 status=none && mke2fs -q -F /root/fs.img && mount -o loop /root/fs.img /mnt && ' +
      'echo kept > /mnt/note && umount /mnt',
  );
  return readFile(machine.page, '/root/fs.img');
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

test('disk images become volumes and volumes images', async ({ machine, page }) => {
  const raw = await makeDisk(machine);
  const image = qcow2Of(raw);
  const packed = gzipSync(image);
  await give(page, 'my system.qcow2.gz', packed);

  await page.evaluate(() => {
    const carried = new DataTransfer();
    carried.items.add((globalThis as unknown as Record<string, File>)['my system.qcow2.gz']!);
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: carried, cancelable: true }));
  });
  await expect(page.getByRole('heading', { name: 'my system.qcow2.gz looks like a disk image' })).toBeVisible();
  await expect(page.getByLabel('Name of the volume')).toHaveValue('my-system');
  await page.getByRole('button', { name: 'Import as volume' }).click();
  await expect(page.getByText('/dev/images/my-system is there, 4.0 MiB.')).toBeVisible();
  expect(await machine.run('mount -r /dev/images/my-system /mnt && cat /mnt/note && umount /mnt')).toBe('kept\n');
  expect(await machine.run('md5sum /dev/images/my-system')).toContain(md5(raw));

  // As streams, whole, cut off and called off.
  const outcome = await page.evaluate(async () => {
    const file = (globalThis as unknown as Record<string, File>)['my system.qcow2.gz']!;
    const failed = (transfer: Promise<unknown>): Promise<string> => transfer.then(() => 'no failure', String);
    const result = await xen.importDisk('streamed', file.stream());
    const cut = await failed(xen.importDisk('cut', file.slice(0, file.size - 100)));
    const call = new AbortController();
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        controller.enqueue(new Uint8Array(65536).fill(1));
      },
      cancel: () => {
        cancelled = true;
      },
    });
    let progress = 0;
    const calledOff = await failed(
      xen.importDisk('endless', endless, {
        signal: call.signal,
        onProgress: (done) => {
          progress = done;
          if (done > 4 * 1024 * 1024) call.abort(new Error('enough'));
        },
      }),
    );
    const nobody = await failed(xen.exportDisk('nobody'));
    return { result, cut, calledOff, cancelled, progress, nobody };
  });
  expect(outcome).toMatchObject({
    result: { device: '/dev/images/streamed', sizeBytes: raw.length, format: 'qcow2' },
    calledOff: 'Error: enough',
    cancelled: true,
    nobody: 'ImageError: there is no volume nobody',
  });
  expect(outcome.cut).toContain('the gzip stream is damaged or cut off');
  expect(outcome.progress).toBeGreaterThan(4 * 1024 * 1024);
  const volumes = await machine.run('lvs');
  expect(volumes).toContain('streamed');
  expect(volumes).not.toMatch(/cut|endless/);

  const exported = await page.evaluate(async () => {
    const all = async (stream: ReadableStream<Uint8Array>): Promise<Blob> => new Response(stream).blob();
    const hash = async (blob: Blob): Promise<string> => {
      const bytes = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
      return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    };
    const qcow2 = await all(await xen.exportDisk('images/streamed', { format: 'qcow2', compress: 'gzip' }));
    await xen.importDisk('again', qcow2);
    return { raw: await hash(await all(await xen.exportDisk('again'))), packedBytes: qcow2.size };
  });
  expect(exported.raw).toBe(createHash('sha256').update(raw).digest('hex'));
  expect(exported.packedBytes).toBeLessThan(raw.length / 10);

  // The same by commands, and everything else still lands in /root.
  expect(
    await machine.run(
      'qemu-img convert -O qcow2 /dev/images/again /root/again.qcow2 && qemu-img convert /root/again.qcow2 /dev/images/third && ' +
        'cmp /dev/images/again /dev/images/third && qemu-img info /root/again.qcow2',
    ),
  ).toContain('virtual size: 4 MiB (4194304 bytes)');
});

test('a machine moves as one file, and what is cut off leaves nothing', async ({ machine, page }) => {
  const raw = await makeDisk(machine);
  await machine.run(
    'pvcreate /dev/sda10 && vgcreate vg /dev/sda10 && lvcreate -L 8M -n root vg && dd if=/root/fs.img of=/dev/vg/root status=none',
  );
  await machine.run('lvcreate -s -n copy /dev/vg/root && echo moved > /root/note');

  await page.getByRole('button', { name: 'Machine', exact: true }).click();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save this machine' }).click();
  const file = await download;
  expect(file.suggestedFilename()).toBe('webxen.webxen.tar.gz');

  const cut = await page.evaluate(async () => {
    const blob = await new Response(await xen.exportMachine()).blob();
    const refusal = await xen.importMachine('cut', blob.slice(0, blob.size - 1000)).then(String, String);
    const databases = await indexedDB.databases();
    return { refusal, names: databases.map(({ name }) => name) };
  });
  expect(cut.refusal).toMatch(/cut off/);
  expect(cut.names).not.toContain('webxen-volumes-cut');

  await page.getByRole('button', { name: 'Machine', exact: true }).click();
  await page.getByLabel('File', { exact: true }).setInputFiles(await file.path());
  await page.getByLabel('Name here').fill('moved');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  const link = page.getByRole('link', { name: 'Start moved' });
  await expect(link).toBeVisible();
  const address = new URL((await link.getAttribute('href'))!);
  expect(await page.evaluate(() => xen.importMachine('moved', new Blob(['x'])).then(String, String))).toContain(
    'there is a machine moved already',
  );

  await page.goto(`${address.href}&boot=stored`);
  await page.evaluate(() => xen.ready);
  expect(await machine.run('cat /root/note')).toBe('moved\n');
  expect(await machine.run('lvs')).toMatch(/copy[^]*root/);
  expect(
    await machine.run('head -c 4194304 /dev/vg/copy | md5sum; head -c 4194304 /dev/vg/root | md5sum; md5sum /root/fs.img'),
  ).toBe(`${md5(raw)}  -\n${md5(raw)}  -\n${md5(raw)}  /root/fs.img\n`);
});

test('a guest keeps its files in a qcow2 image', async ({ machine }) => {
  await machine.run('qemu-img create -q -f qcow2 /root/disk.qcow2 64M');
  await machine.configure('guest', { disk: ['tap:qcow2:/root/disk.qcow2,xvda,w'] as unknown as string });
  await machine.run('xm create guest');
  await machine.login('guest');
  const { exitCode, output } = await machine.guest(
    'guest',
    '(set -e; mkdir -p /disk; mke2fs -q /dev/xvda; mount -t ext2 /dev/xvda /disk; head -c 3000000 /dev/urandom > /disk/bytes; ' +
      'md5sum < /disk/bytes; umount /disk)',
  );
  expect(exitCode, output).toBe(0);
  expect(await machine.refused('xm block-attach guest tap:qcow2:/root/disk.qcow2 xvdb r')).toContain(
    '(tap) could not be connected',
  );
  await machine.run('xm destroy guest');
  // Through another reader: the image as it is in the file.
  await machine.run('qemu-img convert /root/disk.qcow2 /dev/images/disk && mount -r /dev/images/disk /mnt');
  expect(await machine.run('md5sum < /mnt/bytes')).toBe(`${/[0-9a-f]{32}/.exec(output)![0]}  -\n`);
  expect(await machine.run('umount /mnt && e2fsck -fn /dev/images/disk')).toContain('Pass 5');
});
