/**
 * The x86 branch filter, undone in place: the encoder has turned the relative targets of CALL and JMP (E8, E9) into absolute
 * ones, where the byte that would be their highest is 00 or FF, so that calls of one function look alike.
 *
 * Opcodes may overlap the operand of an earlier candidate. The encoder converts a candidate depending on which of the three
 * bytes before it were candidates that stayed unconverted; `recent` has a bit for each of them, bit 0 the nearest.
 * @see The .xz File Format, 5.3.2 "Branch/Call/Jump Filters for Executables"
 */

const OPERAND_BYTES: usize = 4;

/** A sign extension of the 25-bit displacement the filter works with. */
@inline
function isSign(byte: u32): bool {
  return byte == 0 || byte == 0xff;
}

/**
 * Patterns of recent candidates with which a conversion may still happen: none, or one alone, or the two nearest... no byte of
 * the operand then belongs to two earlier ones. Bit n stands for pattern n: 0, 1, 2 and 4.
 */
const CONVERTIBLE: u32 = 0b00010111;

/** Place, counted from the operand's last byte, of the byte that an earlier candidate shares; by pattern, four bits each. */
const SHARED_BYTE: u32 = 0x33332210;

/** @param position place of the first byte in the filter's count, where the encoder began with its start offset */
export function undoX86Filter(buffer: usize, bytes: usize, position: u32): void {
  if (bytes <= OPERAND_BYTES) return;
  const last = buffer + bytes - OPERAND_BYTES;
  let at = buffer;
  let recent: u32 = 0;
  /** The candidate before, or something far enough away. */
  let before = buffer - 8;
  while (at < last) {
    if ((load<u8>(at) & 0xfe) != 0xe8) {
      at += 1;
      continue;
    }
    const distance = at - before;
    recent = distance > 3 ? 0 : (recent << (<u32>distance - 1)) & 7;
    before = at;
    const shared = (SHARED_BYTE >> (recent << 2)) & 15;
    const blocked = recent != 0 && (((CONVERTIBLE >> recent) & 1) == 0 || isSign(load<u8>(at + OPERAND_BYTES - <usize>shared)));
    if (blocked || !isSign(load<u8>(at, 4))) {
      recent = (recent << 1) | 1;
      at += 1;
      continue;
    }
    const next = position + <u32>(at - buffer) + 5;
    let target = load<u32>(at, 1) - next;
    if (recent != 0) {
      // The byte shared with an earlier candidate must not read as a sign: the encoder converted again until it did not.
      const shift = shared << 3;
      while (isSign((target >> (24 - shift)) & 0xff)) target = (target ^ ((1 << (32 - shift)) - 1)) - next;
    }
    store<u32>(at, (target & 0x01ffffff) | (0 - (target & 0x01000000)), 1);
    at += 1 + OPERAND_BYTES;
  }
}
