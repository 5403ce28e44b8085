/**
 * Decodes one instruction into an operation, by the generated tables alone. @sdm Vol.2A ch. 2
 * The bytes are read once, into the decoder's buffer: the guest may change them meanwhile.
 */
import {
  HANDLER_TABLE,
  LONGEST_INSTRUCTION,
  OPF_ADDRESS32,
  OPF_LOCK,
  OPF_MEMORY,
  OPF_OPSIZE,
  OPF_REP,
  OPF_REPNE,
  OPF_REXW,
  OP_AUX,
  OP_BASE,
  OP_BYTES,
  OP_DISPLACEMENT,
  OP_FLAGS,
  OP_HANDLER,
  OP_IMMEDIATE,
  OP_INDEX,
  OP_LENGTH,
  OP_LINK,
  OP_OFFSET,
  OP_REG,
  OP_RM,
  OP_ROW,
  OP_SCALE,
  OP_SEGMENT,
  OP_SIZE,
  VCPU_EA,
  VCPU_FS_BASE,
  VCPU_GS_BASE,
  VCPU_PAGE,
  VCPU_ZERO,
} from './layout';
import {
  IMMEDIATE_B,
  IMMEDIATE_NONE,
  IMMEDIATE_OFFSET,
  IMMEDIATE_ONE,
  IMMEDIATE_REL32,
  IMMEDIATE_REL8,
  IMMEDIATE_V,
  IMMEDIATE_W,
  IMMEDIATE_W_B,
  IMMEDIATE_Z,
  REG_ACCUMULATOR,
  REG_GPR,
  REG_GPR_BYTE,
  REG_NONE,
  REG_NUMBER,
  RM_ACCUMULATOR,
  RM_GPR,
  RM_GPR_BYTE,
  RM_NUMBER,
  RM_OPCODE,
  RM_OPCODE_BYTE,
  ROWF_DEFAULT64,
  ROWF_ENDS,
  ROWF_FORCE_REGISTER,
  ROWF_LOCK,
  ROWF_MODRM,
  ROW_AUX,
  ROW_BYTES,
  ROW_EXTENSION,
  ROW_FLAGS,
  ROW_IMMEDIATE_KIND,
  ROW_MOD,
  ROW_PREFIX,
  ROW_REG_KIND,
  ROW_REXB,
  ROW_REXW,
  ROW_RM,
  ROW_RM_KIND,
  ROW_SIZE,
  SIZE_V,
  SIZE_Y,
  SIZE_Z,
} from './decode-format';
import { CANDIDATES, OPCODES, ROWS, UNDEFINED_ROW } from './generated/tables';
import { HOT_EFFECTIVE_ADDRESS, HOT_EFFECTIVE_ADDRESS_32, HOT_HANDLERS } from './generated/hot';

/** What the last decodeInstruction found. */
export let decodedLength: u32 = 0;
/** The instruction ends its block. */
export let decodedEnds: bool = false;
/** Operations written: 1, or 2 when the address needs one of its own. */
export let decodedCount: u32 = 0;
/** Longer than 15 bytes. */
export let decodedTooLong: bool = false;

/**
 * Decodes the instruction at `bytes` (15 readable bytes, those behind the real end zero) into `op`. `offset` is that of the
 * instruction from VCPU_PAGE.
 */
