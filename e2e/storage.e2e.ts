/** Whose tab a stored machine is, machines of other names, and the store in the origin's private files. */
import { expect, openMachine, test } from './support/machine.ts';

test('disks in private files outlive a reload, and belong to one tab at a time', async ({ context, page }) => {
  test.setTimeout(300_000);
  const address = 'boot=stored&machine=opfs-lab&storage=opfs';
  let machine = await openMachine(page, address);
  expect(await machine.run('storage')).toMatch(/disks_in +: private files/);
  await machine.run('pvcreate /dev/sda10 && vgcreate vg /dev/sda10');
  await machine.run('lvcreate -L 8M -n kept vg');
  await machine.run('storage when-full error');
  await page.reload();
  // Without the parameter: the machine remembers where its disks are.
  machine = await openMachine(page, 'boot=stored&machine=opfs-lab');
  expect(await machine.run('lvs')).toContain('kept');
  expect(await machine.run('storage')).toMatch(/private files[^]*when_full +: error/);

  const second = await context.newPage();
  await second.goto('./?boot=stored&machine=opfs-lab');
  await expect(second.getByText('The machine is running in another tab')).toBeVisible();
  await second.getByRole('button', { name: 'Take it over' }).click();
  await second.evaluate(() => xen.ready);
  expect((await second.evaluate(() => xen.exec('lvs'))).stdout).toContain('kept');
  await expect(page.getByText('Another tab has taken the machine over.')).toBeVisible();

  // The same browser, another machine: it has none of the other's disks.
  await page.goto('./?boot=stored&machine=opfs-lab');
  await expect(page.getByText('The machine is running in another tab')).toBeVisible();
  await page.getByLabel('Name of another machine').fill('other lab');
  await page.getByRole('button', { name: 'Start another machine' }).click();
  expect(new URL(page.url()).searchParams.get('machine')).toBe('opfs-lab');
  await page.getByLabel('Name of another machine').fill('other-lab');
  await page.getByRole('button', { name: 'Start another machine' }).click();
  await page.waitForURL(/machine=other-lab/);
  await page.evaluate(() => xen.ready);
  expect((await page.evaluate(() => xen.exec('lvs'))).stdout).not.toContain('kept');
  expect((await page.evaluate(() => xen.exec('storage'))).stdout).toMatch(/machine +: other-lab\ndisks_in +: IndexedDB/);
  await second.evaluate(() => xen.exec('lvremove -f vg/kept'));
});
