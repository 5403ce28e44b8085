/** Domain 0's shell as its user meets it: keys typed into the terminal on the page. */
import { expect, openMachine, test as base, type Machine } from './support/machine.ts';

const PROMPT = /^\S*dom0\S*:\S*[#$] ?$/;

/** One machine for all, its terminal in front; each test begins at an empty prompt. */
const test = base.extend<object, { shell: Machine }>({
  shell: [
    async ({ browser }, use) => {
      const page = await browser.newPage();
      const machine = await openMachine(page, 'boot=memory&columns=100&rows=40');
      await expect.poll(() => lastLine(machine)).toMatch(PROMPT);
      await use(machine);
      await page.close();
    },
    { scope: 'worker' },
  ],
});

async function lines(machine: Machine): Promise<string[]> {
  return (await machine.screen()).split('\n').filter((line) => line !== '');
}

const lastLine = async (machine: Machine): Promise<string> => (await lines(machine)).at(-1) ?? '';

/** Types a line and waits for the prompt behind its output; the output. */
async function command(machine: Machine, line: string): Promise<string> {
  await machine.page.keyboard.press('Control+L');
  await expect.poll(() => lines(machine)).toHaveLength(1);
  await machine.page.keyboard.type(`${line}\n`);
  await expect
    .poll(async () => {
      const shown = await lines(machine);
      return shown.length > 1 && PROMPT.test(shown.at(-1) ?? '');
    })
    .toBe(true);
  return (await lines(machine)).slice(1, -1).join('\n');
}

test('runs programs, pipes and redirections', async ({ shell }) => {
  expect(await command(shell, 'echo one two > words; echo three >> words; cat words | tail -n 1')).toBe('three');
  expect(await command(shell, 'grep -c o < words && ls -1 words; cp words copy; mv copy moved; cat moved | head -n 1')).toBe(
    '1\nwords\none two',
  );
  expect(await command(shell, 'for n in 1 2 3; do echo "n=$n"; done | tail -n 2; false || echo $?')).toBe('n=2\nn=3\n1');
  expect(await command(shell, 'mkdir -p a/b; cd a/b; pwd; cd; rm -r a words moved; ls a')).toMatch(/^\/root\/a\/b\n.*No such file/);
  expect(await command(shell, 'xm list | grep -c Domain-0; xenstore-ls / | head -n 1')).toMatch(/^1\n\S+ = /);
  expect(await command(shell, 'no-such-program')).toMatch(/no-such-program.*not found/);
});

test('keeps a history', async ({ shell }) => {
  const { keyboard } = shell.page;
  await command(shell, 'echo first-$((1+1))');
  await command(shell, 'echo second-$((2+2))');
  await keyboard.press('ArrowUp');
  await keyboard.press('ArrowUp');
  await expect.poll(() => lastLine(shell)).toMatch(/echo first-\$\(\(1\+1\)\)$/);
  await keyboard.press('Enter');
  await expect.poll(() => lines(shell)).toContain('first-2');
  await keyboard.press('ArrowUp');
  await keyboard.press('ArrowUp');
  await keyboard.press('ArrowDown');
  await expect.poll(() => lastLine(shell)).toMatch(/echo first-\$\(\(1\+1\)\)$/);
  await keyboard.press('Control+C');
  await expect.poll(() => lastLine(shell)).toMatch(PROMPT);
});

test('edits a line in its middle', async ({ shell }) => {
  const { keyboard } = shell.page;
  await keyboard.press('Control+L');
  await keyboard.type('echo world');
  for (let press = 0; press < 5; press++) await keyboard.press('ArrowLeft');
  await keyboard.type('hello-');
  await keyboard.press('End');
  await keyboard.type('!!');
  await keyboard.press('Backspace');
  await keyboard.press('Backspace');
  await keyboard.press('Home');
  await keyboard.type('  ');
  await keyboard.press('Enter');
  await expect.poll(() => lines(shell)).toContain('hello-world');
});

test('completes commands, files and domains with Tab', async ({ shell }) => {
  const { keyboard } = shell.page;
  await command(shell, 'echo inside > /root/completion-of-a-file');
  await keyboard.type('cat compl\t\n');
  await expect.poll(() => lines(shell)).toContain('inside');
  await command(shell, 'echo');
  await keyboard.type('xm dmes\t');
  await expect.poll(() => lastLine(shell)).toMatch(/xm dmesg ?$/);
  await keyboard.press('Control+C');
  await keyboard.type('xenstore-l');
  await keyboard.press('Tab');
  await keyboard.press('Tab');
  await expect.poll(async () => (await lines(shell)).join(' ')).toMatch(/xenstore-list\s+xenstore-ls/);
  await keyboard.press('Control+C');
  await keyboard.type('xm domid Dom\t\n');
  await expect.poll(() => lines(shell)).toContain('0');
});

test('^C ends what runs, also a loop that never waits', async ({ shell }) => {
  const { keyboard } = shell.page;
  for (const endless of ['while true; do :; done', 'sleep 1000', 'while true; do echo again; done']) {
    await keyboard.press('Control+L');
    await keyboard.type(`${endless}\n`);
    await expect.poll(() => lastLine(shell)).not.toMatch(PROMPT);
    await shell.page.waitForTimeout(700);
    expect(await lastLine(shell)).not.toMatch(PROMPT);
    await keyboard.press('Control+C');
    await expect.poll(() => lastLine(shell), { message: endless }).toMatch(PROMPT);
  }
  expect(await command(shell, 'echo alive')).toBe('alive');
});

test('^D at an empty prompt leaves the shell, and a new one begins', async ({ shell }) => {
  const { keyboard } = shell.page;
  await command(shell, 'left=behind; cd /etc');
  await keyboard.type('not empty');
  await keyboard.press('Control+D');
  await keyboard.press('Control+C');
  expect(await command(shell, 'echo $left $PWD')).toBe('behind /etc');
  await keyboard.press('Control+L');
  await keyboard.press('Control+D');
  await expect.poll(() => lines(shell)).toContain('logout');
  await expect.poll(() => lastLine(shell)).toMatch(PROMPT);
  expect(await command(shell, 'echo "($left)" $PWD')).toBe('() /root');
});
