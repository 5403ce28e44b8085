/** Guests: stock kernels from creation to the end, by the shell's commands and by the page's buttons. */
import { expect, test } from './support/machine.ts';

const BOOT_MS = 120_000;

test('xm shutdown and xm reboot are carried out by the guest', async ({ machine }) => {
  test.setTimeout(420_000);
  await machine.run('xm create demo');
  await machine.waitFor('demo', 'login: ', BOOT_MS);
  const before = Number(await machine.run('xm domid demo'));
  await machine.run('xm reboot demo');
  await expect
    .poll(async () => Number((await machine.exec('xm domid demo')).stdout) || before, { timeout: 90_000 })
    .toBeGreaterThan(before);
  await machine.waitFor('demo', 'login: ', BOOT_MS);
  await machine.run('xm shutdown -w demo');
  expect(await machine.run('xm list')).not.toContain('demo');
});

test('the page’s buttons create, show, pause, resume and destroy a domain', async ({ machine }) => {
  test.setTimeout(240_000);
  const { page } = machine;
  await page.getByLabel('New domain from /etc/xen').selectOption('demo');
  await page.getByRole('button', { name: 'Create' }).click();
  const card = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'demo', exact: true }) });
  await expect(card).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('tab', { name: 'demo' })).toHaveAttribute('aria-selected', 'true');
  await machine.waitFor('demo', 'Calibrating delay loop', BOOT_MS);

  await card.getByRole('button', { name: 'Pause demo' }).click();
  await expect(card.getByText('paused')).toBeVisible();
  const still = async (): Promise<number> => (await page.evaluate(() => xen.counters('demo')))[0]!.instructionsInterpreted;
  const first = await still();
  await page.waitForTimeout(1500);
  expect(await still()).toBe(first);

  await card.getByRole('button', { name: 'Resume demo' }).click();
  await machine.waitFor('demo', 'login: ', BOOT_MS);
  await page.getByRole('tab', { name: 'demo' }).click();
  await page.keyboard.type('root\n');
  await machine.waitFor('demo', 'Password: ', 30_000);

  await card.getByRole('button', { name: 'Destroy demo' }).click();
  await page.getByRole('button', { name: 'Destroy', exact: true }).click();
  await expect(card).toHaveCount(0);
  await expect(page.getByRole('tab', { name: 'demo (ended)' })).toBeVisible();
  await page.getByRole('tab', { name: 'demo (ended)' }).focus();
  await page.keyboard.press('Delete');
  await expect(page.getByRole('tab', { name: /demo/ })).toHaveCount(0);
});
