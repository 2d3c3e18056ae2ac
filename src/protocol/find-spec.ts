/** From what `find` was given to what the engine runs. Runs in the worker, as the checks of definitions do. */
import { StoreError } from '../base/store-error.ts';
import { checkOptions } from './check-options.ts';
import type { FindSpec, PipelineSpec, Selector, SortOrder } from './definition.ts';

const OPTIONS = ['sort', 'limit', 'skip', 'after', 'project', 'include', 'scanRowsMax'];
/** Most paths of one sort. */
const SORT_PATHS_MAX = 100;
/** Most rows of one page. */
const PAGE_ROWS_MAX = 1_000;

/** Options of `find` as the application gave them, without those of every call. */
export type RawFind = {
  readonly sort?: SortOrder | { readonly [path: string]: 1 | -1 } | undefined;
  readonly limit?: number | undefined;
  readonly skip?: number | undefined;
  readonly after?: unknown;
  readonly project?: unknown;
  readonly include?: unknown;
  readonly scanRowsMax?: number | undefined;
};

/** Throws `query/...` for options that are none. */
export function toFindSpec(collection: string, selector: Selector, options: RawFind): FindSpec {
  checkOptions(options, OPTIONS, [], 'query', { collection });
  const { sort = [], limit, skip = 0, after, project, include, scanRowsMax } = options;
  const refuse = (option: string, rule: string): never => {
    throw new StoreError('query/invalid-option', `Query of ${collection}: ${option} ${rule}.`, {
      details: { collection, option, rule },
    });
  };
  for (const [option, value] of [
    ['limit', limit ?? 0],
    ['skip', skip],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 0) refuse(option, 'is not a whole number of 0 or more');
  }
  const order = (Array.isArray(sort) ? sort : Object.entries(sort)) as SortOrder;
  if (scanRowsMax !== undefined && !(scanRowsMax >= 0)) refuse('scanRowsMax', 'is not a number of 0 or more');
  if (order.length > SORT_PATHS_MAX) refuse('sort', `has more than ${SORT_PATHS_MAX} paths`);
  for (const part of order) {
    if (typeof part?.[0] !== 'string' || (part[1] !== 1 && part[1] !== -1)) refuse('sort', 'is not { path: 1 or -1 }');
  }
  return {
    selector,
    sort: order.map(([path, direction]) => [path, direction]),
    limit,
    skip,
    after,
    project,
    include,
    scanRowsMax,
  };
}

/** The same for a page, which has its limit as its size. */
export function toPageSpec(collection: string, selector: Selector, options: RawFind): FindSpec {
  const { limit } = options;
  if (Number.isSafeInteger(limit) && limit! >= 1 && limit! <= PAGE_ROWS_MAX)
    return toFindSpec(collection, selector, options);
  throw new StoreError(
    'query/invalid-option',
    `Query of ${collection}: the size of a page is from 1 to ${PAGE_ROWS_MAX}.`,
    {
      details: { collection, option: 'size', limit: PAGE_ROWS_MAX },
      hint: 'Stream what is larger.',
    },
  );
}

/** A pipeline that ends after as many rows as are wanted. It takes no options but those of every call. */
export function toPipeline(collection: string, pipeline: PipelineSpec, options: RawFind): PipelineSpec {
  checkOptions(options, ['limit'], [], 'query', { collection });
  return options.limit === undefined ? pipeline : [...pipeline, { $limit: options.limit }];
}
