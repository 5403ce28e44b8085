/** What the screen shows first: the machine's name in large letters, then the hypervisor's messages as they come. */
import type { TerminalView } from '../terminal/terminal-view.ts';

const LETTERS = [
  '                 _                        ',
  ' __      __ ___ | |__  __  __ ___  _ __   ',
  " \\ \\ /\\ / // _ \\| '_ \\ \\ \\/ // _ \\| '_ \\  ",
  '  \\ V  V /|  __/| |_) | >  <|  __/| | | | ',
  '   \\_/\\_/  \\___||_.__/ /_/\\_\\\\___||_| |_| ',
];

export async function showBanner(view: TerminalView): Promise<void> {
  const wide = view.columns >= (LETTERS[0]?.length ?? 0);
  const lines = wide ? LETTERS.map((line) => `\x1b[1;36m${line}\x1b[0m`) : ['\x1b[1;36mwebxen\x1b[0m'];
  await view.write(`${lines.join('\r\n')}\r\n\r\n`);
}
