/**
 * Types of aggregation pipelines. Names of stages and shapes of their operands are checked; expressions are not, as what
 * a field path gives depends on all stages before it. The engine refuses what is wrong, with the path to it.
 */
import type { Direction } from './arguments.ts';

/** `'$field.path'`, `'$$variable'`, `{ $operator: operand }`, objects and arrays of expressions, or a plain value. */
export type Expression = unknown;

type Fields = { readonly [field: string]: Expression };
type Accumulators = { readonly [field: string]: { readonly [accumulator: `$${string}`]: Expression } };
/** An object with one of the names. */
type Only<K extends string, V> = K extends string ? { readonly [P in K]: V } : never;

/** One stage: an object with its name alone. */
export type PipelineStage =
  | Only<'$match', { readonly [pathOrOperator: string]: unknown }>
  | Only<'$group', { readonly _id: Expression; readonly [field: string]: unknown }>
  | Only<'$sort', { readonly [path: string]: Direction }>
  | Only<'$project' | '$addFields' | '$set', Fields>
  | Only<'$unset', string | readonly string[]>
  | Only<'$replaceRoot', { readonly newRoot: Expression }>
  | Only<'$replaceWith' | '$sortByCount', Expression>
  | Only<
      '$unwind',
      | `$${string}`
      | {
          readonly path: `$${string}`;
          readonly includeArrayIndex?: string;
          readonly preserveNullAndEmptyArrays?: boolean;
        }
    >
  | Only<'$limit' | '$skip', number>
  | Only<'$count', string>
  | Only<
      '$lookup',
      {
        readonly from: string;
        readonly as: string;
        readonly localField?: string;
        readonly foreignField?: string;
        readonly let?: Fields;
        readonly pipeline?: readonly PipelineStage[];
      }
    >
  | Only<'$facet', { readonly [field: string]: readonly PipelineStage[] }>
  | Only<
      '$bucket',
      {
        readonly groupBy: Expression;
        readonly boundaries: readonly unknown[];
        readonly default?: unknown;
        readonly output?: Accumulators;
      }
    >;
