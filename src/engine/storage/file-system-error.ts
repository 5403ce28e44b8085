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
  EROFS: 'read-only file system',
  EXDEV: 'cross-device link not permitted',
  EFBIG: 'file too large',
  EMLINK: 'too many links',
  ENOTSUP: 'operation not supported',
  ENXIO: 'no such device or address',
  EUCLEAN: 'structure needs cleaning',
} as const;

/** What the C library says, where it differs from Node. */
const TOOLS_SENTENCES: Partial<Record<FileErrorCode, string>> = {
  EEXIST: 'File exists',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  ENAMETOOLONG: 'File name too long',
  EBUSY: 'Device or resource busy',
  EXDEV: 'Invalid cross-device link',
};

export type FileErrorCode = keyof typeof SENTENCES;

export function isFileErrorCode(code: string): code is FileErrorCode {
  return code in SENTENCES;
}

export class FileSystemError extends Error {
  constructor(
    readonly code: FileErrorCode,
    readonly operation: string,
    readonly path: string,
    readonly detail?: string,
  ) {
    super(`${code}: ${SENTENCES[code]}, ${operation} '${path}'${detail === undefined ? '' : ` (${detail})`}`);
    this.name = 'FileSystemError';
  }

  /** What the tools print after the colon: "No such file or directory". */
  get sentence(): string {
    const text = SENTENCES[this.code];
    return TOOLS_SENTENCES[this.code] ?? text.charAt(0).toUpperCase() + text.slice(1);
  }
}
