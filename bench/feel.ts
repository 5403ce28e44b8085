/**
 * How the page feels: the time from a key to its echo by the shell of one guest, seen in the page's terminal, and the frames that
 * the page draws meanwhile; with nothing else running, and beside another domain that runs at full load.
 */
import type { Machine } from '../e2e/support/machine.ts';
import type { MeasuredBrowser, Site } from './browser.ts';
import { type Feeling, median, table } from './report.ts';
import { openPage } from './webxen.ts';

const BOOT_MS = 600_000;
const KEYS = 60;

/** Types letters on the terminal in front, one after the other, and erases them. */
function typeAndWatch(machine: Machine, keys: number): Promise<Pick<Feeling, 'echoMs' | 'framesPerSecond' | 'longestFrameMs'>> {
  return machine.page.evaluate(async (count) => {
    const panel = document.querySelector('[role=tabpanel]:not([hidden])');
    const rows = panel?.querySelector('.xterm-rows');
    const input = panel?.querySelector<HTMLTextAreaElement>('.xterm-helper-textarea');
    if (rows === null || rows === undefined || input === null || input === undefined) throw new Error('no terminal is in front');
    input.focus();
    const press = (key: string, keyCode: number, ctrlKey = false): void => {
      input.dispatchEvent(new KeyboardEvent('keydown', { key, keyCode, ctrlKey, bubbles: true, cancelable: true }));
      input.dispatchEvent(new KeyboardEvent('keyup', { key, keyCode, ctrlKey, bubbles: true, cancelable: true }));
    };
    const letters = (): number => rows.textContent.split('z').length;
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    let frames = 0;
    let longest = 0;
    let last = performance.now();
    let running = true;
    const frame = (now: number): void => {
      frames += 1;
      longest = Math.max(longest, now - last);
      last = now;
      if (running) requestAnimationFrame(frame);
    };
    const began = performance.now();
    requestAnimationFrame(frame);
    const echoMs: number[] = [];
    for (let n = 0; n < count; n++) {
      const before = letters();
      const pressed = performance.now();
      const seen = new Promise<void>((resolve, reject) => {
        const observer = new MutationObserver(() => {
          if (letters() === before) return;
          observer.disconnect();
          clearTimeout(limit);
          resolve();
        });
        const limit = setTimeout(() => {
          observer.disconnect();
          reject(new Error('a key had no echo for ten seconds'));
        }, 10_000);
        observer.observe(rows, { childList: true, subtree: true, characterData: true });
      });
      press('z', 90);
      await seen;
      echoMs.push(performance.now() - pressed);
      // A typist's pace, and in no step with frames or timer ticks.
      await pause(90 + ((n * 37) % 50));
      if (n % 30 === 29) {
        press('u', 85, true);
        await pause(300);
      }
    }
    running = false;
    return { echoMs, framesPerSecond: frames / ((performance.now() - began) / 1000), longestFrameMs: longest };
  }, keys);
}

/** Without the terminal: a line sent, and its echo waited for where domain 0 takes it. */
function roundTrips(machine: Machine, domain: string, count: number): Promise<number[]> {
  return machine.page.evaluate(
    async ([name, rounds]) => {
      const terminal = xen.console(name);
      const times: number[] = [];
      const run = String(Math.random()).slice(2, 8);
      for (let n = 0; n < rounds; n++) {
        const mark = `y${run}-${n}y`;
        const began = performance.now();
        await terminal.send(mark);
        await terminal.waitFor(mark, 10_000);
        times.push(performance.now() - began);
        await terminal.send('\x15');
        await new Promise((resolve) => setTimeout(resolve, 60 + ((n * 29) % 40)));
      }
      return times;
    },
    [domain, count] as const,
  );
}

async function felt(machine: Machine, beside: string, keys: number): Promise<Feeling> {
  const seen = await typeAndWatch(machine, keys);
  return { beside, ...seen, roundTripMs: await roundTrips(machine, 'quiet', keys / 2) };
}

export async function measureFeel(
  browser: MeasuredBrowser,
  site: Site,
  commandLine: string,
  onProgress: (what: string) => void,
): Promise<Feeling[]> {
  const machine = await openPage(browser, site, commandLine);
  try {
    onProgress('feel: a guest to type in');
    await machine.configure('quiet');
    await machine.run('xm create quiet');
    await machine.login('quiet', BOOT_MS);
    await machine.page.getByRole('button', { name: 'Console quiet' }).click();
    await machine.page.waitForTimeout(1000);
    onProgress('feel: keys with nothing else running');
    const feelings = [await felt(machine, 'nothing', KEYS)];
    await machine.configure('busy');
    await machine.run('xm create busy');
    await machine.login('busy', BOOT_MS);
    await machine.send('busy', 'while :; do :; done\r');
    await machine.page.waitForTimeout(1000);
    onProgress('feel: keys beside a busy domain');
    feelings.push(await felt(machine, 'a busy domain', KEYS));
    return feelings;
  } finally {
    await machine.page.close();
  }
}

export function feelTable(feelings: readonly Feeling[]): string {
  const worst = (values: readonly number[]): string => Math.max(...values).toFixed(1);
  return table([
    ['typing beside', 'key to echo, ms', 'longest', 'without the terminal, ms', 'longest', 'frames a second', 'longest frame, ms'],
    ...feelings.map(({ beside, echoMs, roundTripMs, framesPerSecond, longestFrameMs }) => [
      beside,
      median(echoMs).toFixed(1),
      worst(echoMs),
      median(roundTripMs).toFixed(1),
      worst(roundTripMs),
      framesPerSecond.toFixed(1),
      longestFrameMs.toFixed(0),
    ]),
  ]);
}
