/** All named scenarios. */
import type { Scenario } from './bench.ts';
import { controlScenarios } from './scenarios-control.ts';
import { farScenarios } from './scenarios-far.ts';
import { hiddenScenarios } from './scenarios-hidden.ts';
import { memoryScenarios } from './scenarios-memory.ts';
import { watchScenarios } from './scenarios-watch.ts';
import { systemScenarios } from './scenarios-system.ts';

export const scenarioGroups: readonly { readonly name: string; readonly scenarios: readonly Scenario[] }[] = [
  { name: 'system instructions', scenarios: systemScenarios },
  { name: 'control', scenarios: controlScenarios },
  { name: 'far transfers', scenarios: farScenarios },
  { name: 'memory', scenarios: memoryScenarios },
  { name: 'data breakpoints', scenarios: watchScenarios },
  { name: 'hidden features and vendor differences', scenarios: hiddenScenarios },
];
