/** The page as it is served, in a Chromium of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chromium, type Browser } from '@playwright/test';
import { processTreeSeconds, processTreeThreads, type Thread } from './process-time.ts';
import config from '../playwright.config.ts';

const port = Number(process.env['WEBXEN_TEST_PORT'] ?? 4173);
const START_MS = 30_000;

export interface Site {
  readonly url: string;
  close(): void;
}

/** Serves dist/ as the browser scenarios have it. */
export async function serveSite(): Promise<Site> {
  const url = `http://localhost:${port}/`;
  const server: ChildProcess = spawn(
    process.execPath,
    ['node_modules/vite/bin/vite.js', 'preview', '--host', 'localhost', '--port', String(port), '--strictPort'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const began = performance.now();
  for (;;) {
    if (server.exitCode !== null) throw new Error(`vite preview ended with ${server.exitCode}; is port ${port} taken?`);
    try {
      if ((await fetch(url)).ok) break;
    } catch {
      // Not there yet.
    }
    if (performance.now() - began > START_MS) throw new Error(`nothing answers at ${url}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { url, close: () => void server.kill() };
}

export interface MeasuredBrowser {
  readonly browser: Browser;
  readonly version: string;
  /** Processor time of all its processes, s. */
  cpuSeconds(): number;
  /** Its threads, by number. */
  threads(): Map<string, Thread>;
  close(): Promise<void>;
}

/** A browser of its own, so that what its processes use is one machine's alone. */
export async function openBrowser(): Promise<MeasuredBrowser> {
  const server = await chromium.launchServer(config.use?.launchOptions);
  const { pid } = server.process();
  if (pid === undefined) throw new Error('the browser has no process');
  const browser = await chromium.connect(server.wsEndpoint());
  return {
    browser,
    version: browser.version(),
    cpuSeconds: () => processTreeSeconds(pid),
    threads: () => processTreeThreads(pid),
    close: () => server.close(),
  };
}
