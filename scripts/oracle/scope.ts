/**
 * Forms that the host's CPU cannot speak for: system instructions whose result the host's kernel decides, features that this
 * CPU shows and ours hides, and places where vendors differ. They have named scenarios instead of vectors.
 */
import type { Form } from '../../src/engine/cpu/testing/forms.ts';

const BY_OPCODE = new Set([
  '0F 05', // syscall
  '0F 07', // sysret
  '0F 34', // sysenter: #UD in long mode on AMD
  '0F 35',
  'CF',
  'CB',
  'CA',
  'CC', // INT n goes to the host's kernel
  'CD',
  'F1',
  'F4', // ends every test
  '0F A2', // cpuid
  '0F 31', // rdtsc
  '0F 02',
  '0F 03', // lar, lsl: the host's descriptor table
  '8E',
  '0F A1', // pop fs, pop gs
  '0F A9',
]);

export function isNative(form: Form): boolean {
  const { opcode, extension, prefix, mod, rm } = form.row;
  if (BY_OPCODE.has(opcode)) return false;
  if (opcode === '0F 00') return extension === 2 || extension === 3; // LLDT and LTR are #GP
  if (opcode === '0F 01') {
    if (mod === 'register' && rm !== undefined) return extension === 7 && rm === 0; // SWAPGS is #GP; XGETBV, RDTSCP ...
    return extension === 2 || extension === 3 || extension === 6 || extension === 7; // the storing ones are emulated by the kernel
  }
  if (opcode === '0F C7' && (extension === 6 || extension === 7)) return false; // rdrand, rdseed
  if (opcode === '0F C8+r') return form.size !== 2; // the manual leaves the 16-bit result undefined
  if (opcode === '63') return form.size !== 2; // reads two bytes on Intel, four on AMD
  if (opcode === '0F 0D') return form.rm === 'memory'; // with a register #UD on AMD, NOP on Intel
  if (opcode === '0F AE' && prefix === 'F3' && (extension ?? 8) < 4) return false; // rdfsbase ...: the bases are the test's own
  return true;
}
