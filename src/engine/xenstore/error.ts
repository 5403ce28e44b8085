/** The one error of the store's operations: its code is the errno name that an ERROR message carries to the client. */
import type { XsdError } from '../abi/xs-wire.ts';

export class StoreError extends Error {
  constructor(
    readonly code: XsdError,
    message: string,
  ) {
    super(`${code}: ${message}`);
    this.name = 'StoreError';
  }
}
