/** Plans in words. */
import type { KeySource, Plan } from './plan.ts';

export function describePlan({ source, isSorted, residual }: Plan): string {
  const steps = [sourceText(source)];
  if (residual.length > 0)
    steps.push(`filter by ${residual.length === 1 ? 'one condition' : `${residual.length} conditions`}`);
  if (!isSorted) steps.push('sort in memory');
  return steps.join(', ');
}

function sourceText(source: Plan['source']): string {
  switch (source.type) {
    case 'rows':
      return source.ranges.length === 1 && source.ranges[0]!.from === undefined && source.ranges[0]!.to === undefined
        ? 'all rows in the order of keys'
        : `rows of ${rangesText(source.ranges.length)} of keys`;
    case 'entries':
      return `rows in the order of index ${source.index.spec.name}, ${rangesText(source.ranges.length)}`;
    case 'merge':
      return `rows in the order of ${source.groups.length} merged ranges of index ${source.index.spec.name}`;
    case 'keys':
      return `rows of ${keysText(source.keys)}`;
  }
}

function keysText(keys: KeySource): string {
  if (keys.type === 'ranges') {
    const tree = keys.index === undefined ? 'the keys' : `index ${keys.index.spec.name}`;
    return `${tree}, ${rangesText(keys.ranges.length)}`;
  }
  return `the ${keys.type} of (${keys.of.map(keysText).join('; ')})`;
}

const rangesText = (count: number): string => (count === 1 ? 'one range' : `${count} ranges`);
