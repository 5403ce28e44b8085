/**
 * Errors of dom0's file system: POSIX code, operation and path, with the wording that Node's fs uses, because the shell
 * language recognises failures by that text ("ENOENT: no such file or directory, open '/x'").
 */

const SENTENCES = {
  ENOENT: 'no such file or directory',
  EEXIST: 'file already exists',
  ENOTDIR: 'not a directory',
  EISDIR: 'illegal operation on a directory',
  ENOTEMPTY: 'directory not empty',
  EINVAL: 'invalid argument',
  ELOOP: 'too many symbolic links encountered',
  ENAMETOOLONG: 'name too long',
  ENOSPC: 'no space left on device',
  EPERM: 'operation not permitted',
  EBUSY: 'resource busy or locked',
  EIO: 'input/output error',
} as const;

export type FileErrorCode = keyof typeof SENTENCES;

export class FileSystemError extends Error {
  constructor(
    readonly code: FileErrorCode,
    readonly operation: string,
    readonly path: string,
    detail?: string,
  ) {
    super(`${code}: ${SENTENCES[code]}, ${operation} '${path}'${detail === undefined ? '' : ` (${detail})`}`);
    this.name = 'FileSystemError';
  }

  /** What the tools print after the colon: "No such file or directory". */
  get sentence(): string {
    const text = SENTENCES[this.code];
    return text.charAt(0).toUpperCase() + text.slice(1);
  }
}
