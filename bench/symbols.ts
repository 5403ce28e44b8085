/** Names of guest addresses: functions of a static ELF program, and of the kernel as /proc/kallsyms lists them. */

/** Addresses are the low 48 bits, as the profile has them. */
export interface Symbols {
  /** "name+0xoffset", or the bare address where nothing is known. */
  nameOf(address: number): { readonly symbol: string; readonly offset: number } | undefined;
}

interface Entry {
  readonly address: number;
  readonly name: string;
}

const ADDRESS_MASK = 0xffff_ffff_ffffn;
/** Nothing of the kernel or a program is this far behind the symbol before it. */
const REACH = 1 << 20;

class SortedSymbols implements Symbols {
  constructor(private readonly entries: readonly Entry[]) {}

  nameOf(address: number): ReturnType<Symbols['nameOf']> {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle]?.address ?? Infinity) <= address) low = middle + 1;
      else high = middle;
    }
    const entry = this.entries[low - 1];
    if (entry === undefined || address - entry.address > REACH) return undefined;
    return { symbol: entry.name, offset: address - entry.address };
  }
}

function symbolsOf(entries: Entry[]): Symbols {
  return new SortedSymbols(entries.sort((a, b) => a.address - b.address));
}

/** Lines "ffffffff81000000 T name". */
export function kernelSymbols(text: string): Symbols {
  const entries: Entry[] = [];
  for (const [, address = '', name = ''] of text.matchAll(/^([0-9a-f]{16}) [tTwW] (\S+)/gm))
    entries.push({ address: Number(BigInt(`0x${address}`) & ADDRESS_MASK), name });
  return symbolsOf(entries);
}

const SECTION_SYMTAB = 2;
const SYMBOL_FUNCTION = 2;
const SYMBOL_INDIRECT_FUNCTION = 10;

/** Functions of a 64-bit little-endian ELF file that has a symbol table. @see ELF-64 object file format, version 1.5 */
export function elfSymbols(file: Uint8Array): Symbols {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const sectionsAt = Number(view.getBigUint64(0x28, true));
  const sectionBytes = view.getUint16(0x3a, true);
  const sectionCount = view.getUint16(0x3c, true);
  const section = (index: number): { type: number; at: number; bytes: number; link: number } => {
    const base = sectionsAt + index * sectionBytes;
    return {
      type: view.getUint32(base + 4, true),
      at: Number(view.getBigUint64(base + 0x18, true)),
      bytes: Number(view.getBigUint64(base + 0x20, true)),
      link: view.getUint32(base + 0x28, true),
    };
  };
  const entries: Entry[] = [];
  for (let index = 0; index < sectionCount; index++) {
    const table = section(index);
    if (table.type !== SECTION_SYMTAB) continue;
    const names = section(table.link);
    for (let at = table.at; at < table.at + table.bytes; at += 24) {
      const kind = view.getUint8(at + 4) & 0xf;
      const address = Number(view.getBigUint64(at + 8, true));
      if ((kind !== SYMBOL_FUNCTION && kind !== SYMBOL_INDIRECT_FUNCTION) || address === 0) continue;
      const start = names.at + view.getUint32(at, true);
      const end = file.indexOf(0, start);
      entries.push({ address, name: new TextDecoder().decode(file.subarray(start, end)) });
    }
  }
  return symbolsOf(entries);
}

/** The kernel's half of the address space, in 48 bits. */
const KERNEL_HALF = 0x8000_0000_0000;

/** Kernel addresses by the kernel's symbols, others by the program's. */
export function guestSymbols(kernel: Symbols | undefined, program: Symbols | undefined): Symbols {
  return { nameOf: (address) => (address >= KERNEL_HALF ? kernel : program)?.nameOf(address) };
}

/** As the guest would print it. */
export function addressText(address: number): string {
  return `${address >= KERNEL_HALF ? 'ffff' : '0000'}${address.toString(16).padStart(12, '0')}`;
}
