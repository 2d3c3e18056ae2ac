/**
 * Pipelines as mingo runs them, stage by stage, so that what the two are known to differ in can be set right between
 * them (worker/query/AGGREGATION.md lists and explains the differences):
 * - groups come in the order of their `_id`, as many of a value in the order of the value;
 * - joined rows come in the order of their key, each once;
 * - `$count` of nothing gives nothing, and a bucket without rows is left out (the tests let buckets count);
 * - missing fields are absent, never `undefined`; -0 is 0.
 */
import { Aggregator } from 'mingo';
import type { Row } from '../../../src/base/row.ts';
import { encodeComponent } from '../../../worker/indexes/index.ts';

type Stage = Readonly<Record<string, unknown>>;
export type Collections = Readonly<Record<string, readonly Row[]>>;

export function runOracle(rows: readonly Row[], pipeline: readonly Stage[], collections: Collections): readonly Row[] {
  return pipeline.reduce<readonly Row[]>((input, stage) => runStage(input, stage, collections), rows);
}

function runStage(rows: readonly Row[], stage: Stage, collections: Collections): readonly Row[] {
  const [name = ''] = Object.keys(stage);
  if (name === '$facet') {
    const branches = Object.entries(stage[name] as Record<string, readonly Stage[]>);
    return [Object.fromEntries(branches.map(([field, inner]) => [field, runOracle(rows, inner, collections)]))];
  }
  const aggregator = new Aggregator([stage as never], {
    idKey: 'id',
    collectionResolver: (from) => structuredClone(collections[from]) as never,
  });
  const result = normalized(aggregator.run(structuredClone(rows) as never)) as Row[];
  switch (name) {
    case '$count':
      return rows.length === 0 ? [] : result;
    case '$group':
      return result.sort(byId);
    case '$bucket':
      return result.filter((bucket) => bucket['count'] !== 0).sort(byId);
    case '$sortByCount':
      return result.sort(byId).sort((a, b) => (b['count'] as number) - (a['count'] as number));
    case '$lookup': {
      const { as } = stage[name] as { readonly as: string };
      return result.map((row) => ({ ...row, [as]: eachOnce(row[as] as readonly (Row | null)[]) }));
    }
    default:
      return result;
  }
}

/** mingo has a hole for each local element without a match. */
function eachOnce(rows: readonly (Row | null)[]): readonly Row[] {
  const sorted = rows.filter((row) => row !== null).sort((a, b) => compare(a['id'], b['id']));
  return sorted.filter(({ id }, at) => id !== sorted[at - 1]?.['id']);
}

const byId = (a: Row, b: Row): number => compare(a['_id'], b['_id']);

function compare(a: unknown, b: unknown): number {
  const [left, right] = [encodeComponent(a), encodeComponent(b)];
  return left < right ? -1 : left === right ? 0 : 1;
}

export function normalized(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, (element) => normalized(element) ?? null);
  if (value === 0) return 0;
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, normalized(field)]));
}
