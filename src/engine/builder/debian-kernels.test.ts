/** The kernels of the guest images, which `npm run images` has taken from Debian's packages unchanged. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { createUnlz4 } from '../codec/lz4.ts';
import { codecModule } from '../codec/testing/codec-module.ts';
import { gunzip, unzstd } from '../codec/testing/platform.ts';
import { createUnxz } from '../codec/xz.ts';
import { parseKernel, type PlatformDecoders } from './kernel-image.ts';
import { buildPvDomain } from './pv-domain.ts';

const images = fileURLToPath(new URL('../../../public/images/', import.meta.url));
const PAGES = 0x10000;

function kernelFile(flavour: RegExp): Uint8Array {
  const name = readdirSync(images).find((candidate) => candidate.startsWith('vmlinuz-') && flavour.test(candidate));
  if (name === undefined) throw new Error(`public/images has no kernel like ${flavour.source}: run "npm run images"`);
  return new Uint8Array(readFileSync(images + name));
}

describe('kernels of Debian', () => {
  let platform: PlatformDecoders;
  beforeAll(async () => {
    const codec = await codecModule();
    platform = { gunzip, unlz4: createUnlz4(codec), unzstd, unxz: createUnxz(codec) };
  }, 300_000);

  it.each([
    ['cloud-amd64, packed with LZ4', /\d-cloud-amd64$/, 'lz4'],
    ['amd64, packed with xz', /\d-amd64$/, 'xz'],
  ] as const)('%s: unpacks, says what it is, and fits 256 MiB', async (_, flavour, compression) => {
    const kernel = await parseKernel(kernelFile(flavour), platform);
    expect(kernel).toMatchObject({
      container: 'bzImage',
      compression,
      guestOs: 'linux',
      virtBase: 0xffffffff80000000n,
      virtStart: 0xffffffff81000000n,
      p2mBase: 0x8000000000n,
      ramdiskUnmapped: true,
      hypercallPage: undefined,
    });
    expect(kernel.notes).toMatchObject({
      xenVersion: 'xen-3.0',
      paeMode: 'yes',
      suspendCancel: true,
      features: '!writable_page_tables|pae_pgdir_above_4gb',
    });

    const ram = new Uint8Array(PAGES * 4096);
    const target = { pages: PAGES, firstMfn: 0x1000, ram, sharedInfoMfn: 0xfff, storePort: 1, consolePort: 2 };
    const built = buildPvDomain(target, { kernel, ramdisk: new Uint8Array(0x239410), commandLine: 'console=hvc0', features: '' });
    // "Linux version " lies in the kernel's read-only data.
    const banner = Buffer.from(ram.buffer).indexOf('Linux version 6.');
    expect(banner).toBeGreaterThan(built.layout.kernel.pfn * 4096);
    expect(banner).toBeLessThan(built.layout.startInfo.pfn * 4096);
    // The entry of a PV kernel sets its GS base first (wrmsr), or begins with endbr64.
    const entry = Number(built.entry - kernel.virtBase);
    expect(ram.subarray(entry, entry + 64).some((byte, index, code) => byte === 0x0f && code[index + 1] === 0x30)).toBe(true);
  });
});
