/** `npm run build`: a static site in dist/ that any host can serve. */
import { buildSite, command, prepare, say } from './prepare.mjs';

await command(() => {
  prepare();
  buildSite();
  say('the site is in dist/');
});
