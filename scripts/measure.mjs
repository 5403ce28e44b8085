/**
 * `npm run bench` and `npm run soak`: the measuring and the long-running scenarios, in the browser. Further words go to playwright.
 * The whole soak ends with a million requests of a hostile front end (alone: `npm run soak -- block-fuzz`) and the scenarios of
 * `npm test` in the two other modes of the translator.
 */
import { spawnSync } from 'node:child_process';
import { buildSite, command, ensureChromium, installed, prepare, say } from './prepare.mjs';

/**
 * @param {string} project
 * @param {readonly string[]} rest
 * @param {Record<string, string>} environment
 */
function playwright(project, rest, environment = {}) {
  const parameters = ['test', `--project=${project}`, '--reporter=list', ...rest];
  return spawnSync(installed('playwright'), parameters, { stdio: 'inherit', env: { ...process.env, ...environment } }).status ?? 1;
}

/** The hostile front end of the unit tests, with a million requests. */
function fuzzBlockBackend() {
  const file = 'src/engine/devices/block/block-fuzz.test.ts';
  return (
    spawnSync(installed('vitest'), ['run', file], { stdio: 'inherit', env: { ...process.env, WEBXEN_FUZZ_REQUESTS: '1000000' } })
      .status ?? 1
  );
}

await command(() => {
  const [project = '', ...rest] = process.argv.slice(2);
  prepare({ testImages: true, soakImages: project === 'soak' });
  process.env['WEBXEN_CHROMIUM'] = ensureChromium();
  buildSite();
  if (project === 'soak' && rest[0] === 'block-fuzz') {
    process.exitCode = fuzzBlockBackend();
    return;
  }
  const statuses = [playwright(project, rest)];
  if (project === 'soak' && rest.length === 0) {
    statuses.push(fuzzBlockBackend());
    for (const mode of ['off', 'eager']) {
      say(`browser scenarios with the translator ${mode} ...`);
      statuses.push(playwright('scenarios', [], { WEBXEN_TRANSLATOR: mode }));
    }
  }
  process.exitCode = Math.max(...statuses);
});
