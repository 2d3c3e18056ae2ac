/** Options are closed sets: a misspelt one would otherwise be ignored without a word. */
import { StoreError } from '../base/store-error.ts';

/** Refuses what is not known, and what only a later version knows. `details` says whose options they are. */
export function checkOptions(
  options: object,
  known: readonly string[],
  later: readonly string[],
  area: 'store' | 'collection' | 'index' | 'query' | 'transaction',
  details: Readonly<Record<string, unknown>>,
): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option) || (options as Record<string, unknown>)[option] === undefined) continue;
    const isLater = later.includes(option);
    const where = Object.values(details).map((fact) => JSON.stringify(fact));
    throw new StoreError(
      `${area}/${isLater ? 'unsupported' : 'unknown'}-option`,
      `${[area, ...where].join(' ')}: ${isLater ? 'unsupported' : 'unknown'} option ${option}.`,
      {
        details: { ...details, option },
        hint: isLater ? 'This version does not have it yet.' : `Options are ${known.join(', ')}.`,
      },
    );
  }
}
