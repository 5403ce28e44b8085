/** xm block-attach, block-detach, block-list. */
import { blockSpecification } from '../devices/block-specification.ts';
import type { BlockDeviceSummary } from '../devices/block-devices.ts';
import type { Sxp } from '../sxp.ts';
import type { XmCommand } from './xm-command.ts';
import { operand, takeOperands } from './xm-command.ts';

export const blockAttach: XmCommand = {
  name: 'block-attach',
  synopsis: ['block-attach <DomId> <BackDev> <FrontDev> <Mode> [BackDomId]'],
  description: 'give a domain another disk',
  async run(call) {
    const parsed = takeOperands(call, 'block-attach', 4, 5);
    const domain = call.xend.find(operand(parsed, 0));
    const body: Sxp[] = [
      ['uname', operand(parsed, 1)],
      ['dev', operand(parsed, 2)],
      ['mode', operand(parsed, 3)],
    ];
    if (parsed.operands.length > 4) body.push(['backend', operand(parsed, 4)]);
    await call.xend.attachDisk(domain.domid, blockSpecification(['vbd', ...body]));
    return 0;
  },
};

export const blockDetach: XmCommand = {
  name: 'block-detach',
  synopsis: ['block-detach <DomId> <DevId> [-f|--force]'],
  description: 'take a disk away from a domain',
  async run(call) {
    const parsed = takeOperands(call, 'block-detach', 2, 2, [{ name: 'force', spellings: ['-f', '--force'] }]);
    const domain = call.xend.find(operand(parsed, 0));
    await call.xend.detachDisk(domain.domid, operand(parsed, 1), parsed.has('force'));
    return 0;
  },
};

export const blockList: XmCommand = {
  name: 'block-list',
  synopsis: ['block-list <DomId> [-l|--long]'],
  description: 'show the disks of a domain',
  run(call) {
    const parsed = takeOperands(call, 'block-list', 1, 1, [{ name: 'long', spellings: ['-l', '--long'] }]);
    const domain = call.xend.find(operand(parsed, 0));
    const disks = call.xend.disks(domain.domid);
    if (parsed.has('long')) {
      for (const disk of disks) call.io.out(formatLong(disk));
      return 0;
    }
    if (disks.length > 0) call.io.out('Vdev  BE handle state evt-ch ring-ref BE-path\n');
    for (const disk of disks) call.io.out(`${formatDisk(disk)}\n`);
    return 0;
  },
};

function formatDisk({ backend, backendId, eventChannel, id, ringRef, state }: BlockDeviceSummary): string {
  const cell = (value: number | string, width: number): string => String(value).padEnd(width);
  return `${cell(id, 3)}    ${cell(backendId, 3)}  ${cell(0, 3)}   ${cell(state, 3)}    ${cell(eventChannel, 3)}    ${cell(ringRef, 5)} ${cell(backend, 30)}  `;
}

function formatLong({ backend, backendId, eventChannel, id, ringRef, state }: BlockDeviceSummary): string {
  const rows = [
    `(${id}`,
    `    ((backend-id ${backendId})`,
    `        (virtual-device ${id})`,
    `        (device-type disk)`,
    `        (state ${state})`,
    `        (backend ${backend})`,
    `        (ring-ref ${ringRef})`,
    `        (event-channel ${eventChannel})`,
    `    )`,
    `)`,
  ];
  return `${rows.join('\n')}\n`;
}
