/** A compressed stream that cannot be decoded: the sentence names the format and what was wrong with it. */
export class DecodeError extends Error {
  constructor(
    /** "gzip", "xz" ... */
    readonly format: string,
    message: string,
  ) {
    super(message);
    this.name = 'DecodeError';
  }
}
