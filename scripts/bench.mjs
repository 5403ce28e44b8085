/** `npm run bench`: makes what is measured, then bench/main.ts. */
import { spawnSync } from 'node:child_process';
import { buildSite, command, ensureChromium, installed, prepare } from './prepare.mjs';

await command(() => {
  const words = process.argv.slice(2);
  const readsOnly = words.some((word) => word === '--help' || word === '-h' || word.startsWith('--result'));
  if (!readsOnly) {
    const inBrowser = !words.includes('--node');
    const parts = ['--programs', '--boot', '--only', '--node', '--feel', '--profile', '--disks'].some((part) =>
      words.some((word) => word.startsWith(part)),
    );
    prepare({ testImages: words.includes('--whole') || !parts });
    if (inBrowser) {
      process.env['WEBXEN_CHROMIUM'] = ensureChromium();
      buildSite();
    }
  }
  process.exitCode = spawnSync(installed('tsx'), ['bench/main.ts', ...words], { stdio: 'inherit' }).status ?? 1;
});
