/** The vector files: which rows each holds. */
import type { Row } from '../table/row.ts';
import { isVector } from './forms.ts';

export const GROUPS = ['general', 'x87', 'vector-float', 'vector-integer', 'vector-move', 'specials', 'programs'] as const;
export type Group = (typeof GROUPS)[number];

export function groupOf(row: Row): Group {
  if (/^(D[89A-F]\b|9B\b)/.test(row.opcode)) return 'x87';
  if (!isVector(row)) return 'general';
  const name = row.mnemonic;
  if (/^(add|sub|mul|div|min|max|sqrt|rcp|rsqrt|cmp|u?comi|cvt|round|dp|hadd|hsub|addsub)/.test(name)) return 'vector-float';
  if (/^p/.test(name) && !/^p(unpck|shuf|ack|insr|extr|mov)/.test(name)) return 'vector-integer';
  return 'vector-move';
}
