/** `npm run build:codec`: compiles the decompressors in src/engine/codec/assembly to build/codec.wasm. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const entry = 'src/engine/codec/assembly/index.ts';
const features = ['simd', 'bulk-memory', 'sign-extension', 'nontrapping-f2i', 'mutable-globals'];

/** @returns the path of the module made */
export async function buildCodec(): Promise<string> {
  const output = 'build/codec.wasm';
  mkdirSync(join(root, 'build'), { recursive: true });
  const options = ['--runtime', 'stub', '-O3', '--noAssert', ...features.flatMap((feature) => ['--enable', feature])];
  const messages = asc.createMemoryStream();
  const { error } = await asc.main([entry, '--baseDir', root, '--outFile', output, '--disable', 'threads', ...options], {
    stderr: messages,
  });
  if (error !== null) throw new Error(`the codec does not compile: ${error.message}\n${messages.toString()}`);
  return join(root, output);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await buildCodec());
