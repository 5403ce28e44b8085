/** The page itself: boot menu, keyboard, appearance, files, and what it says where it cannot run. */
import { AxeBuilder } from '@axe-core/playwright';
import { expect as plainExpect, test as plain } from '@playwright/test';
import { Machine, openMachine, expect, test } from './support/machine.ts';
import { serveWithoutHeaders } from './support/plain-server.ts';

async function seriousFindings(page: Machine['page']): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter((violation) => violation.impact === 'serious' || violation.impact === 'critical')
    .map((violation) => `${violation.id}: ${violation.nodes.map((node) => String(node.target)).join(', ')}`);
}

plain.describe('boot menu', () => {
  plain('is worked by keyboard and boots what was chosen', async ({ page }) => {
    await page.goto('./');
    const menu = page.getByRole('listbox', { name: 'Boot menu' });
    await plainExpect(menu).toBeFocused();
    await plainExpect(page.getByText(/will be booted in \d s/)).toBeVisible();
    await page.keyboard.press('ArrowDown');
    await plainExpect(page.getByRole('option', { name: 'webxen, without storage' })).toHaveAttribute('aria-selected', 'true');
    // A key stops the countdown.
    await plainExpect(page.getByText(/will be booted in \d s/)).toHaveCount(0);
    plainExpect(await seriousFindings(page)).toEqual([]);
    await page.keyboard.press('Enter');
    await plainExpect(menu).toHaveCount(0);
    await page.evaluate(() => xen.ready);
  });

  plain('boots by itself after a few seconds', async ({ page }) => {
    await page.goto('./');
    await plainExpect(page.getByRole('listbox', { name: 'Boot menu' })).toBeVisible();
    await page.evaluate(() => xen.ready);
    await plainExpect(page.getByRole('listbox', { name: 'Boot menu' })).toHaveCount(0);
  });
});

