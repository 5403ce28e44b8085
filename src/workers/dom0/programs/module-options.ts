/** Options of kernel modules that domain 0 heeds: `options loop max_loop=64` in /etc/modprobe.conf, read at the start. */
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { decodeUtf8 } from '../../../engine/storage/utf8.ts';
import { LOOP_DEVICES_MAX } from '../../../engine/toolstack/devices/loop-devices.ts';

const FILE = '/etc/modprobe.conf';

/** undefined where nothing is said, or nothing sensible. */
export async function loopDevicesWanted(files: FileSystem): Promise<number | undefined> {
  if (!(await files.exists(FILE))) return undefined;
  const text = decodeUtf8(await files.readFile(FILE));
  const wanted = /^\s*options\s+loop\s+(?:\S+\s+)*?max_loop=(\d+)\s*$/m.exec(text)?.[1];
  return wanted === undefined || Number(wanted) < 1 ? undefined : Math.min(Number(wanted), LOOP_DEVICES_MAX);
}
