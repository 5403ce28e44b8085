/** How programs that change what is on a disk come by it: nobody else may have it meanwhile. */
import type { DiskImage } from '../../../engine/storage/disk-image.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { CommandIo } from '../../../engine/toolstack/command.ts';
import type { ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import { ProgramError } from './file-program.ts';
import type { MakeTools } from './make-file-system.ts';

/** The first operand. */
export function deviceOf(options: ParsedOptions, name: string, failure = 1): string {
  const [target] = options.operands;
  if (target === undefined) throw new ProgramError(`usage: ${name} DEVICE`, failure);
  return target;
}

/** Runs `work` on a device or an image that is not mounted and that no guest has; what it wrote is durable when this resolves. */
export async function withDisk<Result>(
  { files, sources }: MakeTools,
  target: string,
  io: CommandIo,
  { failure = 1, readOnly = false }: { readonly failure?: number; readonly readOnly?: boolean },
  work: (disk: DiskImage) => Promise<Result>,
): Promise<Result> {
  const path = resolvePath(io.directory, target);
  if (!(await files.exists(path))) throw new ProgramError(`No such file or directory while trying to open ${target}`, failure);
  const realPath = await files.realPath(path);
  if (files.mounts.list().some(({ source }) => source === realPath)) throw new ProgramError(`${target} is mounted.`, failure);
  const release = sources.mounting(realPath, !readOnly);
  try {
    const file = await files.open(path);
    try {
      const disk = file.disk(readOnly);
      if (disk === undefined) throw new ProgramError(`${target} is not a disk`, failure);
      const result = await work(disk);
      await file.sync();
      return result;
    } finally {
      await file.close();
    }
  } finally {
    release();
  }
}
