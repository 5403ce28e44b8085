/** `npm start`: prepares everything, then serves the page on this machine and prints its address. `npm start -- --port 8080 --host`. */
import { spawn } from 'node:child_process';
import { buildSite, command, installed, prepare, say } from './prepare.mjs';

await command(() => {
  prepare();
  buildSite();
  say('serving; end with Ctrl-C');
  const server = spawn(installed('vite'), ['preview', ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal));
  server.on('exit', (code) => process.exit(code ?? 0));
});
