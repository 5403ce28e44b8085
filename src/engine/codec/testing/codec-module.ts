/** codec.wasm for tests: what is built is used as long as no source is newer. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildCodec } from '../../../../scripts/build-codec.ts';

const sources = fileURLToPath(new URL('../assembly/', import.meta.url));
const product = fileURLToPath(new URL('../../../../build/codec.wasm', import.meta.url));

function upToDate(): boolean {
  const built = statSync(product, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return readdirSync(sources).every((name) => statSync(`${sources}${name}`).mtimeMs < built);
}

export async function codecModule(): Promise<WebAssembly.Module> {
  if (!upToDate()) await buildCodec();
  return WebAssembly.compile(readFileSync(product));
}
