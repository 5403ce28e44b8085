/** losetup: sets up, shows and frees loop devices. */
import { SECTOR_BYTES } from '../../../engine/storage/disk-image.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { Command } from '../../../engine/toolstack/command.ts';
import type { LoopDevice, LoopDevices } from '../../../engine/toolstack/devices/loop-devices.ts';
import { fileProgram, flag, parseCount, ProgramError, valued } from './file-program.ts';

export function loopSetup(loops: LoopDevices): Command {
  const numberOf = (name: string): number => {
    const number = /^(?:\/dev\/)?loop(\d+)$/.exec(name)?.[1];
    if (number === undefined || Number(number) >= loops.count) throw new ProgramError(`${name}: No such device or address`);
    return Number(number);
  };
  const line = ({ number, fileSystem, inode, path, offsetBytes }: LoopDevice): string =>
    `/dev/loop${number}: [${fileSystem.toString(16).padStart(4, '0')}]:${inode} (${path})${offsetBytes === 0 ? '' : `, offset ${offsetBytes}`}\n`;
  return fileProgram({
    name: 'losetup',
    description: 'set up, show and free loop devices',
    options: [
      flag('all', '-a', '--all'),
      flag('detach', '-d', '--detach'),
      flag('detachAll', '-D', '--detach-all'),
      flag('find', '-f', '--find'),
      flag('readOnly', '-r', '--read-only'),
      flag('show', '--show'),
      valued('offset', '-o', '--offset'),
      valued('associated', '-j', '--associated'),
    ],
    run: async (options, io) => {
      const [first, second] = options.operands;
      if (options.has('detach') || options.has('detachAll')) {
        const names = options.has('detachAll') ? loops.list().map(({ number }) => `/dev/loop${number}`) : options.operands;
        if (names.length === 0 && options.has('detach')) throw new ProgramError('say which device to free');
        for (const name of names) {
          const number = numberOf(name);
          if (loops.get(number)?.automatic === true) throw new ProgramError(`${name}: Device or resource busy`);
          await loops.detach(number);
        }
        return 0;
      }
      const offset = parseCount(options.value('offset') ?? '0');
      if (offset === undefined || offset % SECTOR_BYTES !== 0)
        throw new ProgramError(`invalid offset '${options.value('offset') ?? ''}': whole sectors of 512 bytes`);
      const attach = async (file: string, number?: number): Promise<void> => {
        const device = await loops.attach(resolvePath(io.directory, file), {
          readOnly: options.has('readOnly'),
          offsetBytes: offset,
          ...(number === undefined ? {} : { number }),
        });
        if (options.has('show')) io.out(`/dev/loop${device.number}\n`);
      };
      if (options.has('find')) {
        if (first !== undefined) await attach(first);
        else {
          const free = loops.firstFree();
          if (free === undefined) throw new ProgramError(`could not find any free loop device: there are ${loops.count}`);
          io.out(`/dev/loop${free}\n`);
        }
        return 0;
      }
      if (first !== undefined && second !== undefined) {
        await attach(second, numberOf(first));
        return 0;
      }
      if (first !== undefined) {
        const device = loops.get(numberOf(first));
        if (device === undefined) throw new ProgramError(`${first}: No such device or address`);
        io.out(line(device));
        return 0;
      }
      const file = options.value('associated');
      const wanted = file === undefined ? undefined : resolvePath(io.directory, file);
      for (const device of loops.list()) if (wanted === undefined || device.path === wanted) io.out(line(device));
      return 0;
    },
  });
}
