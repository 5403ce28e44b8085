/** Named scenarios for what vectors cannot say: system instructions, memory management, what this CPU hides, vendors' differences. */
import { describe, it } from 'vitest';
import { Bench } from './testing/bench.ts';
import { scenarioGroups } from './testing/scenarios.ts';

describe.each(scenarioGroups)('$name', ({ scenarios }) => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', (_, scenario) => {
    scenario.run(new Bench());
  });
});
