/**
 * Whether guest accesses have to be kept in x86's order by fences: `memory-order=strict` on the hypervisor's command line, not with
 * `memory-order=host`, and without either if the processor seems to be none that keeps it by itself.
 */

/** (f32 a) -> i32: the bits of a - a. */
const DIFFERENCE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7d, 0x01, 0x7f, 0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00, 0x0a, 0x0a, 0x01, 0x08, 0x00, 0x20, 0x00, 0x20, 0x00, 0x93, 0xbc, 0x0b],
);

/**
 * No browser names the processor, but it shows: where an operation is invalid, x86 gives a NaN with its sign set and ARM one without.
 * WebAssembly leaves the sign open, so engines hand out the processor's. (A browser for x86 that an ARM host emulates shows x86's,
 * and has x86's order.)
 */
export function isX86(): boolean {
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(DIFFERENCE)).exports as { f: (a: number) => number };
  return f(Infinity) < 0;
}

export function needsFences(commandLine: string, x86 = isX86()): boolean {
  const word = /(?:^|\s)memory-order=(strict|host)(?=\s|$)/.exec(commandLine)?.[1];
  return word === undefined ? !x86 : word === 'strict';
}
