/** xm mem-set, mem-max. */
import { parseMemoryMiB } from '../configuration/memory-size.ts';
import type { XmCommand } from './xm-command.ts';
import { operand, takeOperands } from './xm-command.ts';

export const memSet: XmCommand = {
  name: 'mem-set',
  synopsis: ['mem-set <DomId> <Mem>'],
  description: 'change the memory target of a domain',
  async run(call) {
    const parsed = takeOperands(call, 'mem-set', 2);
    const domain = call.xend.find(operand(parsed, 0));
    await call.xend.setMemoryTarget(domain.domid, parseMemoryMiB(operand(parsed, 1)));
    return 0;
  },
};

export const memMax: XmCommand = {
  name: 'mem-max',
  synopsis: ['mem-max <DomId> <Mem>'],
  description: 'change the memory ceiling of a domain',
  async run(call) {
    const parsed = takeOperands(call, 'mem-max', 2);
    const domain = call.xend.find(operand(parsed, 0));
    await call.xend.setMemoryMaximum(domain.domid, parseMemoryMiB(operand(parsed, 1)));
    return 0;
  },
};
