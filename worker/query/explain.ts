/** A plan and what it has cost, for `explain()`. */
import type { Explanation } from '../../src/protocol/engine-api.ts';
import { describePlan, type FindPlan, hintFor, type KeySource } from './planner/index.ts';

export type Costs = Pick<Explanation, 'entriesRead' | 'rowsRead' | 'rowsGiven' | 'pagesRead' | 'timeMs'>;

export function explainPlan(plan: FindPlan, costs: Costs): Explanation {
  const { source } = plan;
  const indexes =
    source.type === 'rows' ? [] : source.type === 'keys' ? namesOf(source.keys) : [source.index.spec.name];
  return {
    access: plan.access,
    index: indexes[0],
    indexes,
    plan: describePlan(plan),
    sortedByIndex: plan.isSorted && plan.isSortGiven,
    estimatedCost: Math.round(plan.cost),
    candidates: plan.considered
      .map((each) => ({ plan: describePlan(each), cost: Math.round(each.cost) }))
      .sort((a, b) => a.cost - b.cost),
    hint: hintFor(plan),
    live: 'patched',
    ...costs,
  };
}

function namesOf(keys: KeySource): readonly string[] {
  if (keys.type !== 'ranges') return [...new Set(keys.of.flatMap(namesOf))];
  return keys.index === undefined ? [] : [keys.index.spec.name];
}
