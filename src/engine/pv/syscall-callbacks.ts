/** SYSCALL and SYSENTER of user programs: entry of the guest kernel through its callbacks. */
import { VCPU_R11, VCPU_RCX, VCPU_RFLAGS, VCPU_RIP, VCPU_SELECTORS, VCPU_USER_MODE, VECTOR_UD } from '../cpu/layout';
import { getRflags } from '../cpu/flags';
import { generalProtection, raise } from '../cpu/fault';
import { CALLBACKTYPE_syscall, CALLBACKTYPE_sysenter } from '../abi/callback';
import { FLAT_KERNEL_CS, FLAT_KERNEL_SS } from '../abi/guest-context';
import { PV_CALLBACKS_MASKING, PV_SYSCALL_CALLBACK, PV_SYSENTER_CALLBACK } from './layout';
import { enterKernel } from './bounce';

const DF: u64 = 0x400;

/** SYSCALL in 64-bit user code; VCPU_RIP is behind it. The frame shows the flat selectors, as SYSCALL saves none. */
export function enterSyscall(cpu: usize): i32 {
  const handler = load<u64>(cpu, PV_SYSCALL_CALLBACK);
  if (!handler) return raise(cpu, VECTOR_UD, 0);
  store<u64>(cpu, load<u64>(cpu, VCPU_RIP), VCPU_RCX);
  store<u64>(cpu, getRflags(cpu), VCPU_R11);
  store<u16>(cpu, FLAT_KERNEL_CS, VCPU_SELECTORS + 2);
  store<u16>(cpu, FLAT_KERNEL_SS, VCPU_SELECTORS + 4);
  const masks = (load<u32>(cpu, PV_CALLBACKS_MASKING) & (1 << CALLBACKTYPE_syscall)) != 0;
  const status = enterKernel(cpu, handler, masks, false, 0);
  store<u64>(cpu, load<u64>(cpu, VCPU_RFLAGS) & ~DF, VCPU_RFLAGS);
  return status;
}

/** SYSENTER: from user mode through its callback if there is one, else #GP as with SYSENTER_CS 0. */
export function enterSysenter(cpu: usize): i32 {
  const handler = load<u64>(cpu, PV_SYSENTER_CALLBACK);
  if (!handler || !load<u32>(cpu, VCPU_USER_MODE)) return generalProtection(cpu);
  const masks = (load<u32>(cpu, PV_CALLBACKS_MASKING) & (1 << CALLBACKTYPE_sysenter)) != 0;
  const status = enterKernel(cpu, handler, masks, false, 0);
  store<u64>(cpu, load<u64>(cpu, VCPU_RFLAGS) & ~DF, VCPU_RFLAGS);
  return status;
}
