import { describe, expect, it } from 'vitest';
import { EXIT_BLOCK } from '../src/engine/cpu/layout.ts';
import { profileText, summarise } from './profile.ts';
import { addressText, elfSymbols, guestSymbols, kernelSymbols } from './symbols.ts';

/** A 64-bit ELF file with nothing but a symbol table: its section's header, the names' header, names, symbols. */
function elfWith(symbols: readonly { name: string; address: number; kind: number }[]): Uint8Array {
  const names = `\0${symbols.map(({ name }) => `${name}\0`).join('')}`;
  const file = new Uint8Array(0x400);
  const view = new DataView(file.buffer);
  view.setBigUint64(0x28, 0x40n, true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, 2, true);
  const section = (base: number, type: number, at: number, bytes: number, link: number): void => {
    view.setUint32(base + 4, type, true);
    view.setBigUint64(base + 0x18, BigInt(at), true);
    view.setBigUint64(base + 0x20, BigInt(bytes), true);
    view.setUint32(base + 0x28, link, true);
  };
  section(0x40, 2, 0x200, symbols.length * 24, 1);
  section(0x80, 3, 0x100, names.length, 0);
  file.set(new TextEncoder().encode(names), 0x100);
  symbols.forEach(({ name, address, kind }, n) => {
    view.setUint32(0x200 + n * 24, names.indexOf(`\0${name}\0`) + 1, true);
    view.setUint8(0x204 + n * 24, kind);
    view.setBigUint64(0x208 + n * 24, BigInt(address), true);
  });
  return file;
}

const symbols = guestSymbols(
  kernelSymbols('ffffffff81000000 T _text\nffffffff81000100 t do_fork\nffffffff82000000 D data\n'),
  elfSymbols(
    elfWith([
      { name: 'sieve', address: 0x401200, kind: 2 },
      { name: 'main', address: 0x401000, kind: 2 },
      { name: 'table', address: 0x401100, kind: 1 },
    ]),
  ),
);

describe('symbols', () => {
  it.each([
    [0xffff_8100_0110, 'do_fork', 0x10],
    [0xffff_8100_00ff, '_text', 0xff],
    [0x401100, 'main', 0x100],
    [0x401200, 'sieve', 0],
  ])('%x is %s', (address, symbol, offset) => {
    expect(symbols.nameOf(address)).toEqual({ symbol, offset });
  });

  it('names nothing before the first and nothing far behind the last', () => {
    expect(symbols.nameOf(0x400000)).toBeUndefined();
    expect(symbols.nameOf(0x700000)).toBeUndefined();
  });

  it('prints addresses as the guest does', () => {
    expect([addressText(0xffff_8100_0000), addressText(0x401000)]).toEqual(['ffffffff81000000', '0000000000401000']);
  });
});

describe('summarise', () => {
  const profile = summarise(
    'sieve',
    {
      samples: [
        [0x401210, 3, 3e6, 0, 15_000],
        [0x401220, 1, 1e6, 5000, 0],
        [0xffff_8100_0104, 1, 2e6, 2500, 2500],
      ],
      regions: [
        [0x401208, 5, 0x401208, 0x401218],
        [0x401208, 6, 0x401208, 0x401218, 0x401240, 0x401244],
        [0x401200, 3, 0x401200, 0x401204, 0x401230, 0x401238],
      ],
      exits: [[EXIT_BLOCK, 4]],
      pauses: [],
    },
    symbols,
    { fault: 2 },
  );

  it('adds up by function, the slowest first', () => {
    expect(profile.functions.map(({ name, samples }) => [name, samples])).toEqual([
      ['sieve', 4],
      ['do_fork', 1],
    ]);
    expect([profile.interpreted, profile.translated]).toEqual([7500, 17_500]);
  });

  it('gives samples to the region that has the instruction, not to one that lies around it', () => {
    expect(profile.regions).toEqual([
      { entry: '0000000000401208', name: 'sieve+0x8', instructions: 6, made: 2, seconds: 3e-3, samples: 3 },
      { entry: '0000000000401200', name: 'sieve+0x0', instructions: 3, made: 1, seconds: 0, samples: 0 },
    ]);
  });

  it('reads as a text', () => {
    expect(profileText(profile)).toContain('runs ended: block 4');
    expect(profileText(profile)).toMatch(/^sieve +0000000000401200 +0\.004 +66\.7 %/m);
  });
});
