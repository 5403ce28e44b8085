/**
 * Why the boot log of fixtures/domu-console-boot.txt, recorded under Xen 4.17.7 on an emulated Nehalem with a disk and a network
 * interface, is not line for line what the same kernel prints here.
 */
import type { Explanation } from './boot-log.ts';

const SPECULATION =
  'CPUID and the capability MSR say that this processor does not speculate, so the kernel defends itself against less';
const PACKAGES =
  'each virtual CPU has an APIC number of its own, where the recorded machine gave out 0: the kernel counts packages';
const BLANK = 'as in xend, the command line begins with the blank that parts of it are joined by';
const NO_DEVICES = 'the guest has no disk and no network interface here';
const CLOCK = 'how long reading a clock took, noted when another thread of the machine got in between';

export const EXPLAINED: readonly Explanation[] = [
  { only: 'real', line: /(Kernel c|C)ommand line: console=.*/, why: BLANK },
  { only: 'here', line: /(Kernel c|C)ommand line: {2}console=.*/, why: BLANK },
  { only: 'real', line: /Xen version: 4\.17\.7 \(preserve-AD\)/, why: 'the version has a word of our own behind it' },
  { only: 'here', line: /Xen version: 4\.17\.7-webxen \(preserve-AD\)/, why: 'the version has a word of our own behind it' },
  { only: 'real', line: /tsc: Fast TSC calibration failed/, why: 'CPUID tells the frequency, so that nothing is measured' },
  { only: 'here', line: /random: crng init done/, why: 'RDRAND and RDSEED are there: entropy is complete early' },
  { only: 'real', line: /Poking KASLR using RDTSC\.\.\./, why: 'RDRAND is there' },
  { only: 'here', line: /Poking KASLR using RDRAND RDTSC\.\.\./, why: 'RDRAND is there' },
  { only: 'real', line: /xen:events: Using FIFO-based ABI/, why: 'event channels are of the 2-level kind only' },
  { only: 'here', line: /xen:events: Using 2-level ABI/, why: 'event channels are of the 2-level kind only' },
  { only: 'real', line: /cpu [123] spinlock event irq \d+/, why: 'with 2-level events a CPU has one interrupt more, VIRQ_DEBUG' },
  { only: 'here', line: /cpu [123] spinlock event irq \d+/, why: 'with 2-level events a CPU has one interrupt more, VIRQ_DEBUG' },
  { only: 'real', line: /Kernel\/User page tables isolation: disabled on XEN PV\./, why: SPECULATION },
  { only: 'real', line: /Spectre V2 : (Mitigation: Retpolines|Spectre v2 \/ SpectreRSB: Filling RSB .*)/, why: SPECULATION },
  {
    only: 'here',
    line: /Spectre V2 : (Mitigation: Enhanced \/ Automatic IBRS|Enabling IBPB for BPF|mitigation: .*)/,
    why: SPECULATION,
  },
  { only: 'real', line: /(Speculative Store Bypass|MDS|MMIO Stale Data): .*/, why: SPECULATION },
  { only: 'real', line: /active return thunk: its_return_thunk|ITS: Mitigation: .*/, why: SPECULATION },
  { only: 'real', line: /\[Firmware Bug\]: CPU[123]: APIC id mismatch\. Firmware: ffff APIC: 0/, why: PACKAGES },
  { only: 'here', line: /\[Firmware Bug\]: CPU[123]: APIC id mismatch\. Firmware: ffff APIC: [246]/, why: PACKAGES },
  { only: 'here', line: /smpboot: CPU [123] Converting physical \d to logical (package|die) [123]/, why: PACKAGES },
  { only: 'real', line: /smpboot: Max logical packages: 1/, why: PACKAGES },
  { only: 'here', line: /smpboot: Max logical packages: 4/, why: PACKAGES },
  { only: 'real', line: /xenbus_probe_frontend: Device with no driver: device\/(vbd\/51712|vif\/0)/, why: NO_DEVICES },
  { only: 'real', line: /clocksource: .* read-back delay of \d+ns.*/, why: CLOCK },
  { only: 'here', line: /clocksource: .* read-back delay of \d+ns.*/, why: CLOCK, sometimes: true },
  {
    only: 'here',
    line: /clocksource: timekeeping watchdog on CPU\d+: xen retried \d+ times before success|tsc: Marking TSC unstable due to clocksource watchdog/,
    why: CLOCK,
    sometimes: true,
  },
  { only: 'real', line: /hrtimer: interrupt took N ns/, why: CLOCK, sometimes: true },
  { only: 'here', line: /hrtimer: interrupt took N ns/, why: CLOCK, sometimes: true },
  { only: 'moved', line: /hrtimer: interrupt took N ns/, why: CLOCK, sometimes: true },
  {
    only: 'moved',
    line: /audit: type=2000 .*/,
    why: 'audit records are printed by a thread of their own beside the rest',
    sometimes: true,
  },
  {
    only: 'moved',
    line: /(Freeing initrd memory: N|Trying to unpack rootfs image as initramfs\.\.\.|clocksource: tsc: ).*/,
    why: 'the ramdisk is unpacked by a thread of its own beside the rest',
    sometimes: true,
  },
];

/** Lines with words of complaint that a PV guest prints on a healthy machine too. */
export const EXPECTED_COMPLAINTS: readonly RegExp[] = [
  /^AMD-Vi: AMD IOMMUv2 functionality not available on this system - This is not a bug\.$/,
  /^DMI not present or invalid\.$/,
  /^\[Firmware Bug\]: CPU\d+: APIC id mismatch\./,
];
