/**
 * mkswap: makes a device or a file swap space. Its first page holds, at 1024, u32 version 1, u32 number of the last page, u32 number of
 * bad pages, the UUID at 1036 and the label at 1052, and "SWAPSPACE2" in its last ten bytes.
 * @see Linux include/linux/swap.h, union swap_header; mkswap(8)
 */
import { SECTOR_BYTES, type DiskImage } from '../../../engine/storage/disk-image.ts';
import { uuidText } from '../../../engine/storage/ext/describe.ts';
import { encodeUtf8 } from '../../../engine/storage/utf8.ts';
import type { Command } from '../../../engine/toolstack/command.ts';
import { parseUuid, versionFour } from '../../../engine/toolstack/uuid.ts';
import { deviceOf, withDisk } from './exclusive-disk.ts';
import { fileProgram, flag, humanSize, ProgramError, valued } from './file-program.ts';
import type { MakeTools } from './make-file-system.ts';

const PAGE_BYTES = 4096;
const SIGNATURE = encodeUtf8('SWAPSPACE2');
const LABEL_BYTES = 16;
/** Of pages, the first included: as little as mkswap makes. */
const PAGES_MIN = 10;

export function makeSwapProgram(tools: MakeTools): Command {
  return fileProgram({
    name: 'mkswap',
    description: 'make swap space of a device or a file',
    options: [valued('label', '-L', '--label'), valued('uuid', '-U', '--uuid'), flag('force', '-f', '--force')],
    run: async (options, io) => {
      const target = deviceOf(options, 'mkswap');
      const label = encodeUtf8(options.value('label') ?? '');
      if (label.length > LABEL_BYTES) throw new ProgramError(`the label is longer than ${LABEL_BYTES} bytes`);
      const given = options.value('uuid');
      const random = new Uint8Array(16);
      tools.random(random);
      const uuid = given === undefined ? versionFour(random) : parseUuid(given);
      if (uuid === undefined) throw new ProgramError(`error: parsing UUID failed: ${given ?? ''}`);
      const bytes = await withDisk(tools, target, io, {}, async (disk) => {
        const pages = Math.floor((disk.sectors * SECTOR_BYTES) / PAGE_BYTES);
        if (pages < PAGES_MIN)
          throw new ProgramError(`error: swap area needs to be at least ${(PAGES_MIN * PAGE_BYTES) / 1024} KiB`);
        // The number of the last page has 32 bits.
        const last = Math.min(pages, 2 ** 32) - 1;
        await disk.write(0, await firstPage(disk, last, uuid, label));
        await disk.flush();
        return last * PAGE_BYTES;
      });
      const name = label.length === 0 ? 'no label' : `LABEL=${options.value('label') ?? ''}`;
      io.out(`Setting up swapspace version 1, size = ${sizeText(bytes)} (${bytes} bytes)\n${name}, UUID=${uuidText(uuid)}\n`);
      return 0;
    },
  });
}

/** A boot loader may stand before 1024: that stays. What else was known by its first page is no more. */
async function firstPage(disk: DiskImage, last: number, uuid: Uint8Array, label: Uint8Array): Promise<Uint8Array> {
  const page = new Uint8Array(PAGE_BYTES);
  await disk.read(0, page.subarray(0, 1024));
  const view = new DataView(page.buffer);
  view.setUint32(1024, 1, true);
  view.setUint32(1028, last, true);
  page.set(uuid, 1036);
  page.set(label, 1052);
  page.set(SIGNATURE, PAGE_BYTES - SIGNATURE.length);
  return page;
}

/** "1024 MiB", "1.5 GiB". */
const sizeText = (bytes: number): string => humanSize(bytes).replace(/([KMGTP])$/, ' $1iB');
