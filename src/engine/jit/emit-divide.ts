/** Emitters of DIV and IDIV. Quotients of short dividends are the host's own; the rest, and the faults, are the handler's. @sdm Vol. 2 */
import { VCPU_RAX, VCPU_RDX } from '../cpu/layout.ts';
import { callOperation, withCold } from './emit-call.ts';
import { type EmitInstruction, rmValue } from './emit-integer.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { vectorRegisterUse } from './handlers.ts';
import { inMemory } from './instruction.ts';
import { type Label, op } from './wasm-writer.ts';

const ACCUMULATORS = (1 << (VCPU_RAX >> 3)) | (1 << (VCPU_RDX >> 3));

/** Quotient and remainder of the 64-bit locals t1 by t0 to RAX and RDX, of `size` bytes. */
function divide(e: Emitter, size: number, signed: boolean): void {
  const { w } = e;
  w.get(local.t1);
  w.get(local.t0);
  w.emit(signed ? op.i64DivS : op.i64DivU);
  w.set(local.t2);
  w.get(local.t1);
  w.get(local.t2);
  w.get(local.t0);
  w.emit(op.i64Mul, op.i64Sub);
  w.set(local.t1);
  e.pushZeroExtended({ local: local.t2 }, size);
  e.setRegister(VCPU_RAX);
  e.pushZeroExtended({ local: local.t1 }, size);
  e.setRegister(VCPU_RDX);
}

/** Goes to `cold` if the value in t0 is zero, or minus one of a signed division, which may overflow. */
function refuseDivisor(e: Emitter, signed: boolean, cold: Label): void {
  const { w } = e;
  w.get(local.t0);
  if (signed) {
    w.i64(1);
    w.emit(op.i64Add);
    w.i64(2);
    w.emit(op.i64LtU);
  } else w.emit(op.i64Eqz);
  w.brIf(cold);
}

export const divideAccumulator: EmitInstruction = (e, i) => {
  const { w } = e;
  const signed = i.aux !== 0;
  withCold(
    e,
    (cold) => {
      e.copy(rmValue(e, i, local.t0), local.t0);
      if (i.size === 4) {
        if (signed) e.pushExtended({ local: local.t0 }, 4);
        else e.pushZeroExtended({ local: local.t0 }, 4);
        w.set(local.t0);
        refuseDivisor(e, signed, cold);
        dividend32(e, signed, cold);
        return;
      }
      refuseDivisor(e, signed, cold);
      // The upper half must be no more than the sign, or zero.
      e.getRegister(VCPU_RAX);
      w.set(local.t1);
      e.getRegister(VCPU_RDX);
      if (signed) {
        w.get(local.t1);
        w.i64(63);
        w.emit(op.i64ShrS, op.i64Ne);
      } else w.emit(op.i64Eqz, op.i32Eqz);
      w.brIf(cold);
      divide(e, 8, signed);
    },
    () => {
      const named = vectorRegisterUse(i).reads | (inMemory(i) ? 0 : 1 << (i.rm >> 3));
      callOperation(e, i, { reads: named | ACCUMULATORS, writes: ACCUMULATORS });
    },
  );
};

/** EDX:EAX by the extended divisor in t0; a quotient that does not fit is the handler's to report. */
function dividend32(e: Emitter, signed: boolean, cold: Label): void {
  const { w } = e;
  e.pushZeroExtended(e.registerValue(VCPU_RAX, 4, local.t1), 4);
  e.getRegister(VCPU_RDX);
  w.i64(32);
  w.emit(op.i64Shl, op.i64Or);
  w.set(local.t1);
  // Mostly the upper half says nothing: a division of 32 bits is the cheaper one.
  w.get(local.t1);
  w.get(local.t1);
  if (signed) w.emit(op.i64Extend32S);
  else {
    w.i64Halves(-1, 0);
    w.emit(op.i64And);
  }
  w.emit(op.i64Eq);
  w.if();
  w.get(local.t1);
  w.emit(op.i32WrapI64);
  w.get(local.t0);
  w.emit(op.i32WrapI64, signed ? op.i32DivS : op.i32DivU, op.i64ExtendI32U);
  w.set(local.t2);
  w.else();
  w.get(local.t1);
  w.get(local.t0);
  w.emit(signed ? op.i64DivS : op.i64DivU);
  w.set(local.t2);
  w.get(local.t2);
  w.get(local.t2);
  if (signed) w.emit(op.i64Extend32S);
  else {
    w.i64Halves(-1, 0);
    w.emit(op.i64And);
  }
  w.emit(op.i64Ne);
  w.brIf(cold);
  w.end();
  // Of 32 bits the remainder needs no more of the dividend.
  w.get(local.t1);
  w.get(local.t2);
  w.get(local.t0);
  w.emit(op.i64Mul, op.i64Sub);
  w.set(local.t1);
  e.pushZeroExtended({ local: local.t2 }, 4);
  e.setRegister(VCPU_RAX);
  e.pushZeroExtended({ local: local.t1 }, 4);
  e.setRegister(VCPU_RDX);
}