export function decodeInstruction(bytes: usize, op: usize, offset: u32): void {
  let p = bytes;
  const limit = bytes + LONGEST_INSTRUCTION;
  let flags: u32 = 0;
  let repeat: u32 = 0; // 3 = F3, 4 = F2, the last one seen
  let opsize = false;
  let segment: u32 = VCPU_ZERO;
  let rex: u32 = 0;
  let byte: u32 = 0;
  decodedTooLong = false;
  decodedCount = 1;
  for (;;) {
    byte = load<u8>(p++);
    if (p > limit) break;
    if (byte == 0x66) opsize = true;
    else if (byte == 0x67) flags |= OPF_ADDRESS32;
    else if (byte == 0xf0) flags |= OPF_LOCK;
    else if (byte == 0xf2) repeat = 4;
    else if (byte == 0xf3) repeat = 3;
    else if (byte == 0x64) segment = VCPU_FS_BASE;
    else if (byte == 0x65) segment = VCPU_GS_BASE;
    else if (byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x26)
      segment = segment; // without effect in 64-bit mode
    else if ((byte & 0xf0) == 0x40) {
      rex = byte;
      continue;
    } else break;
    rex = 0; // a REX prefix that is not the last prefix is ignored
  }
  const rexw = (rex >> 3) & 1;
  if (rexw) flags |= OPF_REXW;
  if (opsize) flags |= OPF_OPSIZE;
  if (repeat == 3) flags |= OPF_REP;
  if (repeat == 4) flags |= OPF_REPNE;

  let map: u32 = 0;
  if (byte == 0x0f) {
    byte = load<u8>(p++);
    map = 1;
    if (byte == 0x38 || byte == 0x3a) {
      map = byte == 0x38 ? 2 : 3;
      byte = load<u8>(p++);
    }
  }
  const opcode = byte;
  const modrm = <u32>load<u8>(p);
  const row = matchRow((map << 8) | opcode, repeat ? repeat : opsize ? 2 : 1, modrm, rexw, rex & 1);
  const record = ROWS + row * ROW_BYTES;
  const rowFlags = <u32>load<u8>(record, ROW_FLAGS);
  // The ModRM byte had a say in finding no row, so it counts as part of the instruction: it may lie in the next page.
  if (row == UNDEFINED_ROW && load<u16>(OPCODES + (((map << 8) | opcode) << 1)) != 0) p++;
  memory.fill(op, 0, OP_BYTES);
  store<u8>(op, VCPU_ZERO, OP_BASE);
  store<u8>(op, VCPU_ZERO, OP_INDEX);
  store<u8>(op, <u8>segment, OP_SEGMENT);

  const sizeKind = <u32>load<u8>(record, ROW_SIZE);
  let size = sizeKind;
  if (sizeKind == SIZE_V) size = rexw ? 8 : opsize ? 2 : rowFlags & ROWF_DEFAULT64 ? 8 : 4;
  else if (sizeKind == SIZE_Y) size = rexw ? 8 : 4;
  else if (sizeKind == SIZE_Z) size = opsize ? 2 : 4;

  let main = op;
  const rmKind = <u32>load<u8>(record, ROW_RM_KIND);
  const regKind = <u32>load<u8>(record, ROW_REG_KIND);
  let displacement: i64 = 0;
  let ripRelative = false;
  if (rowFlags & ROWF_MODRM) {
    p++;
    const mod = modrm >> 6;
    const reg = (modrm >> 3) & 7;
    if (regKind != REG_NONE) {
      const number = reg | ((rex & 4) << 1);
      store<u8>(
        op,
        <u8>(
          (regKind == REG_GPR
            ? number << 3
            : regKind == REG_GPR_BYTE
              ? byteRegister(number, rex)
              : regKind == REG_NUMBER
                ? number
                : reg)
        ),
        OP_REG,
      );
    }
    if (mod == 3 || rowFlags & ROWF_FORCE_REGISTER) {
      const number = (modrm & 7) | ((rex & 1) << 3);
      store<u8>(
        op,
        <u8>(
          (rmKind == RM_GPR
            ? number << 3
            : rmKind == RM_GPR_BYTE
              ? byteRegister(number, rex)
              : rmKind == RM_NUMBER
                ? number
                : modrm & 7)
        ),
        OP_RM,
      );
    } else {
      flags |= OPF_MEMORY;
      let base = modrm & 7;
      let baseSlot: u32;
      if (base == 4) {
        const sib = <u32>load<u8>(p++);
        const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
        if (index != 4) {
          store<u8>(op, <u8>(index << 3), OP_INDEX);
          store<u8>(op, <u8>(sib >> 6), OP_SCALE);
        }
        base = sib & 7;
        baseSlot = (base | ((rex & 1) << 3)) << 3;
        if (base == 5 && mod == 0) {
          baseSlot = VCPU_ZERO;
          displacement = <i64>load<i32>(p);
          p += 4;
        }
      } else if (base == 5 && mod == 0) {
        baseSlot = VCPU_PAGE;
        ripRelative = true;
        displacement = <i64>load<i32>(p);
        p += 4;
      } else {
        baseSlot = (base | ((rex & 1) << 3)) << 3;
      }
      if (mod == 1) displacement = <i64>load<i8>(p++);
      else if (mod == 2) {
        displacement = <i64>load<i32>(p);
        p += 4;
      }
      store<u8>(op, <u8>baseSlot, OP_BASE);
    }
  }
  if (rmKind == RM_ACCUMULATOR) store<u8>(op, 0, OP_RM);
  else if (rmKind == RM_OPCODE) store<u8>(op, <u8>(((opcode & 7) | ((rex & 1) << 3)) << 3), OP_RM);
  else if (rmKind == RM_OPCODE_BYTE) store<u8>(op, <u8>byteRegister((opcode & 7) | ((rex & 1) << 3), rex), OP_RM);
  if (regKind == REG_ACCUMULATOR) store<u8>(op, 0, OP_REG);

  let immediate: i64 = 0;
  let relative = false;
  switch (<i32>load<u8>(record, ROW_IMMEDIATE_KIND)) {
    case IMMEDIATE_NONE:
      break;
    case IMMEDIATE_B:
      immediate = <i64>load<i8>(p);
      p += 1;
      break;
    case IMMEDIATE_W:
      immediate = <i64>load<i16>(p);
      p += 2;
      break;
    case IMMEDIATE_Z:
      if (opsize && !rexw) {
        immediate = <i64>load<i16>(p);
        p += 2;
      } else {
        immediate = <i64>load<i32>(p);
        p += 4;
      }
      break;
    case IMMEDIATE_V:
      if (rexw) {
        immediate = load<i64>(p);
        p += 8;
      } else if (opsize) {
        immediate = <i64>load<i16>(p);
        p += 2;
      } else {
        immediate = <i64>load<i32>(p);
        p += 4;
      }
      break;
    case IMMEDIATE_REL8:
      immediate = <i64>load<i8>(p);
      p += 1;
      relative = true;
      break;
    case IMMEDIATE_REL32:
      immediate = <i64>load<i32>(p);
      p += 4;
      relative = true;
      break;
    case IMMEDIATE_OFFSET:
      if (flags & OPF_ADDRESS32) {
        immediate = <i64>load<u32>(p);
        p += 4;
      } else {
        immediate = load<i64>(p);
        p += 8;
      }
      break;
    case IMMEDIATE_W_B:
      immediate = (<i64>load<u16>(p)) | ((<i64>load<u8>(p + 2)) << 16);
      p += 3;
      break;
    case IMMEDIATE_ONE:
      immediate = 1;
      break;
  }
  const length = <u32>(p - bytes);
  decodedLength = length;
  if (length > <u32>LONGEST_INSTRUCTION) decodedTooLong = true;
  if (relative) immediate += <i64>(offset + length);
  if (ripRelative) displacement += <i64>(offset + length);

  let finalRow = row;
  let refused = false;
  // LOCK is for the rows that allow it, with a memory destination.
  if (flags & OPF_LOCK && (!(rowFlags & ROWF_LOCK) || !(flags & OPF_MEMORY))) refused = true;
  if (refused) finalRow = UNDEFINED_ROW;
  if (flags & OPF_MEMORY && !refused) {
    const narrow = (flags & OPF_ADDRESS32) != 0;
    const far = displacement != <i64>(<i32>displacement);
    if (narrow || far) {
      // The address gets an operation of its own, which leaves it in VCPU_EA; the instruction then uses that as its base.
      const next = op + OP_BYTES;
      memory.copy(next, op, OP_BYTES);
      store<u16>(op, narrow ? HOT_EFFECTIVE_ADDRESS_32 : HOT_EFFECTIVE_ADDRESS, OP_HANDLER);
      store<i64>(op, displacement, OP_IMMEDIATE);
      store<u16>(op, <u16>offset, OP_OFFSET);
      store<u8>(op, <u8>length, OP_LENGTH);
      store<u8>(next, VCPU_EA, OP_BASE);
      store<u8>(next, VCPU_ZERO, OP_INDEX);
      store<u8>(next, 0, OP_SCALE);
      displacement = 0;
      main = next;
      decodedCount = 2;
    }
  }
  store<i32>(main, <i32>displacement, OP_DISPLACEMENT);
  store<i64>(main, immediate, OP_IMMEDIATE);
  store<u16>(main, <u16>offset, OP_OFFSET);
  store<u8>(main, <u8>length, OP_LENGTH);
  store<u8>(main, <u8>size, OP_SIZE);
  store<u8>(main, <u8>flags, OP_FLAGS);
  store<u16>(main, <u16>finalRow, OP_ROW);
  store<u8>(main, refused ? 0 : load<u8>(record, ROW_AUX), OP_AUX);
  store<u32>(main, 0, OP_LINK);
  store<u16>(main, HOT_HANDLERS + load<u16>(HANDLER_TABLE + finalRow * 2), OP_HANDLER);
  decodedEnds = (rowFlags & ROWF_ENDS) != 0 || finalRow == UNDEFINED_ROW;
}

