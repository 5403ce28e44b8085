/** Guests: stock kernels from creation to the end, by the shell's commands and by the page's buttons. */
import { expect, test } from './support/machine.ts';

const BOOT_MS = 120_000;

test('a stock kernel boots to a login, takes commands and powers off', async ({ machine }) => {
  test.setTimeout(300_000);
  await machine.run('xm create demo');
  await machine.login('demo', BOOT_MS);

  const kernel = await machine.guest('demo', 'uname -r; cat /sys/hypervisor/type /sys/hypervisor/guest_type');
  expect(kernel.output).toMatch(/^\d+\.\d+\.\d+\S*-amd64\nxen\nPV\n$/);
  expect(kernel.exitCode).toBe(0);
  const sum = await machine.guest('demo', 'seq 1 1000 | sha256sum');
  expect(sum.output).toBe('67d4ff71d43921d5739f387da09746f405e425b07d727e4c69d029461d1f051f  -\n');
  expect((await machine.guest('demo', 'false')).exitCode).toBe(1);
  expect((await machine.guest('demo', 'dmesg | grep -c "BUG:\\|Oops\\|Call Trace"')).output).toBe('0\n');

  const counters = await machine.page.evaluate(() => xen.counters('demo'));
  const retired = counters[0]!.instructionsInterpreted + counters[0]!.instructionsTranslated;
  expect(retired).toBeGreaterThan(50_000_000);

  await machine.send('demo', 'poweroff\r');
  await expect.poll(async () => (await machine.exec('xm list demo')).exitCode, { timeout: 60_000 }).not.toBe(0);
});

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

test('memory that a domain had is there again when it is gone', async ({ machine }) => {
  const free = async (): Promise<string | undefined> => /^free_memory\s*:\s*(\d+)/m.exec(await machine.run('xm info'))?.[1];
  const before = await free();
  await machine.run('xm create demo');
  expect(await free()).not.toBe(before);
  await machine.run('xm destroy demo');
  expect(await free()).toBe(before);
});

test('progress is shown while a kernel is fetched', async ({ machine }) => {
  const { page } = machine;
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.context().route('**/images/vmlinuz-*', async (route) => {
    await held;
    await route.continue();
  });
  const created = machine.exec('xm create demo');
  const bar = page.getByRole('progressbar');
  await expect(bar.first()).toBeVisible();
  await expect(page.getByText(/vmlinuz-/).first()).toBeVisible();
  release();
  expect((await created).exitCode).toBe(0);
  await expect(bar).toHaveCount(0);
});

const MISTAKES: readonly [string, string, string | RegExp][] = [
  ['a missing kernel', 'kernel = "/boot/no-such-kernel"\nmemory = 64\nname = "wrong"\n', /Error:.*no-such-kernel/],
  ['a kernel that is none', 'kernel = "/etc/hostname"\nmemory = 64\nname = "wrong"\n', /Error:/],
  ['a mistake on line 3', 'kernel = "/boot/vmlinuz-cloud"\nmemory = 64\nname = = "wrong"\n', /Error:.*line 3|line 3/],
  ['an endless loop', 'while True:\n  pass\n', /Error:/],
  ['more memory than there is', 'kernel = "/boot/vmlinuz-cloud"\nmemory = 900000\nname = "wrong"\n', /Error:/],
  ['too little memory', 'kernel = "/boot/vmlinuz-cloud"\nmemory = 8\nname = "wrong"\n', /Error:/],
];

for (const [what, configuration, message] of MISTAKES) {
  test(`xm create with ${what} says so and leaves nothing behind`, async ({ machine }) => {
    await machine.page.evaluate((text) => xen.writeFile('/etc/xen/wrong', text), configuration);
    const result = await machine.exec('xm create wrong');
    expect(result.exitCode).toBe(1);
    expect(result.stderr + result.stdout).toMatch(message);
    expect((await machine.run('xm list')).trim().split('\n')).toHaveLength(2);
    expect(await machine.run('xenstore-list /local/domain')).toBe('0\n');
  });
}
