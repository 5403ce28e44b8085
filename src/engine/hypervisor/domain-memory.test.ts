import { describe, expect, test } from 'vitest';
import { MAX_VCPUS, PAGE_BYTES, VCPU_BLOCKS, VCPU_BLOCK_BYTES } from '../cpu/layout.ts';
import { XEN_FRAMES, planDomainMemory } from './domain-memory.ts';

describe('plan of a domain’s memory', () => {
  test.each([
    [1, 1],
    [256, 1],
    [65536, 4],
    [65536, 5],
    [262_144, 32],
    [1_000_000, 1],
  ])('%i pages, %i vCPUs: parts follow each other without overlap', (pages, vcpus) => {
    const plan = planDomainMemory(pages, vcpus, 0x12345);
    expect(plan.arenas).toBe(VCPU_BLOCKS + vcpus * VCPU_BLOCK_BYTES);
    expect(plan.frameRecords).toBe(plan.arenas + vcpus * plan.arenaBytes);
    expect(plan.m2p).toBeGreaterThanOrEqual(plan.frameRecords + plan.frameCount * 32);
    expect(plan.m2p % PAGE_BYTES).toBe(0);
    expect(plan.framesBase).toBe(plan.m2p + plan.m2pPages * PAGE_BYTES);
    expect(plan.m2pFirstMfn % 512).toBe(0);
    expect(plan.m2pFirstMfn).toBeLessThanOrEqual(plan.firstMfn);
    expect(plan.m2pFirstMfn + plan.m2pPages * 512).toBeGreaterThanOrEqual(plan.firstMfn + plan.frameCount);
    expect(plan.frameCount).toBe(pages + XEN_FRAMES);
    expect(plan.ram).toBe(plan.framesBase + XEN_FRAMES * PAGE_BYTES);
    expect(plan.totalBytes % 65536).toBe(0);
    expect(plan.totalBytes).toBeGreaterThanOrEqual(plan.ram + pages * PAGE_BYTES);
  });

  test.each([
    [100, 0, /1 to 32 vCPUs/],
    [100, MAX_VCPUS + 1, /1 to 32 vCPUs/],
    [100, 1.5, /1 to 32 vCPUs/],
    [0, 1, /cannot have 0 pages/],
    [1_100_000, 1, /about 4035 MiB/],
  ])('%i pages, %s vCPUs is refused', (pages, vcpus, message) => {
    expect(() => planDomainMemory(pages, vcpus, 0x10000)).toThrow(message);
  });
});
