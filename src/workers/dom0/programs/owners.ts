/** Names of users and groups, from /etc/passwd and /etc/group of domain 0. */
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { decodeUtf8 } from '../../../engine/storage/utf8.ts';

export interface Owners {
  /** The number where there is no name. */
  user(uid: number): string;
  group(gid: number): string;
  /** Of a name or a number; undefined for a name that is not known. */
  uid(name: string): number | undefined;
  gid(name: string): number | undefined;
}

const NUMBER_MAX = 0xffff_fffe;

export const NO_OWNERS: Owners = ownersOf('', '');

export async function readOwners(files: FileSystem): Promise<Owners> {
  return ownersOf(await textOf(files, '/etc/passwd'), await textOf(files, '/etc/group'));
}

async function textOf(files: FileSystem, path: string): Promise<string> {
  try {
    return decodeUtf8(await files.readFile(path));
  } catch (error) {
    if (error instanceof FileSystemError) return '';
    throw error;
  }
}

function ownersOf(passwd: string, group: string): Owners {
  // The super-user has that name whatever the files say.
  const users = new Map([...table(passwd), ['root', 0] as const]);
  const groups = new Map([...table(group), ['root', 0] as const]);
  const number = (names: ReadonlyMap<string, number>, name: string): number | undefined =>
    names.get(name) ?? (/^\d{1,10}$/.test(name) && Number(name) <= NUMBER_MAX ? Number(name) : undefined);
  const named = (names: ReadonlyMap<string, number>, wanted: number): string =>
    [...names].find(([, each]) => each === wanted)?.[0] ?? String(wanted);
  return {
    user: (uid) => named(users, uid),
    group: (gid) => named(groups, gid),
    uid: (name) => number(users, name),
    gid: (name) => number(groups, name),
  };
}

/** "name:password:number:..." */
function table(text: string): Map<string, number> {
  const rows = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':');
    if (name !== undefined && name !== '' && number !== undefined && /^\d+$/.test(number)) rows.set(name, Number(number));
  }
  return rows;
}
