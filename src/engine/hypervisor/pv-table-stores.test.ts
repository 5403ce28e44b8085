/** Stores of several vCPUs to one entry of a page table at a time: each goes through the hypervisor, and none is lost. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { __HYPERVISOR_vm_assist } from '../abi/hypercall.ts';
import { VMASST_CMD_enable, VMASST_TYPE_writable_pagetables } from '../abi/mmu.ts';
import { EXIT_BUDGET, VCPU_R8, VCPU_RBX, VCPU_RIP } from '../cpu/layout.ts';
import { DOMAIN_CONTEXT } from '../pv/layout.ts';
import { startTypescriptWorker } from '../../workers/testing/typescript-worker.ts';
import { vcpuBlockOf } from './domain-memory.ts';
import { coreModule } from '../cpu/testing/fixture.ts';
import { CODE, FREE_PFN, L1_PFN, PvGuest, TABLES } from './testing/pv-guest.ts';
import type { PvThreadOrder } from './testing/pv-thread.ts';

const VCPUS = 2;
const ROUNDS = 20_000;
const SPARE_SLOT = 0x20;
/** Bits that software may use: what is added leaves the entry not present. */
const STEP = 0x200n;

/** dec r8; jnz back to the start; jmp $. */
const repeated = (code: readonly number[]): number[] => [...code, 0x49, 0xff, 0xc8, 0x75, 256 - (code.length + 5), 0xeb, 0xfe];

test.each([
  ['lock add', [0xf0, 0x48, 0x81, 0x03, 0, 2, 0, 0]],
  ['lock xadd', [0xb8, 0, 2, 0, 0, 0xf0, 0x48, 0x0f, 0xc1, 0x03]],
  ['lock cmpxchg', [0x48, 0x8b, 0x03, 0x48, 0x8d, 0x88, 0, 2, 0, 0, 0xf0, 0x48, 0x0f, 0xb1, 0x0b, 0x75, 256 - 14]],
  // The other half of the word is written by nobody, and stays.
  ['lock add of a narrow operand', [0xf0, 0x81, 0x03, 0, 2, 0, 0]],
])('%s by two vCPUs', async (_, code) => {
  const guest = new PvGuest(VCPUS);
  guest.hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
  const program = repeated(code);
  guest.code(program);
  const gate = guest.ram(FREE_PFN);
  guest.view.setUint32(gate, VCPUS, true);
  expect(guest.core.pvSetContext(vcpuBlockOf(1), DOMAIN_CONTEXT)).toBe(0);
  const threads = Array.from({ length: VCPUS }, () => startTypescriptWorker(new URL('./testing/pv-thread.ts', import.meta.url)));
  try {
    const exits = await Promise.all(
      threads.map(async (thread, vcpu) => {
        const cpu = vcpuBlockOf(vcpu);
        for (const [register, value] of [
          [VCPU_RIP, CODE],
          [VCPU_RBX, TABLES + 0x3000n + BigInt(SPARE_SLOT * 8)],
          [VCPU_R8, BigInt(ROUNDS)],
        ] as const)
          guest.view.setBigUint64(cpu + register, value, true);
        const ended = once(thread, 'message');
        const order: PvThreadOrder = {
          module: coreModule(),
          memory: guest.memory,
          cpu,
          gate,
          end: CODE + BigInt(program.length - 2),
        };
        thread.postMessage(order);
        return ((await ended) as [number])[0];
      }),
    );
    expect(exits).toEqual([EXIT_BUDGET, EXIT_BUDGET]);
    expect(guest.tableEntry(L1_PFN, SPARE_SLOT)).toBe(STEP * BigInt(VCPUS * ROUNDS));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
});
