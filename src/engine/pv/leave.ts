/** A hypercall's wish to leave `run` once its result is in RAX. Module state: each vCPU thread has its own instance. */
let reason: i32 = -1;
let detail: u32 = 0;

export function leaveAfter(exitReason: u32, exitDetail: u32): void {
  reason = <i32>exitReason;
  detail = exitDetail;
}

/** EXIT_* wished for, -1 = none; forgets it. */
export function takeLeaveReason(): i32 {
  const taken = reason;
  reason = -1;
  return taken;
}

export function leaveDetail(): u32 {
  return detail;
}
