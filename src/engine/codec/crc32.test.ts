import { beforeAll, describe, expect, it } from 'vitest';
import { crc32 as byTables } from '../storage/crc32.ts';
import { SeededRandom } from '../xenstore/testing/random.ts';
import { createCrc32 } from './crc32.ts';
import { codecModule } from './testing/codec-module.ts';

describe('CRC-32 of the codec', () => {
  let crc32: (bytes: Uint8Array) => number;
  beforeAll(async () => {
    crc32 = await createCrc32(await codecModule());
  });

  it('is the one everybody has', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });

  // Around what is shortened first (twice 300 places of 16 bytes), its blocks, and what fits into the module's memory at a time.
  const LENGTHS = [1, 15, 16, 17, 4800, 9599, 9600, 9601, 9616, 21183, 21184, 21185, 21200, 25984, 40000, 262143, 262144, 262145];
  it.each([...LENGTHS, 600_001])('of %i bytes is that of the tables', (length) => {
    const bytes = new SeededRandom(length).bytes(length);
    expect(crc32(bytes)).toBe(byTables(bytes));
    // Zeros and ones too, where what is added is easily left out.
    expect(crc32(bytes.fill(0))).toBe(byTables(bytes));
    expect(crc32(bytes.fill(0xff))).toBe(byTables(bytes));
  });
});
