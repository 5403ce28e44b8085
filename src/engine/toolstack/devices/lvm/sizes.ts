/** Sizes as LVM's tools read and print them. */
import { LvmError } from './lvm-command.ts';

const MEBIBYTE = 1024 * 1024;
/** Sizes are rounded up to whole extents. */
export const EXTENT_BYTES = 4 * MEBIBYTE;

const UNITS = new Map([
  ['b', 1],
  ['s', 512],
  ['k', 1024],
  ['m', MEBIBYTE],
  ['g', 1024 * MEBIBYTE],
  ['t', 1024 * 1024 * MEBIBYTE],
]);

export const wholeExtents = (bytes: number): number => Math.ceil(bytes / EXTENT_BYTES) * EXTENT_BYTES;

/** "4096M", "+100M", "1g"; megabytes without a unit. Bytes; relative to `before` with a sign. LvmError. */
export function sizeOf(text: string | undefined, before: number): number {
  const [, sign, digits = '', unit = 'm'] = /^([+-]?)(\d+(?:\.\d+)?)([bskmgt]?)(?:i?b)?$/i.exec(text ?? '') ?? [];
  const bytes = Number(digits) * (UNITS.get((unit === '' ? 'm' : unit).toLowerCase()) ?? NaN);
  return relative(sign, digits === '' ? NaN : bytes, before, text);
}

/** "100", "+25", "50%FREE", "100%VG". Bytes. LvmError. */
export function extentsSizeOf(text: string, before: number, group: { readonly total: number; readonly free: number }): number {
  const [, sign, digits = '', of] = /^([+-]?)(\d+)(?:%(FREE|VG))?$/i.exec(text) ?? [];
  const whole = of === undefined ? undefined : of.toUpperCase() === 'FREE' ? group.free : group.total;
  const extents = whole === undefined ? Number(digits) : Math.floor((whole * Number(digits)) / 100);
  return relative(sign, digits === '' ? NaN : extents * EXTENT_BYTES, before, text);
}

function relative(sign: string | undefined, bytes: number, before: number, text: string | undefined): number {
  const size = sign === '+' ? before + bytes : sign === '-' ? before - bytes : bytes;
  if (!(size > 0) || size > 2 ** 50) throw new LvmError(`Invalid argument for size: ${text ?? 'none given'}`);
  return Math.round(size);
}

function scaled(bytes: number): [string, string] {
  for (const [unit, factor] of [
    ['T', 2 ** 40],
    ['G', 2 ** 30],
    ['M', 2 ** 20],
  ] as const) {
    if (bytes >= factor) return [(bytes / factor).toFixed(2), unit];
  }
  return bytes === 0 ? ['0', ''] : [(bytes / 1024).toFixed(2), 'K'];
}

/** "1.10 GB", as in messages. */
export const shown = (bytes: number): string => (bytes === 0 ? '0 KB' : `${scaled(bytes).join(' ')}B`);

/** "1.10G", as in tables. */
export const shortSize = (bytes: number): string => (bytes === Infinity ? '-' : scaled(bytes).join(''));
