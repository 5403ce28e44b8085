/**
 * One row of the instruction table: the single statement of what the CPU decodes. The build reads the rows and writes the
 * decoder's tables and the list of handlers (generated/); tests, coverage and the list of what is supported read them too.
 */
export interface Row {
  /** Opcode bytes in hex, without prefixes: "01", "0F AF", "0F 38 00", "0F 3A 0F". A trailing "+r" means eight opcodes, register in the low bits. */
  readonly opcode: string;
  /** Mandatory prefix. Absent: 66 means operand size and F2/F3 are repeat or ignored. "np": none of 66, F2, F3. */
  readonly prefix?: 'np' | '66' | 'F3' | 'F2';
  /** ModRM.reg as opcode extension. */
  readonly extension?: number;
  /** Only this kind of ModRM.rm operand. */
  readonly mod?: 'memory' | 'register';
  /** Exact ModRM.rm (with mod "register": x87 constants, 0F 01 and 0F AE groups). */
  readonly rm?: number;
  /** Only with this REX.W. */
  readonly rexw?: 0 | 1;
  /** Only with this REX.B. */
  readonly rexb?: 0 | 1;
  readonly mnemonic: string;
  /**
   * Operands, comma-separated, in the notation of the SDM's opcode map (Vol. 2D A.2): an addressing letter and an operand type.
   * Letters: E (GPR or memory, rm) G (GPR, reg) R (GPR only, rm) M (memory only) V (XMM, reg) W (XMM or memory, rm) U (XMM only, rm)
   * P (MMX, reg) Q (MMX or memory, rm) N (MMX only, rm) S (segment, reg) C D (control, debug, reg) Z (GPR in the opcode)
   * I (immediate) J (relative branch) O (memory offset, moffs) A (accumulator) T (x87 st(i), rm); "1" a constant one; "CL".
   * Types: b w d q 1, 2, 4, 8 bytes; v by operand size (2, 4, 8); z immediate of 2 or 4 bytes sign-extended; y 4 or 8 by REX.W;
   * x 16 bytes; ss sd scalar 4, 8; t 10 bytes; p far pointer, an offset by operand size and a selector; n anything (size is the handler's matter).
   * The first operand's type gives OP_SIZE.
   */
  readonly operands: string;
  /** Name of the handler function. */
  readonly handler: string;
  /** Small constant handed to the handler as OP_AUX. */
  readonly aux?: number;
  /** LOCK is allowed when the destination is memory. */
  readonly lock?: true;
  /** Operand size defaults to 64 bits (push, pop, near branches). */
  readonly default64?: true;
  /** Ends a block: control leaves, or state changes that later decoding depends on. */
  readonly ends?: true;
  /** Arithmetic flags left undefined by the manual, for the tests: letters of OSZAPC; with a condition the oracle knows. */
  readonly undefinedFlags?: string;
}
