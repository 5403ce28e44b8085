/** `npm run coverage`: writes docs/translator-coverage.md, the list of what the translator does with each instruction. */
import { writeFileSync } from 'node:fs';
import { coverageDocument } from '../src/engine/jit/coverage.ts';

writeFileSync('docs/translator-coverage.md', coverageDocument());
