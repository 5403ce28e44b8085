/** A refusal for the user: xm prints it as "Error: <message>" and leaves with status 1. */
export class XendError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'XendError';
  }
}

/** The sentence of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
