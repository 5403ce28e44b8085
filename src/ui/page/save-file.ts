/** Gives the visitor a file. */
import { element } from './dom.ts';

export function saveBlob(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  element('a', { href: address, download: name }).click();
  // The download has been started by then.
  setTimeout(() => {
    URL.revokeObjectURL(address);
  }, 10_000);
}
