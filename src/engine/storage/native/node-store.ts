/**
 * How inodes come from and go to the ChunkStore. One commit of the pool holds the records of all inodes that changed, as they were
 * at one moment, the contents of large files written up to then, and the removal of volumes that no record names any more: a
 * crash leaves the tree as it was before or after, never between. What the pool wrote behind earlier (it may, when much is
 * dirty) lies in the volume where no size reaches, or is newer contents of an older file.
 */
import { PosixError } from '../mountable.ts';
import type { Volume } from '../volume.ts';
import type { VolumePool } from '../volume-pool.ts';
import type { FileVolumes } from './file-volumes.ts';
import { numberOfVolume, writeBytes } from './file-volumes.ts';
import { decodeNodeRecord, encodeNodeRecord, INLINE_BYTES_MAX, INODE_KEY, recordKey } from './node-record.ts';
import type { NodeRecord, RecordBody } from './node-record.ts';
import { isStored, makeNode } from './nodes.ts';
import type { Contents, DirectoryNode, FileNode, Node } from './nodes.ts';

export const ROOT_NUMBER = 1;
const LOST_AND_FOUND = 'lost+found';

export interface NodeStoreOptions {
  readonly pool: VolumePool;
  readonly volumes: FileVolumes;
  /** Lines for the log: damage found, commits that failed behind a writer's back. */
  log(line: string): void;
  /** Runs the callback a little later; used to gather changes into one commit. */
  defer(callback: () => void): void;
  /** So many bytes of a file in memory are in a volume now. */
  moved(bytes: number): void;
}

export class NodeStore {
  private dirty = new Map<number, Node>();
  private removed = new Set<number>();
  private dropped: Volume[] = [];
  /** Large files that may have contents to be made durable. */
  private readonly written = new Set<FileNode>();
  private due = false;
  private committing: Promise<void> | undefined;
  private failing = false;

  constructor(private readonly options: NodeStoreOptions) {}

  changed(node: Node): void {
    if (!isStored(node) || node.names === 0) return;
    this.dirty.set(node.number, node);
    this.removed.delete(node.number);
    this.schedule();
  }

  /** The last name is gone: so is the record. */
  forgotten(node: Node): void {
    this.dirty.delete(node.number);
    if (isStored(node)) this.removed.add(node.number);
    this.schedule();
  }

  contentsWritten(node: FileNode): void {
    this.written.add(node);
  }

  /** The volume holds no file's contents any more. */
  drop(volume: Volume): void {
    this.dropped.push(volume);
    this.schedule();
  }

  /** As flush, for one large file: cheap when only its contents have changed. */
  async flushContents(node: FileNode, volume: Volume): Promise<void> {
    await volume.flush();
    if (this.committing !== undefined || this.dirty.has(node.number)) await this.flush();
  }

  /** Resolves when every change made before the call is durable. */
  async flush(): Promise<void> {
    while (this.committing !== undefined) await this.committing.catch(() => undefined);
    await this.commit();
  }

  private schedule(): void {
    if (this.due) return;
    this.due = true;
    this.options.defer(() => {
      this.due = false;
      if (this.committing === undefined) this.commit().catch(() => undefined);
    });
  }

  private commit(): Promise<void> {
    this.committing = this.commitOnce().then(
      () => {
        this.committing = undefined;
        this.failing = false;
        if (this.dirty.size + this.removed.size + this.dropped.length > 0) this.schedule();
      },
      (error: unknown) => {
        this.committing = undefined;
        if (!this.failing) this.options.log(`files: changes could not be stored: ${String(error)}`);
        this.failing = true;
        throw error;
      },
    );
    return this.committing;
  }