/** Slot of byte register `number`: without REX, 4..7 are AH CH DH BH. */
function byteRegister(number: u32, rex: u32): u32 {
  return rex == 0 && number >= 4 ? ((number - 4) << 3) + 1 : number << 3;
}

/** First row of the opcode whose conditions hold; the undefined row when none does. */
function matchRow(opcode: u32, prefix: u32, modrm: u32, rexw: u32, rexb: u32): u32 {
  let at = CANDIDATES + <usize>load<u16>(OPCODES + (opcode << 1)) * 2;
  const kind: u32 = modrm >> 6 == 3 ? 2 : 1;
  while (true) {
    const row = <u32>load<u16>(at);
    if (row == 0xffff) return UNDEFINED_ROW;
    at += 2;
    const record = ROWS + row * ROW_BYTES;
    const wantedPrefix = <u32>load<u8>(record, ROW_PREFIX);
    if (wantedPrefix && wantedPrefix != prefix) continue;
    const extension = <u32>load<u8>(record, ROW_EXTENSION);
    if (extension != 0xff && extension != ((modrm >> 3) & 7)) continue;
    const mod = <u32>load<u8>(record, ROW_MOD);
    if (mod && mod != kind) continue;
    const rm = <u32>load<u8>(record, ROW_RM);
    if (rm != 0xff && rm != (modrm & 7)) continue;
    const wantedRexw = <u32>load<u8>(record, ROW_REXW);
    if (wantedRexw != 0xff && wantedRexw != rexw) continue;
    const wantedRexb = <u32>load<u8>(record, ROW_REXB);
    if (wantedRexb != 0xff && wantedRexb != rexb) continue;
    return row;
  }
}
