/** What dom0's programs are told about files, and how errors of file systems and disks become theirs. */
import { StorageError } from './chunk-store.ts';
import { FileSystemError, isFileErrorCode } from './file-system-error.ts';
import { PosixError } from './mountable.ts';
import type { DeviceNumber, FileKind, InodeStatus } from './mountable.ts';

export interface FileStatus {
  readonly inode: number;
  /** Of the file system it is on. */
  readonly fileSystem: number;
  readonly kind: FileKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly blockBytes: number;
  readonly links: number;
  /** What a device node stands for. */
  readonly device: DeviceNumber;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

export function statusOf(fileSystem: number, status: InodeStatus): FileStatus {
  const { atimeNs, mtimeNs, ctimeNs, ...rest } = status;
  const milliseconds = (ns: bigint): number => Number(ns) / 1e6;
  return { ...rest, fileSystem, atimeMs: milliseconds(atimeNs), mtimeMs: milliseconds(mtimeNs), ctimeMs: milliseconds(ctimeNs) };
}

/** Codes whose message says more than the code. */
const TELLING = new Set(['EIO', 'EUCLEAN', 'ENOSPC', 'ENOTSUP']);

export function fileError(error: unknown, operation: string, path: string): unknown {
  if (error instanceof PosixError || error instanceof StorageError) {
    const code = isFileErrorCode(error.code) ? error.code : 'EIO';
    return new FileSystemError(code, operation, path, TELLING.has(code) ? error.message : undefined);
  }
  return error;
}

export async function withFileErrors<T>(operation: string, path: string, body: () => Promise<T> | T): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw fileError(error, operation, path);
  }
}