  private async commitOnce(): Promise<void> {
    const { dirty, removed, dropped } = this;
    const written = [...this.written];
    this.dirty = new Map();
    this.removed = new Set();
    this.dropped = [];
    this.written.clear();
    const moves: Move[] = [];
    try {
      // Taken at one moment, before anything is awaited.
      const snapshots = [...dirty.values()].map(snapshot);
      const volumes = written.flatMap(({ contents }) => (contents.kind === 'volume' ? contents.volume : []));
      const records: (readonly [string, Uint8Array])[] = [];
      for (const { node, record } of snapshots) {
        const move = await this.moveOf(node, record.body);
        if (move !== undefined) moves.push(move);
        records.push([recordKey(node.number), encodeNodeRecord(move === undefined ? record : { ...record, body: move.body })]);
      }
      const removedRecords = [...removed].map(recordKey);
      if (records.length + removedRecords.length + volumes.length + dropped.length + moves.length === 0) return;
      await this.options.pool.commit({
        flushed: [...volumes.filter((volume) => !dropped.includes(volume)), ...moves.map(({ volume }) => volume)],
        removed: dropped,
        records,
        removedRecords,
      });
      for (const move of moves) this.settle(move);
    } catch (error) {
      for (const [number, node] of dirty) if (node.names > 0 && !this.dirty.has(number)) this.dirty.set(number, node);
      for (const number of removed) if (!this.dirty.has(number)) this.removed.add(number);
      for (const node of written) this.written.add(node);
      this.dropped.push(...dropped, ...moves.map(({ volume }) => volume));
      throw error;
    }
  }

  /** A file in memory that has grown too large for a record gets a volume. */
  private async moveOf(node: Node, body: RecordBody): Promise<Move | undefined> {
    if (body.kind !== 'file' || body.bytes.length <= INLINE_BYTES_MAX || node.kind !== 'file') return undefined;
    const sizeBytes = body.bytes.length;
    const volume = this.options.volumes.create(sizeBytes);
    await writeBytes(volume, 0, body.bytes);
    return { node, bytes: body.bytes, volume, body: { kind: 'large', volume: numberOfVolume(volume), sizeBytes } };
  }

  private settle({ node, bytes, volume, body }: Move): void {
    if (node.contents.kind === 'bytes' && node.contents.bytes === bytes && node.names + node.holds > 0) {
      node.contents = { kind: 'volume', volume, sizeBytes: body.sizeBytes, tailClean: true };
      this.options.moved(body.sizeBytes);
    } else {
      // Changed meanwhile: what is stored now is replaced by the next commit.
      this.dropped.push(volume);
    }
  }

  // Opening

  /** The root directory with everything below it and the next free number; undefined when nothing was ever stored. */
  load(): { root: DirectoryNode; nodes: Map<number, Node> } | undefined {
    const records = new Map<number, NodeRecord>();
    let damaged = false;
    for (const [key, bytes] of this.options.pool.takeRecords(INODE_KEY)) {
      const number = Number(key.slice(INODE_KEY.length));
      const record = decodeNodeRecord(number, bytes);
      if (record !== undefined) records.set(number, record);
      else {
        damaged = true;
        this.options.log(`files: the record of inode ${number} is damaged; what it was is lost`);
      }
    }
    if (records.size === 0) {
      if (damaged) throw new PosixError('EIO', 'all records of the files of domain 0 are damaged');
      return undefined;
    }
    return this.build(records);
  }

