/** `npm run bench` and `npm run soak`: the measuring and the long-running scenarios, in the browser. Further words go to playwright. */
import { spawnSync } from 'node:child_process';
import { buildSite, command, ensureChromium, installed, prepare } from './prepare.mjs';

await command(() => {
  const [project = '', ...rest] = process.argv.slice(2);
  prepare({ testImages: true });
  process.env['WEBXEN_CHROMIUM'] = ensureChromium();
  buildSite();
  process.exitCode =
    spawnSync(installed('playwright'), ['test', `--project=${project}`, '--reporter=list', ...rest], { stdio: 'inherit' }).status ??
    1;
});
