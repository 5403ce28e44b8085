/** `npm run check`: types of every compile project, lint, format. Runs them all and tells which failed. */
import { spawnSync } from 'node:child_process';
import { command, installed, say } from './prepare.mjs';

const parts = [
  ['types: engine', 'tsc', ['-p', 'src/engine']],
  ['types: workers', 'tsc', ['-p', 'src/workers']],
  ['types: ui', 'tsc', ['-p', 'src/ui']],
  ['types: tests and scripts', 'tsc', ['-p', '.']],
  ['lint', 'eslint', ['.', '--max-warnings', '0']],
  ['format', 'prettier', ['--check', '--log-level', 'warn', '.']],
];

await command(() => {
  const failed = parts.filter(([name, program, parameters]) => {
    say(name);
    return spawnSync(installed(program), parameters, { stdio: 'inherit' }).status !== 0;
  });
  if (failed.length > 0) {
    say(`failed: ${failed.map(([name]) => name).join(', ')}`);
    process.exitCode = 1;
  }
});
