/** Types of what collection calls take: selectors, sort orders, changes, rows. */
import type { Row } from '../base/row.ts';
import type { ArrayPath, NumberPath, Path, ValueAt } from './paths.ts';

type Operand<V> = V extends readonly (infer E)[] ? V | E : V;

/** A value (equality), or operators that must all hold. On an array: what one element must fulfil. */
export type Condition<V> =
  | Operand<V>
  | null
  | {
      readonly $eq?: Operand<V> | null;
      readonly $gt?: Operand<V>;
      readonly $gte?: Operand<V>;
      readonly $lt?: Operand<V>;
      readonly $lte?: Operand<V>;
      readonly $in?: readonly (Operand<V> | null)[];
    };

/** Conditions by dotted path; all must hold. */
export type SelectorFor<T> = { readonly [P in Path<T>]?: Condition<ValueAt<T, P>> | undefined };

export type Direction = 1 | -1;
/** `{ dueAt: 1 }`, or pairs where the order of fields is computed. */
export type SortFor<T> = { readonly [P in Path<T>]?: Direction } | readonly (readonly [Path<T>, Direction])[];

export type FindOptionsFor<T> = {
  readonly sort?: SortFor<T> | undefined;
  readonly limit?: number | undefined;
  readonly skip?: number | undefined;
};

type ElementAt<T, P extends string> = NonNullable<ValueAt<T, P>> extends readonly (infer E)[] ? E : never;
type Sizes<T> = T extends Date ? never : T;

/** Update operators on dotted paths. */
export type OperatorsFor<T> = {
  readonly $set?: { readonly [P in Path<T>]?: ValueAt<T, P> };
  readonly $unset?: { readonly [P in Path<T>]?: unknown };
  readonly $inc?: { readonly [P in NumberPath<T>]?: number };
  readonly $mul?: { readonly [P in NumberPath<T>]?: number };
  readonly $min?: { readonly [P in Path<T>]?: Sizes<ValueAt<T, P>> | Date };
  readonly $max?: { readonly [P in Path<T>]?: Sizes<ValueAt<T, P>> | Date };
  readonly $push?: { readonly [P in ArrayPath<T>]?: ElementAt<T, P> | { readonly $each: readonly ElementAt<T, P>[] } };
  readonly $pull?: { readonly [P in ArrayPath<T>]?: ElementAt<T, P> | { readonly [key: string]: unknown } };
  readonly $addToSet?: {
    readonly [P in ArrayPath<T>]?: ElementAt<T, P> | { readonly $each: readonly ElementAt<T, P>[] };
  };
  readonly $pop?: { readonly [P in ArrayPath<T>]?: Direction };
  readonly $rename?: { readonly [P in Path<T>]?: string };
};

/** Fields to replace (`undefined` removes), or operators; not both. */
export type ChangesFor<T> =
  | ({ readonly [K in keyof T]?: T[K] | undefined } & { readonly [O in keyof OperatorsFor<T>]?: never })
  | (OperatorsFor<T> & (string extends keyof T ? Row : { readonly [K in keyof T]?: never }));
