/** How the hypervisor ends a domain that it cannot go on with: the reason is noted for dom0 and the vCPU leaves `run`. */
import { EXIT, EXIT_CRASH, VCPU_EXIT_DETAIL, VCPU_EXIT_REASON, VCPU_ID } from '../cpu/layout';
import { SHUTDOWN_crash } from '../abi/sched';
import { DOMAIN_CRASH_CODE, DOMAIN_CRASH_DETAIL, DOMAIN_CRASH_VCPU, DOMAIN_SHUTDOWN } from './layout';

/** Notes CRASH_* and a number that explains it; the first crash of a domain counts. Returns EXIT. */
export function crash(cpu: usize, code: u32, detail: u64): i32 {
  if (atomic.cmpxchg<u32>(DOMAIN_SHUTDOWN, 0, 1 + SHUTDOWN_crash) == 0) {
    store<u32>(DOMAIN_CRASH_CODE, code);
    store<u32>(DOMAIN_CRASH_VCPU, load<u32>(cpu, VCPU_ID));
    store<u64>(DOMAIN_CRASH_DETAIL, detail);
  }
  store<u32>(cpu, EXIT_CRASH, VCPU_EXIT_REASON);
  store<u32>(cpu, code, VCPU_EXIT_DETAIL);
  return EXIT;
}
