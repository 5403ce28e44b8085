import { defineConfig, devices } from '@playwright/test';

const port = Number(process.env['WEBXEN_TEST_PORT'] ?? 4173);

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  // One machine at a time: each scenario is given both cores.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  // Generous, since a wait that ends well costs nothing: the machine that runs the tests may be busy with other things.
  timeout: process.env['WEBXEN_TRANSLATOR'] === undefined ? 900_000 : 3_600_000,
  expect: { timeout: 60_000 },
  use: {
    ...devices['Desktop Chrome'],
    baseURL: `http://localhost:${port}/`,
    viewport: { width: 1280, height: 800 },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env['WEBXEN_CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'scenarios', testMatch: '**/*.e2e.ts' },
    { name: 'bench', testMatch: '**/*.bench.ts', timeout: 0 },
    { name: 'soak', testMatch: '**/*.soak.ts', timeout: 0 },
  ],
  webServer: {
    command: `npx vite preview --host localhost --port ${port} --strictPort`,
    url: `http://localhost:${port}/`,
    reuseExistingServer: false,
    stdout: 'ignore',
  },
});
