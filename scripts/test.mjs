/**
 * `npm test`: unit tests, then the browser scenarios, then one line "N passed, N failed". Installs what it needs.
 * `npm test -- unit` or `npm test -- scenarios` runs one part; `--translator off|eager` runs the scenarios with guest code never
 * translated, or all of it at once. Exit status 1 when anything failed or a part could not run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SetupError, buildSite, command, ensureChromium, installed, prepare, say } from './prepare.mjs';

const reports = 'build/test-reports';

/**
 * Runs one part; its counts come from the report it writes. A part that ends badly without a failed test counts as one failure.
 * @param {string} name
 * @param {string} report
 * @param {() => number | null} start gives the exit status
 * @param {(report: any) => { passed: number, failed: number }} count
 */
function part(name, report, start, count) {
  say(`${name} ...`);
  const began = Date.now();
  rmSync(report, { force: true });
  const status = start();
  const counts = existsSync(report) ? count(JSON.parse(readFileSync(report, 'utf8'))) : { passed: 0, failed: 0 };
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  say(`${name}: ${counts.passed} passed, ${counts.failed} failed in ${Math.round((Date.now() - began) / 1000)} s`);
  return counts;
}

function unitTests() {
  const report = `${reports}/unit.json`;
  return part(
    'unit tests',
    report,
    () =>
      spawnSync(installed('vitest'), ['run', '--reporter=dot', '--reporter=json', `--outputFile.json=${report}`], {
        stdio: 'inherit',
      }).status,
    (json) => ({
      passed: json.numPassedTests,
      // A file that cannot be loaded has no tests, and is a failure all the same.
      failed:
        json.numFailedTests +
        json.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length,
    }),
  );
}

function scenarios() {
  const report = `${reports}/scenarios.json`;
  return part(
    'browser scenarios',
    report,
    () =>
      spawnSync(installed('playwright'), ['test', '--project=scenarios', '--reporter=list,json'], {
        stdio: 'inherit',
        env: { ...process.env, PLAYWRIGHT_JSON_OUTPUT_NAME: report, PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: '1' },
      }).status,
    (json) => ({ passed: json.stats.expected + json.stats.flaky, failed: json.stats.unexpected }),
  );
}

await command(() => {
  const { values, positionals: chosen } = parseArgs({ options: { translator: { type: 'string' } }, allowPositionals: true });
  if (values.translator !== undefined) {
    if (!['on', 'off', 'eager'].includes(values.translator)) throw new SetupError('--translator is on, off or eager.');
    process.env['WEBXEN_TRANSLATOR'] = values.translator;
  }
  const wants = (name) => chosen.length === 0 || chosen.includes(name);
  // First of all, since where it fails somebody has to do something.
  if (wants('scenarios')) process.env['WEBXEN_CHROMIUM'] = ensureChromium();
  prepare({ testImages: true });
  if (wants('scenarios')) buildSite();
  mkdirSync(reports, { recursive: true });
  const results = [...(wants('unit') ? [unitTests()] : []), ...(wants('scenarios') ? [scenarios()] : [])];
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
});
