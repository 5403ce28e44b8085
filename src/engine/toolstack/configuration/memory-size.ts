/** Amounts of memory on the command line: a number of MiB, or with a suffix K, M or G. */
import { XendError } from '../xend-error.ts';

/** In MiB, rounded down. Throws when it is no amount above 0. */
export function parseMemoryMiB(text: string): number {
  const match = /^(\d{1,12})([KkMmGg]?)$/.exec(text.trim());
  if (match === null) throw new XendError(/^-?\d+$/.test(text.trim()) ? 'Invalid memory size' : 'Invalid argument.');
  const amount = Number(match[1]);
  const unit = (match[2] ?? '').toUpperCase();
  const mib = unit === 'K' ? Math.floor(amount / 1024) : unit === 'G' ? amount * 1024 : amount;
  if (mib <= 0) throw new XendError('Invalid memory size');
  return mib;
}
