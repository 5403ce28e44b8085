/**
 * Repeated MOVS and STOS for translated code: as many elements as lie in the pages at hand and may be written plainly, a turn at
 * most. 0 = the interpreter is to execute the next one, which may fault.
 */
import { tlbEntry } from './banks';
import { DF } from './flags';
import { copyForward, fillElements, runInPage, turnOf } from './handlers/string';
import { PAGE_BYTES, TLB_ADDEND, TLB_WRITE, VCPU_RFLAGS, VCPU_STEPPING } from './layout';
import { readable } from './memory';
import { writableForRegion } from './regions';

function isRefused(cpu: usize): bool {
  return (load<u32>(cpu, VCPU_RFLAGS) & DF) != 0 || load<u32>(cpu, VCPU_STEPPING) != 0;
}

/** Host pointer to `bytes` of one page at `va` that may be stored to without notice to anyone, else 0. */
function plainlyWritable(cpu: usize, va: u64, bytes: u32): usize {
  const entry = tlbEntry(cpu, va);
  if (load<u64>(entry, TLB_WRITE) == (va & ~(<u64>(PAGE_BYTES - 1)))) return <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
  return writableForRegion(cpu, va, bytes);
}

/** Elements of `size` moved from `from` to `to`, of `count`. */
export function repeatMove(cpu: usize, from: u64, to: u64, count: u64, size: u32): u64 {
  if (isRefused(cpu)) return 0;
  const turn = min<u64>(count, turnOf(cpu));
  let done: u64 = 0;
  while (done < turn) {
    const run = runInPage(from, size, runInPage(to, size, turn - done));
    if (!run) break;
    const bytes = <u32>run * size;
    const source = readable(cpu, from, bytes);
    if (!source) break;
    const target = plainlyWritable(cpu, to, bytes);
    if (!target) break;
    copyForward(target, source, bytes, size);
    from += bytes;
    to += bytes;
    done += run;
  }
  return done;
}

/** Elements of `size` at `to` set to `value`, of `count`. */
export function repeatStore(cpu: usize, to: u64, value: u64, count: u64, size: u32): u64 {
  if (isRefused(cpu)) return 0;
  const turn = min<u64>(count, turnOf(cpu));
  let done: u64 = 0;
  while (done < turn) {
    const run = runInPage(to, size, turn - done);
    if (!run) break;
    const bytes = <u32>run * size;
    const target = plainlyWritable(cpu, to, bytes);
    if (!target) break;
    fillElements(target, bytes, size, value);
    to += bytes;
    done += run;
  }
  return done;
}