  /** The tree of the records. What no directory names is put into /lost+found. */
  build(records: ReadonlyMap<number, NodeRecord>): { root: DirectoryNode; nodes: Map<number, Node> } {
    const nodes = new Map<number, Node>();
    for (const record of records.values()) {
      const node = this.nodeOf(record);
      if (node !== undefined) nodes.set(record.number, node);
    }
    const root = nodes.get(ROOT_NUMBER);
    if (root?.kind !== 'directory') throw new PosixError('EIO', 'the stored files have no root directory');
    root.parent = root;
    root.names = 1;
    const fill = (directory: DirectoryNode): void => {
      const { body } = records.get(directory.number) ?? {};
      if (body?.kind !== 'directory') return;
      for (const name of body.hidden) directory.hidden.add(name);
      for (const [name, number] of body.entries) {
        const node = nodes.get(number);
        // Two names for a directory would be a loop or worse.
        if (node === undefined || (node.kind === 'directory' && node.parent !== undefined)) continue;
        directory.entries.set(name, node);
        node.names += 1;
        if (node.kind !== 'directory') continue;
        node.parent = directory;
        fill(node);
      }
    };
    fill(root);
    const lost = [...nodes.values()].filter((node) => node.names === 0);
    for (const node of lost) this.rescue(root, node, nodes);
    for (const node of lost) if (node.kind === 'directory') fill(node);
    return { root, nodes };
  }

  private rescue(root: DirectoryNode, node: Node, nodes: Map<number, Node>): void {
    let place = root.entries.get(LOST_AND_FOUND);
    if (place?.kind !== 'directory') {
      place = makeNode(Math.max(...nodes.keys()) + 1, { ...root, mode: 0o700 }, { kind: 'directory' });
      if (place.kind !== 'directory') return;
      place.parent = root;
      place.names = 1;
      nodes.set(place.number, place);
      root.entries.set(LOST_AND_FOUND, place);
      this.changed(root);
    }
    place.entries.set(`#${node.number}`, node);
    node.names += 1;
    if (node.kind === 'directory') node.parent = place;
    this.options.log(`files: inode ${node.number} has no name; it is now /${LOST_AND_FOUND}/#${node.number}`);
    this.changed(place);
  }

  private nodeOf({ number, attributes, body }: NodeRecord): Node | undefined {
    if (body.kind === 'file') return makeNode(number, attributes, { kind: 'file', contents: { kind: 'bytes', bytes: body.bytes } });
    if (body.kind !== 'large') return makeNode(number, attributes, body);
    const volume = this.options.volumes.claim(body.volume);
    if (volume === undefined) {
      this.options.log(`files: the contents of inode ${number} are missing; the file is lost`);
      return undefined;
    }
    return makeNode(number, attributes, {
      kind: 'file',
      contents: { kind: 'volume', volume, sizeBytes: body.sizeBytes, tailClean: false },
    });
  }
}

interface Move {
  readonly node: FileNode;
  readonly bytes: Uint8Array;
  readonly volume: Volume;
  readonly body: Extract<RecordBody, { readonly kind: 'large' }>;
}

interface Snapshot {
  readonly node: Node;
  readonly record: NodeRecord;
}

function snapshot(node: Node): Snapshot {
  const { number, mode, uid, gid, atimeNs, mtimeNs, ctimeNs } = node;
  return { node, record: { number, attributes: { mode, uid, gid, atimeNs, mtimeNs, ctimeNs }, body: bodyOf(node) } };
}

function bodyOf(node: Node): RecordBody {
  switch (node.kind) {
    case 'file':
      return contentsBody(node.number, node.contents);
    case 'directory':
      return {
        kind: 'directory',
        entries: [...node.entries].filter(([, entry]) => isStored(entry)).map(([name, entry]) => [name, entry.number]),
        hidden: [...node.hidden],
      };
    case 'symlink':
      return { kind: 'symlink', target: node.target };
    case 'character-device':
    case 'block-device':
      return { kind: node.kind, device: node.device };
    case 'fifo':
    case 'socket':
      return { kind: node.kind };
  }
}

function contentsBody(number: number, contents: Contents): RecordBody {
  // Small bytes may be changed in place while the commit is under way.
  if (contents.kind === 'bytes')
    return { kind: 'file', bytes: contents.bytes.length > INLINE_BYTES_MAX ? contents.bytes : contents.bytes.slice() };
  if (contents.kind === 'volume') return { kind: 'large', volume: numberOfVolume(contents.volume), sizeBytes: contents.sizeBytes };
  throw new TypeError(`inode ${number} is not stored`);
}
