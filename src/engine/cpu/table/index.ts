/** All rows of the CPU, in the order in which their groups were written; handlers are looked up in the files listed here. */
import { integerRows } from './integer.ts';
import { mmxRows } from './mmx.ts';
import { sseRows } from './sse.ts';
import { sse4Rows } from './sse4.ts';
import { systemRows } from './system.ts';
import { x87Rows } from './x87.ts';
import type { Row } from './row.ts';

export const rows: readonly Row[] = [...integerRows, ...systemRows, ...x87Rows, ...mmxRows, ...sseRows, ...sse4Rows];

/** Files under handlers/ whose exported functions the rows name. */
export const handlerFiles: readonly string[] = [
  'integer',
  'shift',
  'string',
  'control',
  'far',
  'system',
  'x87-arithmetic',
  'x87-compare',
  'x87-control',
  'x87-load',
  'x87-save',
  'x87-transcendental',
  'sse-string',
  'sse-shuffle',
  'sse-shift',
  'sse-move',
  'sse-integer',
  'sse-float',
  'sse-element',
  'sse-dot',
  'sse-crc32',
  'sse-convert',
  'sse-control',
  'sse-compare',
  'mmx-shuffle',
  'mmx-shift',
  'mmx-move',
  'mmx-integer',
];
