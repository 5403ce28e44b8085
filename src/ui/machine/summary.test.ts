import { describe, expect, it } from 'vitest';
import { summarise } from './summary.ts';

describe('summarise', () => {
  it.each([
    [
      'host                   : webxen\nnr_cpus                : 2\ntotal_memory           : 4096\nfree_memory            : 3584\nxen_major              : 4\nxen_minor              : 17\n',
      'Xen 4.17 · 2 CPUs · 3584 of 4096 MiB free',
    ],
    ['nr_cpus : 1\nxen_version : 3.0-unstable\n', 'Xen 3.0-unstable · 1 CPU'],
    ['', ''],
  ])('%j', (info, line) => {
    expect(summarise(info)).toBe(line);
  });
});
