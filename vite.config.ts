import { createReadStream, existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { defineConfig, type Connect, type Plugin } from 'vite';

/** What a browser wants to see before it gives a page shared memory. */
const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** Serves build/test-images/ below /test-images/: images that only the browser tests use and that no site should carry. */
function testImages(): Plugin {
  const folder = resolve('build/test-images');
  const serve: Connect.NextHandleFunction = (request, response, next) => {
    const name = /^\/test-images\/([\w.-]+)$/.exec((request.url ?? '').split('?')[0] ?? '')?.[1];
    const file = name === undefined ? undefined : join(folder, name);
    if (file === undefined || !existsSync(file)) {
      next();
      return;
    }
    response.writeHead(200, {
      ...isolationHeaders,
      'Content-Type': 'application/octet-stream',
      'Content-Length': statSync(file).size,
    });
    createReadStream(file).pipe(response);
  };
  return {
    name: 'test-images',
    configureServer: (server) => void server.middlewares.use(serve),
    configurePreviewServer: (server) => void server.middlewares.use(serve),
  };
}

export default defineConfig({
  base: './',
  plugins: [testImages()],
  server: { headers: isolationHeaders },
  preview: { headers: isolationHeaders },
  worker: {
    format: 'es',
    // Each kind of thread is a folder of src/workers, and called by its name where threads are listed.
    rolldownOptions: {
      output: { entryFileNames: ({ facadeModuleId }) => `assets/${basename(dirname(facadeModuleId ?? ''))}-[hash].js` },
    },
  },
  build: {
    target: 'esnext',
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { index: 'index.html', 'isolation-worker': 'src/workers/isolation/main.ts' },
      // A service worker reaches only what lies below it: this one stands at the root, under a name that stays.
      output: { entryFileNames: (chunk) => (chunk.name === 'isolation-worker' ? '[name].js' : 'assets/[name]-[hash].js') },
    },
  },
});
