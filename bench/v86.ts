/**
 * A guest of v86, the emulator of 32-bit PCs for browsers: the npm package, in a Chromium of its own, with the BIOS of Debian's
 * seabios, Debian's kernel for i386 and the programs for 32 bits. It has one processor.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import type { MeasuredBrowser, Site } from './browser.ts';
import type { Guest, Runner } from './guest.ts';
import type { System32 } from './ramdisks.ts';
import { type SerialLine, SerialShell } from './serial-shell.ts';

const PACKAGE = 'node_modules/v86';
const BIOS = '/usr/share/seabios';
/** Where the page finds what it needs; answered from files, the site has no such folder. */
const FOLDER = 'v86-for-comparison';
const MEMORY_BYTES = 512 * 1024 * 1024;
const POLL_MS = 5;

export interface V86Files {
  readonly kernel: string;
  readonly ramdisk: string;
}

/** Why there can be no v86 here; undefined when there can. */
export function v86Absent(): string | undefined {
  if (!existsSync(join(PACKAGE, 'build/v86.wasm'))) return 'There is no v86 to compare with (npm install brings it).';
  if (!existsSync(join(BIOS, 'bios.bin'))) return 'There is no BIOS for v86 (Debian: apt-get install seabios).';
  return undefined;
}

export function v86Version(): string {
  return (JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string }).version;
}

/** What the page's script keeps for the calls from outside. */
interface PageState {
  v86Text: string;
  v86: { serial0_send(text: string): void; get_instruction_counter(): number };
}

const SCRIPT = `
import { V86 } from './libv86.mjs';
globalThis.v86Text = '';
const letters = new TextDecoder('latin1');
globalThis.startV86 = (options) => {
  globalThis.v86 = new V86(options);
  globalThis.v86.add_listener('serial0-output-byte', (byte) => { globalThis.v86Text += letters.decode(Uint8Array.of(byte)); });
};
`;

class V86Line implements SerialLine {
  constructor(private readonly page: Page) {}

  send(text: string): Promise<void> {
    return this.page.evaluate((typed) => {
      (globalThis as unknown as PageState).v86.serial0_send(typed);
    }, text);
  }

  waitFor(pattern: RegExp, from: number, timeoutMs: number): Promise<string> {
    return this.page.evaluate(
      async ([source, flags, start, limit, poll]) => {
        const state = globalThis as unknown as PageState;
        const wanted = new RegExp(source, flags);
        const deadline = performance.now() + limit;
        while (!wanted.test(state.v86Text.slice(start))) {
          if (performance.now() > deadline)
            throw new Error(
              `v86: no ${source} within ${limit} ms; last lines:\n${state.v86Text.split('\n').slice(-15).join('\n')}`,
            );
          await new Promise((resolve) => setTimeout(resolve, poll));
        }
        return state.v86Text;
      },
      [pattern.source, pattern.flags, from, timeoutMs, POLL_MS] as const,
    );
  }
}

/** Opens a page and starts the machine in it. */
export async function powerOnV86({ browser }: MeasuredBrowser, site: Site, { kernel, ramdisk }: V86Files): Promise<Page> {
  const page = await browser.newPage({ baseURL: site.url });
  const files: Readonly<Record<string, string>> = {
    'libv86.mjs': join(PACKAGE, 'build/libv86.mjs'),
    'v86.wasm': join(PACKAGE, 'build/v86.wasm'),
    'bios.bin': join(BIOS, 'bios.bin'),
    'vgabios.bin': join(BIOS, 'vgabios-stdvga.bin'),
    kernel,
    ramdisk,
  };
  await page.route(`**/${FOLDER}/**`, async (route) => {
    const name = new URL(route.request().url()).pathname.split('/').pop() ?? '';
    const path = files[name];
    if (name === 'page.html') await route.fulfill({ contentType: 'text/html', body: `<script type="module">${SCRIPT}</script>` });
    else if (path === undefined) await route.fulfill({ status: 404 });
    else await route.fulfill({ path, ...(name.endsWith('.mjs') ? { contentType: 'text/javascript' } : {}) });
  });
  await page.goto(`./${FOLDER}/page.html`);
  await page.evaluate((memoryBytes) => {
    (globalThis as unknown as { startV86(options: object): void }).startV86({
      wasm_path: 'v86.wasm',
      bios: { url: 'bios.bin' },
      vga_bios: { url: 'vgabios.bin' },
      bzimage: { url: 'kernel' },
      initrd: { url: 'ramdisk' },
      // As v86's own examples have it; the first word spares the kernel a watch over the clock.
      cmdline: 'tsc=reliable mitigations=off random.trust_cpu=on console=ttyS0',
      memory_size: memoryBytes,
      vga_memory_size: 2 * 1024 * 1024,
      disable_speaker: true,
      autostart: true,
    });
  }, MEMORY_BYTES);
  return page;
}

export function v86Line(page: Page): SerialLine {
  return new V86Line(page);
}

/** One and two processors are the same guest here. */
export function startV86(browser: MeasuredBrowser, site: Site, system: System32, bootMs: number): Runner {
  const pages: Page[] = [];
  const guests = new Map<string, Promise<Guest>>();
  const boot = async (size: 'small' | 'debian'): Promise<Guest> => {
    const page = await powerOnV86(browser, site, { kernel: system.kernel, ramdisk: system[size] });
    pages.push(page);
    const shell = new SerialShell(new V86Line(page));
    await shell.login(bootMs);
    return {
      run: (command, timeoutMs) => shell.run(command, timeoutMs),
      cpuSeconds: () => Promise.resolve(browser.cpuSeconds()),
      instructions: () => Promise.resolve(undefined),
    };
  };
  return {
    name: 'v86',
    guest: (kind) => {
      const size = kind === 'debian' ? 'debian' : 'small';
      const guest = guests.get(size) ?? boot(size);
      guests.set(size, guest);
      return guest;
    },
    close: async () => {
      for (const page of pages) await page.close();
    },
  };
}
