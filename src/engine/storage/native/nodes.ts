/**
 * Inodes of the machine's own file system, as they are in memory. Stored ones have a record each; transient ones are made anew at
 * every boot (generated files, files of the site that are fetched when first read).
 */
import type { BaseImage } from '../base-image.ts';
import type { DiskImage } from '../disk-image.ts';
import type { DeviceNumber } from '../mountable.ts';
import type { Volume } from '../volume.ts';

/** Called with bytes so far and in all while a lazy file is being fetched. */
export type FetchProgress = (loadedBytes: number, totalBytes: number) => void;

export interface LazyFile {
  readonly sizeBytes: number;
  fetch(onProgress: FetchProgress): Promise<Uint8Array>;
}

/** A disk in a file that is made when it is first used, and is an ordinary file from then on. */
export type LazyDisk = {
  /** Whole sectors. */
  readonly sizeBytes: number;
} & (
  | {
      /** Fills a disk of zeros. */
      make(disk: DiskImage): Promise<void>;
    }
  | { readonly base: BaseImage }
);

export interface GeneratedFile {
  read(): Uint8Array;
  /** Absent: not writable. */
  write?(bytes: Uint8Array): void;
}

/**
 * What a file holds. Bytes beyond INLINE_BYTES_MAX are never changed in place, only replaced: they are on their way to a volume.
 * `tailClean`: behind sizeBytes the volume is known to hold nothing. It is not after a crash, which may have left data there
 * whose size was never stored.
 */
export type Contents =
  | { readonly kind: 'bytes'; bytes: Uint8Array }
  | { readonly kind: 'volume'; readonly volume: Volume; sizeBytes: number; tailClean: boolean }
  | { readonly kind: 'lazy'; readonly source: LazyFile; fetching: Promise<Uint8Array> | undefined }
  | { readonly kind: 'unmade'; readonly source: LazyDisk; making: Promise<void> | undefined }
  | { readonly kind: 'generated'; readonly source: GeneratedFile };

interface NodeCommon {
  readonly number: number;
  mode: number;
  uid: number;
  gid: number;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  /** Directory entries that name it, "." and ".." not counted. */
  names: number;
  /** Open files. */
  holds: number;
  /** Has no record. */
  transient: boolean;
  /** Of a transient node: the directory of its one name. */
  home: DirectoryNode | undefined;
  /** The last content operation that was begun: they run one after the other. */
  busy: Promise<unknown> | undefined;
}

export type FileNode = NodeCommon & { readonly kind: 'file'; contents: Contents };
export type DirectoryNode = NodeCommon & {
  readonly kind: 'directory';
  readonly entries: Map<string, Node>;
  /** The root's is the root itself. */
  parent: DirectoryNode | undefined;
  /** Transient entries that were removed and are not to come back at the next boot; with EVERYTHING, none is to come. */
  readonly hidden: Set<string>;
  /** Names that there were transient entries for at this boot, whatever stands there. */
  readonly offered: Set<string>;
};
export type SymlinkNode = NodeCommon & { readonly kind: 'symlink'; readonly target: string };
export type DeviceNode = NodeCommon & {
  readonly kind: 'character-device' | 'block-device';
  readonly device: DeviceNumber;
};
export type PipeNode = NodeCommon & { readonly kind: 'fifo' | 'socket' };
export type Node = FileNode | DirectoryNode | SymlinkNode | DeviceNode | PipeNode;

export type NodeBody =
  | { readonly kind: 'file'; contents: Contents }
  | { readonly kind: 'directory' }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'character-device' | 'block-device'; readonly device: DeviceNumber }
  | { readonly kind: 'fifo' | 'socket' };

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** In `hidden`: the directory was made in the place of a transient one and has nothing of it. No name is empty. */
export const EVERYTHING = '';

export function makeNode(number: number, attributes: Attributes, body: NodeBody, transient = false): Node {
  const { mode, uid, gid, atimeNs, mtimeNs, ctimeNs } = attributes;
  const common: NodeCommon = {
    number,
    mode,
    uid,
    gid,
    atimeNs,
    mtimeNs,
    ctimeNs,
    names: 0,
    holds: 0,
    transient,
    home: undefined,
    busy: undefined,
  };
  return body.kind === 'directory'
    ? { ...common, kind: 'directory', entries: new Map(), parent: undefined, hidden: new Set(), offered: new Set() }
    : { ...common, ...body };
}

export function isStored(node: Node): boolean {
  return !node.transient;
}
