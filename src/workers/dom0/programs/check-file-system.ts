/** e2fsck (also as fsck, fsck.ext2 ...) and resize2fs: check, repair and grow a file system that is not mounted. */
import { checkFileSystem, type CheckMode } from '../../../engine/storage/ext/check-file-system.ts';
import { resizeFileSystem } from '../../../engine/storage/ext/resize-file-system.ts';
import type { Command } from '../../../engine/toolstack/command.ts';
import { deviceOf, withDisk } from './exclusive-disk.ts';
import { fileProgram, flag, parseCount, ProgramError } from './file-program.ts';
import type { MakeTools } from './make-file-system.ts';

const NS_PER_MS = 1_000_000n;
/** Statuses of e2fsck: an operational error, a wrong command line. */
const CHECK_FAILED = 8;
const CHECK_USAGE = 16;

export function checkPrograms(tools: MakeTools): Command[] {
  const now = (): bigint => BigInt(Math.floor(tools.clock.nowMs())) * NS_PER_MS;
  const check = (name: string): Command =>
    fileProgram({
      name,
      description: 'check a file system and repair it',
      usageStatus: CHECK_USAGE,
      options: [flag('force', '-f'), flag('no', '-n'), flag('yes', '-y'), flag('preen', '-p', '-a'), flag('verbose', '-v')],
      run: (options, io) => {
        const chosen = (['no', 'yes', 'preen'] as const).filter((mode) => options.has(mode));
        if (chosen.length > 1) throw new ProgramError('Only one of the options -p/-a, -n or -y may be specified.', CHECK_USAGE);
        const mode: CheckMode | undefined = chosen[0];
        if (mode === undefined) throw new ProgramError('need -n, -p or -y: questions are not asked one by one here', CHECK_FAILED);
        return withDisk(
          tools,
          deviceOf(options, name, CHECK_FAILED),
          io,
          { readOnly: mode === 'no', failure: CHECK_FAILED },
          async (disk) => {
            const { exitCode } = await checkFileSystem(disk, {
              mode,
              force: options.has('force'),
              now,
              report: (line) => {
                io.out(`${line}\n`);
              },
            });
            return exitCode;
          },
        );
      },
    });
  const resize = fileProgram({
    name: 'resize2fs',
    description: 'grow a file system to the size of its disk',
    options: [flag('force', '-f')],
    run: (options, io) => {
      const size = options.operands[1];
      const blocks = size === undefined ? undefined : parseCount(size);
      if (size !== undefined && blocks === undefined) throw new ProgramError(`invalid new size: ${size} (a number of blocks)`);
      return withDisk(tools, deviceOf(options, 'resize2fs'), io, {}, async (disk) => {
        const resized = await resizeFileSystem(disk, { now, ...(blocks === undefined ? {} : { blocks }) });
        const [device = ''] = options.operands;
        io.out(
          resized.blocks === resized.blocksBefore
            ? `The filesystem is already ${resized.blocks} (${resized.blockBytes / 1024}k) blocks long.  Nothing to do!\n`
            : `The filesystem on ${device} is now ${resized.blocks} (${resized.blockBytes / 1024}k) blocks long.\n`,
        );
        return 0;
      });
    },
  });
  return [...['e2fsck', 'fsck', 'fsck.ext2', 'fsck.ext3', 'fsck.ext4'].map(check), resize];
}
