/** All rows of the CPU, in the order in which their groups were written; handlers are looked up in the files listed here. */
import { integerRows } from './integer.ts';
import { systemRows } from './system.ts';
import type { Row } from './row.ts';

export const rows: readonly Row[] = [...integerRows, ...systemRows];

/** Files under handlers/ whose exported functions the rows name. */
export const handlerFiles: readonly string[] = ['integer', 'shift', 'string', 'control', 'system'];
