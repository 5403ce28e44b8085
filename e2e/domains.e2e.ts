/** Domains by the page's buttons instead of commands. */
import { expect, test } from './support/machine.ts';

test('the page’s buttons create, show, pause, resume and destroy a domain', async ({ machine }) => {
  const { page } = machine;
  await page.getByLabel('New domain from /etc/xen').selectOption('demo');
  await page.getByRole('button', { name: 'Create' }).click();
  await expect(page.getByRole('progressbar', { name: 'Creating a domain from /etc/xen/demo' })).toBeVisible();
  const card = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'demo', exact: true }) });
  await expect(card).toBeVisible();
  await expect(page.getByRole('tab', { name: 'demo' })).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByRole('progressbar')).toHaveCount(0);
  await machine.waitFor('demo', 'Calibrating delay loop');

  await card.getByRole('button', { name: 'Pause demo' }).click();
  await expect(card.getByText('paused')).toBeVisible();
  const still = async (): Promise<number> => (await page.evaluate(() => xen.counters('demo')))[0]!.instructionsInterpreted;
  const first = await still();
  await page.waitForTimeout(1500);
  expect(await still()).toBe(first);

  await card.getByRole('button', { name: 'Resume demo' }).click();
  await machine.waitWhilePrinting('demo', 'login: ');
  await page.getByRole('tab', { name: 'demo' }).click();
  await page.keyboard.type('root\n');
  await machine.waitFor('demo', 'Password: ');

  await card.getByRole('button', { name: 'Destroy demo' }).click();
  await page.getByRole('button', { name: 'Destroy', exact: true }).click();
  await expect(card).toHaveCount(0);
  await expect(page.getByRole('tab', { name: 'demo (ended)' })).toBeVisible();
  await page.getByRole('tab', { name: 'demo (ended)' }).focus();
  await page.keyboard.press('Delete');
  await expect(page.getByRole('tab', { name: /demo/ })).toHaveCount(0);
});