test('shows the hypervisor’s messages, a root shell and domain 0', async ({ machine }) => {
  const { page } = machine;
  expect(await machine.text('xen')).toContain('(XEN) ');
  await expect(page.getByRole('tab', { name: 'Domain-0' })).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByRole('heading', { name: 'Domain-0' })).toBeVisible();
  await expect(page.locator('#machine-summary')).toContainText('MiB free');
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious, ${colorScheme}`, async ({ machine }) => {
    const { page } = machine;
    await page.emulateMedia({ colorScheme });
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Help' }).click();
    expect(await seriousFindings(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Machine', exact: true }).click();
    await expect(page.getByRole('dialog', { name: 'The machine as a file' })).toBeVisible();
    expect(await seriousFindings(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.evaluate(() => {
      const carried = new DataTransfer();
      carried.items.add(new File(['no image'], 'system.img'));
      document.dispatchEvent(new DragEvent('drop', { dataTransfer: carried, cancelable: true }));
    });
    await expect(page.getByRole('dialog', { name: 'system.img looks like a disk image' })).toBeVisible();
    expect(await seriousFindings(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
  });
}

test('works by keyboard alone', async ({ machine }) => {
  const { page } = machine;
  const focused = (): Promise<string> =>
    page.evaluate(() => document.activeElement?.closest('#panels, #tabs, #machine, #bar-actions')?.id ?? 'elsewhere');
  await expect.poll(focused).toBe('panels');
  const round: string[] = [];
  for (let press = 0; press < 4; press++) {
    await page.keyboard.press('F6');
    round.push(await focused());
  }
  expect(round).toEqual(['tabs', 'machine', 'bar-actions', 'panels']);
  await page.keyboard.press('Shift+F6');
  expect(await focused()).toBe('bar-actions');
  await page.keyboard.press('F6');

  await page.keyboard.type('echo by-"keyboard" > typed\n');
  await expect.poll(async () => (await machine.exec('cat /root/typed')).stdout).toBe('by-keyboard\n');

  await page.keyboard.press('F6');
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('tab', { name: 'Xen', exact: true })).toBeFocused();
  await expect(page.getByRole('tab', { name: 'Xen', exact: true })).toHaveAttribute('aria-selected', 'true');

  await page.getByRole('button', { name: 'Help' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'How to use this machine' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Help' })).toBeFocused();
});

test('finds text in a terminal', async ({ machine }) => {
  const { page } = machine;
  await page.keyboard.press('Control+Shift+F');
  const search = page.getByRole('search');
  await expect(search.getByRole('searchbox')).toBeFocused();
  await page.keyboard.type('no such text');
  await page.keyboard.press('Enter');
  await expect(search.getByRole('status')).toHaveText('Not found');
  await search.getByRole('searchbox').fill('root');
  await page.keyboard.press('Enter');
  await expect(search.getByRole('status')).toHaveText('');
  await page.keyboard.press('Escape');
  await expect(search).toBeHidden();
});

test('a dropped file lands in /root', async ({ machine }) => {
  const { page } = machine;
  await page.evaluate(() => {
    const carried = new DataTransfer();
    carried.items.add(new File(['memory = 64\n'], 'dropped.cfg'));
    document.dispatchEvent(new DragEvent('dragenter', { dataTransfer: carried }));
  });
  await expect(page.getByText('Drop to put it into domain 0')).toBeVisible();
  await page.evaluate(() => {
    const carried = new DataTransfer();
    carried.items.add(new File(['memory = 64\n'], 'dropped.cfg'));
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: carried, cancelable: true }));
  });
  await expect(page.getByText('/root/dropped.cfg is there, 12 bytes.')).toBeVisible();
  expect(await machine.run('cat /root/dropped.cfg')).toBe('memory = 64\n');
});

test('files go in and come out by the script API', async ({ machine }) => {
  const { page } = machine;
  const read = await page.evaluate(async () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) & 255);
    await xen.writeFile('/root/blob', bytes);
    const back = await xen.readFile('/root/blob');
    return { length: back.length, same: back.every((byte, index) => byte === bytes[index]) };
  });
  expect(read).toEqual({ length: 300_000, same: true });
  await expect(page.evaluate(() => xen.readFile('/root/nothing-here'))).rejects.toThrow(/nothing-here|No such file/);
});

plain('files survive a reload, and a second tab is told where the machine is', async ({ page, context }) => {
  const machine = await openMachine(page, 'boot=stored');
  await machine.run('echo kept > /root/kept');
  await page.reload();
  await page.evaluate(() => xen.ready);
  plainExpect(await machine.run('cat /root/kept')).toBe('kept\n');

  const second = await context.newPage();
  await second.goto('./?boot=stored');
  await plainExpect(second.getByRole('heading', { name: 'The machine is running in another tab' })).toBeVisible();
  plainExpect(await seriousFindings(second)).toEqual([]);
  await page.close();
  await second.getByRole('button', { name: 'Try again' }).click();
  await second.evaluate(() => xen.ready);
  plainExpect(await new Machine(second).run('cat /root/kept')).toBe('kept\n');
});

plain(
  'who has the machine a moment longer is waited for: at a reload, and when the user tries again',
  async ({ page, context }) => {
    const holder = await context.newPage();
    await holder.goto('./?boot=memory');
    /** Has the lock of the machine from now on, for so long. */
    const hold = (milliseconds: number): Promise<void> =>
      holder.evaluate(
        (duration) =>
          new Promise<void>((held) => {
            void navigator.locks.request('webxen-machine-slow', () => {
              held();
              return new Promise((resolve) => setTimeout(resolve, duration));
            });
          }),
        milliseconds,
      );
    const elsewhere = page.getByRole('heading', { name: 'The machine is running in another tab' });

    await hold(3000);
    await page.goto('./?boot=stored&machine=slow');
    await plainExpect(elsewhere).toBeVisible();
    const button = page.getByRole('button', { name: 'Try again' });
    await button.click();
    await page.evaluate(() => xen.ready);
    await plainExpect(elsewhere).toBeHidden();

    // The document goes, and who waits behind it in the queue has the lock before the next document.
    await Promise.all([hold(2000), page.reload()]);
    await page.evaluate(() => xen.ready);
  },
);

plain.describe('on a host that sends no headers', () => {
  plain('a service worker isolates the page', async ({ page }) => {
    const server = await serveWithoutHeaders();
    try {
      await page.goto(`${server.address}?boot=memory`);
      await page.waitForFunction(() => globalThis.crossOriginIsolated && 'xen' in globalThis);
      await page.evaluate(() => xen.ready);
      plainExpect((await new Machine(page).run('echo up')).trim()).toBe('up');
    } finally {
      await server.close();
    }
  });

  plain('without service workers the page says what is missing and what to do', async ({ browser }) => {
    const server = await serveWithoutHeaders();
    const context = await browser.newContext({ serviceWorkers: 'block' });
    try {
      const page = await context.newPage();
      await page.goto(`${server.address}?boot=memory`);
      await plainExpect(page.getByText('The page is not cross-origin isolated')).toBeVisible();
      await plainExpect(page.getByText('Cross-Origin-Embedder-Policy: require-corp')).toBeVisible();
      plainExpect(await seriousFindings(page)).toEqual([]);
      await plainExpect(page.evaluate(() => xen.ready)).rejects.toThrow('not cross-origin isolated');
    } finally {
      await context.close();
      await server.close();
    }
  });
});

plain('a browser without a WebAssembly feature is told which', async ({ page }) => {
  await page.addInitScript(() => {
    const real = WebAssembly.validate.bind(WebAssembly);
    // Modules with a SIMD opcode (0xfd) are refused, as an older browser would.
    WebAssembly.validate = (bytes) => !new Uint8Array(bytes as ArrayBuffer).includes(0xfd) && real(bytes);
  });
  await page.goto('./?boot=memory');
  await plainExpect(page.getByText('This browser’s WebAssembly lacks: 128-bit SIMD.')).toBeVisible();
});
