/** The files of a store that kept whole inodes, as records of this file system: what earlier versions of the machine left. */
import type { StoredInode } from './earlier-inode.ts';
import type { NodeRecord, RecordBody } from './node-record.ts';

const NS_PER_MS = 1_000_000n;

export function recordsOfEarlierStore(inodes: readonly StoredInode[]): Map<number, NodeRecord> {
  return new Map(
    inodes.map((inode) => {
      const { number, mode } = inode;
      const time = BigInt(Math.floor(inode.mtimeMs)) * NS_PER_MS;
      const attributes = { mode, uid: 0, gid: 0, atimeNs: time, mtimeNs: time, ctimeNs: time };
      return [number, { number, attributes, body: bodyOf(inode) }];
    }),
  );
}

function bodyOf(inode: StoredInode): RecordBody {
  switch (inode.kind) {
    case 'file':
      return { kind: 'file', bytes: inode.bytes };
    case 'symlink':
      return { kind: 'symlink', target: inode.target };
    case 'directory':
      return { kind: 'directory', entries: inode.entries, hidden: [] };
  }
}
