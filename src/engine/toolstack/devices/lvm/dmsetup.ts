/** dmsetup: what the device mapper has, seen through logical volumes; `wait` ends with the next event of a snapshot. */
import type { Command, CommandIo } from '../../command.ts';
import { Interrupted } from '../../services.ts';
import { groupOf, shortName, type VolumeGroups } from './volume-groups.ts';

const DEVICE_MAPPER_MAJOR = 254;
const COMMANDS = 'ls, status, table, info, wait';
const EXTENT_SECTORS = 512;

/** "vg-my--disk" of "vg/my-disk". */
const mapperName = (volumeName: string): string =>
  [groupOf(volumeName), shortName(volumeName)].map((part) => part.replaceAll('-', '--')).join('-');

export function dmsetup(groups: VolumeGroups): Command {
  const { pool } = groups;
  const names = (): string[] => pool.names();
  const find = (given: string): string | undefined =>
    names().find(
      (name) => mapperName(name) === given.replace(/^\/dev\/mapper\//, '') || `/dev/${name}` === given || name === given,
    );
  const minor = (name: string): number => names().indexOf(name);

  const status = (name: string): string => {
    const sectors = pool.volume(name)?.sectors ?? 0;
    const snapshot = groups.snapshot(name);
    if (snapshot === undefined) {
      return `0 ${sectors} ${groups.snapshotsOf(name).length > 0 ? 'snapshot-origin' : 'linear'}`;
    }
    const used = snapshot.invalid ? 'Invalid' : `${groups.usedBytes(name) / 512}/${snapshot.cowBytes / 512}`;
    return `0 ${sectors} snapshot ${used}`;
  };
  const table = (name: string): string => {
    const sectors = pool.volume(name)?.sectors ?? 0;
    const snapshot = groups.snapshot(name);
    if (snapshot !== undefined)
      return `0 ${sectors} snapshot ${DEVICE_MAPPER_MAJOR}:${minor(snapshot.origin)} - P ${EXTENT_SECTORS}`;
    return `0 ${sectors} linear ${DEVICE_MAPPER_MAJOR}:${minor(name)} 0`;
  };
  const info = (name: string): string =>
    [
      `Name:              ${mapperName(name)}`,
      'State:             ACTIVE',
      'Tables present:    LIVE',
      `Event number:      ${groups.eventsOf(name)}`,
      `Major, minor:      ${DEVICE_MAPPER_MAJOR}, ${minor(name)}`,
      'Number of targets: 1',
      '',
    ].join('\n');

  const wait = (name: string, after: number, io: CommandIo): Promise<void> =>
    new Promise((resolve, reject) => {
      if (groups.eventsOf(name) > after) {
        resolve();
        return;
      }
      let forget: () => void = () => undefined;
      const ignore = groups.onEvent((snapshot) => {
        if (snapshot !== name || groups.eventsOf(name) <= after) return;
        ignore();
        forget();
        resolve();
      });
      forget = io.cancellation.onCancel(() => {
        ignore();
        reject(new Interrupted());
      });
    });

  return {
    name: 'dmsetup',
    description: 'show what the device mapper has, or wait for a snapshot to fill up',
    async run(words, io) {
      const [command = '', given, event] = words;
      if (!['ls', 'status', 'table', 'info', 'wait'].includes(command)) {
        io.error(`Unknown command\nUsage: dmsetup COMMAND [DEVICE]; commands: ${COMMANDS}\n`);
        return 1;
      }
      const name = given === undefined ? undefined : find(given);
      if (given !== undefined && name === undefined) {
        io.error(`Device ${given} not found\nCommand failed\n`);
        return 1;
      }
      if (command === 'wait') {
        if (name === undefined) {
          io.error('Device name is needed: dmsetup wait DEVICE [EVENT]\nCommand failed\n');
          return 1;
        }
        await wait(name, /^\d+$/.test(event ?? '') ? Number(event) : groups.eventsOf(name), io);
        return 0;
      }
      const shown = name === undefined ? names() : [name];
      if (shown.length === 0) io.out('No devices found\n');
      for (const one of shown) {
        if (command === 'ls') io.out(`${mapperName(one)}\t(${DEVICE_MAPPER_MAJOR}, ${minor(one)})\n`);
        else if (command === 'info') io.out(`${info(one)}\n`);
        else io.out(`${name === undefined ? `${mapperName(one)}: ` : ''}${(command === 'status' ? status : table)(one)}\n`);
      }
      return 0;
    },
  };
}
