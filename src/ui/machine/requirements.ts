/**
 * What the machine needs of the browser, and what to say when it is not there. Each WebAssembly feature is tried with the smallest
 * module that uses it.
 * @see WebAssembly Core Specification 2.0, "Binary Format"; the threads proposal for shared memories
 */

export interface MissingRequirement {
  readonly what: string;
  readonly whatToDo: string;
}

const BROWSERS = 'Chrome or Edge 119, Firefox 120, Safari 17.4 or newer versions of these will do.';

/** Magic, version; then a type () -> (), one function of it and a body with the given code. */
function moduleWith(code: readonly number[]): Uint8Array<ArrayBuffer> {
  const body = [0, ...code, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
    ...[0x03, 0x02, 0x01, 0x00],
    ...[0x0a, body.length + 2, 0x01, body.length, ...body],
  ]);
}

const WASM_FEATURES: readonly { readonly name: string; readonly code: readonly number[] }[] = [
  // atomic.fence
  { name: 'threads', code: [0xfe, 0x03, 0x00] },
  // i32.const 0, i8x16.splat, drop
  { name: '128-bit SIMD', code: [0x41, 0x00, 0xfd, 0x0f, 0x1a] },
  // i32.const 0, i32.extend8_s, drop
  { name: 'sign extension', code: [0x41, 0x00, 0xc0, 0x1a] },
  // f32.const 0, i32.trunc_sat_f32_s, drop
  { name: 'saturating conversion', code: [0x43, 0x00, 0x00, 0x00, 0x00, 0xfc, 0x00, 0x1a] },
];

/** Names of WebAssembly features this browser lacks. */
export function missingWasmFeatures(): string[] {
  return WASM_FEATURES.filter(({ code }) => !WebAssembly.validate(moduleWith(code))).map(({ name }) => name);
}

export function missingRequirements(): MissingRequirement[] {
  const missing: MissingRequirement[] = [];
  if (!globalThis.isSecureContext) {
    missing.push({
      what: 'The page was not loaded over a secure connection, so the browser keeps shared memory from it.',
      whatToDo: 'Open it over https, or from localhost.',
    });
  } else if (typeof SharedArrayBuffer === 'undefined' || !globalThis.crossOriginIsolated) {
    missing.push({
      what: 'The page is not cross-origin isolated, so the browser keeps shared memory from it.',
      whatToDo:
        globalThis.top === globalThis.self
          ? 'Its server must send the headers “Cross-Origin-Opener-Policy: same-origin” and “Cross-Origin-Embedder-Policy: require-corp”, or the browser must allow service workers here (private windows of some browsers do not). Then load the page again.'
          : 'It stands in a frame: the frame needs allow="cross-origin-isolated" and the page around it must be isolated as well. Or open it in a window of its own.',
    });
  }
  if (typeof WebAssembly === 'undefined') {
    missing.push({ what: 'This browser has no WebAssembly, or it is switched off.', whatToDo: BROWSERS });
  } else {
    const features = missingWasmFeatures();
    if (features.length > 0)
      missing.push({ what: `This browser’s WebAssembly lacks: ${features.join(', ')}.`, whatToDo: BROWSERS });
  }
  return missing;
}
