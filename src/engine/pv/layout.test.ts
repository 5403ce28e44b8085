import { describe, expect, test } from 'vitest';
import { CONTROL, CONTROL_BYTES, CONTROL_PV, MAX_VCPUS, VCPU_PV, VCPU_JUMPS } from '../cpu/layout.ts';
import { EVTCHN_2L_NR_CHANNELS, NR_VIRQS } from '../abi/event-channel.ts';
import { GUEST_CONTEXT_BYTES } from '../abi/guest-context.ts';
import { HYPERCALL_COUNT } from '../abi/hypercall.ts';
import { RUNSTATE_BYTES } from '../abi/sched.ts';
import { CAPABILITIES_BYTES, CHANGESET_BYTES, COMPILE_INFO_BYTES, EXTRAVERSION_BYTES } from '../abi/version.ts';
import * as layout from './layout.ts';

/** Sizes of the fields that are not a word of their own alignment. */
const SIZES: Record<string, number> = {
  PV_GDT_FRAMES: layout.GDT_FRAMES_MAX * 4,
  PV_RUNSTATE: RUNSTATE_BYTES,
  PV_VIRQ_PORTS: NR_VIRQS * 2,
  PV_SCRATCH: layout.PV_SCRATCH_BYTES,
  PV_MULTICALL: 64,
  PV_HYPERCALL_COUNTS: HYPERCALL_COUNT * 8,
  PV_EXCEPTION_COUNTS: 32 * 8,
  PV_TRAP_TABLE: 256 * layout.PV_TRAP_BYTES,
  DOMAIN_HANDLE: 16,
  DOMAIN_WATCHDOGS: 16,
  DOMAIN_EVENTS: layout.DOMAIN_EVENTS_WORDS * 8,
  DOMAIN_EXTRAVERSION: EXTRAVERSION_BYTES,
  DOMAIN_CHANGESET: CHANGESET_BYTES,
  DOMAIN_COMPILE_INFO: COMPILE_INFO_BYTES,
  DOMAIN_CAPABILITIES: CAPABILITIES_BYTES,
  DOMAIN_CONTEXT: GUEST_CONTEXT_BYTES,
  DOMAIN_CONSOLE_BUFFERS: MAX_VCPUS * layout.CONSOLE_BUFFER_BYTES,
  DOMAIN_CHANNELS: EVTCHN_2L_NR_CHANNELS * layout.CHANNEL_BYTES,
};
const QUADS = /KERNEL_SP|CALLBACK$|DEADLINE|PERIOD|AREA|CR4|CONFIG_ADDRESS|VM_ASSIST|CRASH_DETAIL|SUSPEND_MFN|WRITES/;

/** Fields by place: [name, offset, bytes]. */
function fields(prefix: string, lowest: number): [string, number, number][] {
  return Object.entries(layout as Record<string, number>)
    .filter(([name, offset]) => name.startsWith(prefix) && offset >= lowest)
    .map(([name, offset]): [string, number, number] => [name, offset, SIZES[name] ?? (QUADS.test(name) ? 8 : 4)])
    .sort((a, b) => a[1] - b[1]);
}

describe.each([
  ['a vCPU’s fields', 'PV_', VCPU_PV, VCPU_JUMPS],
  ['the domain’s fields', 'DOMAIN_', CONTROL + CONTROL_PV, CONTROL + CONTROL_BYTES],
])('%s', (_, prefix, from, to) => {
  const all = fields(prefix, from);

  test('are there', () => {
    expect(all.length).toBeGreaterThan(20);
  });

  test('lie in their area', () => {
    for (const [name, offset, bytes] of all) {
      expect(offset, name).toBeGreaterThanOrEqual(from);
      expect(offset + bytes, name).toBeLessThanOrEqual(to);
    }
  });

  test('do not overlap', () => {
    for (let index = 1; index < all.length; index += 1) {
      const [before, offset, bytes] = all[index - 1]!;
      const [after, next] = all[index]!;
      expect(next, `${before} runs into ${after}`).toBeGreaterThanOrEqual(offset + bytes);
    }
  });

  test('are aligned to their size', () => {
    for (const [name, offset, bytes] of all) expect(offset % Math.min(bytes, 8), name).toBe(0);
  });
});
