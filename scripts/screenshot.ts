/** `npm run screenshot`: the picture in README.md, taken of the built page with a guest running. */
import { chromium } from '@playwright/test';
import { preview } from 'vite';
import type {} from '../src/ui/machine/script-api.ts';

const server = await preview({ preview: { port: 0 } });
const address = server.resolvedUrls?.local[0];
if (address === undefined) throw new Error('the page is not served');
const browser = await chromium.launch({
  executablePath: process.env['WEBXEN_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 760 }, colorScheme: 'dark' });
  await page.goto(`${address}?boot=memory`);
  await page.evaluate(() => xen.ready);
  await page.keyboard.type('xm create demo\nxm list\n');
  await page.evaluate(() => xen.exec('sleep 1'));
  await page.getByRole('button', { name: 'Console demo' }).click({ timeout: 120_000 });
  await page.evaluate(() => xen.console('demo').waitFor('login: ', 240_000));
  for (const [line, prompt] of [
    ['root', 'Password: '],
    ['xen', '# '],
    ['uname -a; cat /sys/hypervisor/type; free -m', 'Swap:'],
  ] as const) {
    await page.keyboard.type(`${line}\n`);
    await page.evaluate((text) => xen.console('demo').waitFor(text, 60_000), prompt);
  }
  await page.waitForTimeout(1500);
  await page.screenshot({ path: 'docs/screenshot.png' });
} finally {
  await browser.close();
  await server.close();
}
