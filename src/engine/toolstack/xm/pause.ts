/** xm pause, unpause, destroy, rename, sysrq, trigger: one request to xend each, nothing printed. */
import { XendError } from '../xend-error.ts';
import type { XmCommand } from './xm-command.ts';
import { operand, takeOperands, wholeNumber } from './xm-command.ts';

export const pause: XmCommand = {
  name: 'pause',
  synopsis: ['pause <DomId>'],
  description: 'stop scheduling a domain',
  async run(call) {
    await call.xend.pause(call.xend.find(operand(takeOperands(call, 'pause', 1), 0)).domid);
    return 0;
  },
};

export const unpause: XmCommand = {
  name: 'unpause',
  synopsis: ['unpause <DomId>'],
  description: 'resume scheduling a domain',
  async run(call) {
    await call.xend.unpause(call.xend.find(operand(takeOperands(call, 'unpause', 1), 0)).domid);
    return 0;
  },
};

export const destroy: XmCommand = {
  name: 'destroy',
  synopsis: ['destroy <DomId>'],
  description: 'kill a domain at once',
  async run(call) {
    await call.xend.destroy(call.xend.find(operand(takeOperands(call, 'destroy', 1), 0)).domid);
    return 0;
  },
};

export const rename: XmCommand = {
  name: 'rename',
  synopsis: ['rename <DomId> <NewDomName>'],
  description: 'give a domain another name',
  run(call) {
    const parsed = takeOperands(call, 'rename', 2);
    call.xend.rename(call.xend.find(operand(parsed, 0)).domid, operand(parsed, 1));
    return 0;
  },
};

export const sysrq: XmCommand = {
  name: 'sysrq',
  synopsis: ['sysrq <DomId> <letter>'],
  description: 'send a Magic SysRq key to a domain',
  run(call) {
    const parsed = takeOperands(call, 'sysrq', 2);
    const letter = operand(parsed, 1);
    if (!/^[0-9a-zA-Z]$/.test(letter)) throw new XendError('The SysRq key must be one letter or digit.');
    call.xend.sendSysrq(call.xend.find(operand(parsed, 0)).domid, letter);
    return 0;
  },
};

export const trigger: XmCommand = {
  name: 'trigger',
  synopsis: ['trigger <DomId> <nmi|reset|init> [<VCPU>]'],
  description: 'send a trigger to a domain',
  run(call) {
    const parsed = takeOperands(call, 'trigger', 2, 3);
    const vcpu = parsed.operands[2] === undefined ? 0 : wholeNumber(parsed.operands[2]);
    call.xend.sendTrigger(call.xend.find(operand(parsed, 0)).domid, operand(parsed, 1), vcpu);
    return 0;
  },
};
