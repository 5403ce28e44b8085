/** A domain that cannot be built from what was given: one sentence for the user, saying what was wrong and what would do. */
export class BuildError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BuildError';
  }
}
