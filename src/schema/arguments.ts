/** Types of what collection calls take: selectors, sort orders, changes, rows. */
import type { Row } from '../base/row.ts';
import type { TypeName } from '../protocol/definition.ts';
import type { ArrayPath, NumberPath, Path, ValueAt } from './paths.ts';

/** On an array, also what one of its elements may be. */
type Operand<V> = V extends readonly (infer E)[] ? V | E : V;
type Has<V, Wanted> = unknown extends V
  ? true
  : [Extract<NonNullable<Operand<V>>, Wanted>] extends [never]
    ? false
    : true;
/** An operand that only some types of values have. */
type For<V, Wanted, Operand> = Has<V, Wanted> extends true ? Operand : never;
type ElementOf<V> = unknown extends V ? unknown : NonNullable<V> extends readonly (infer E)[] ? E : never;

type TypeOperand = TypeName | 1 | 2 | 3 | 4 | 5 | 8 | 9 | 10 | 16 | 18;

/** Operators that must all hold; on an array, each for one of its elements. */
export type ConditionOperators<V> = {
  readonly $eq?: Operand<V> | null;
  readonly $ne?: Operand<V> | null;
  readonly $gt?: Operand<V>;
  readonly $gte?: Operand<V>;
  readonly $lt?: Operand<V>;
  readonly $lte?: Operand<V>;
  readonly $in?: readonly (Operand<V> | For<V, string, RegExp> | null)[];
  readonly $nin?: readonly (Operand<V> | For<V, string, RegExp> | null)[];
  readonly $not?: ConditionOperators<V> | For<V, string, RegExp>;
  readonly $exists?: boolean | 0 | 1;
  readonly $type?: TypeOperand | readonly TypeOperand[];
  readonly $regex?: For<V, string, RegExp | string>;
  readonly $options?: For<V, string, string>;
  readonly $mod?: For<V, number, readonly [divisor: number, remainder: number]>;
  readonly $all?: readonly (
    | Operand<V>
    | For<V, string, RegExp>
    | { readonly $elemMatch: ElementCondition<ElementOf<V>> }
  )[];
  readonly $size?: NonNullable<V> extends readonly unknown[] ? number : unknown extends V ? number : never;
  readonly $elemMatch?: [ElementOf<V>] extends [never] ? never : ElementCondition<ElementOf<V>>;
};

type ElementCondition<E> =
  | ConditionOperators<E>
  | (E extends object ? SelectorFor<E> : never)
  | (unknown extends E ? Row : never);

/** A value (equality), a pattern, or operators. */
export type Condition<V> = Operand<V> | null | For<V, string, RegExp> | ConditionOperators<V>;

/** Conditions by dotted path, and selectors joined by `$and`, `$or` and `$nor`; all must hold. */
export type SelectorFor<T> = {
  readonly [P in Path<T>]?: Condition<ValueAt<T, P>> | undefined;
} & {
  /** Into an array by number: `'steps.0.done'`. */
  readonly [P in `${string}.${number}` | `${string}.${number}.${string}`]?: unknown;
} & {
  readonly $and?: readonly SelectorFor<T>[];
  readonly $or?: readonly SelectorFor<T>[];
  readonly $nor?: readonly SelectorFor<T>[];
};

export type Direction = 1 | -1;
/** `{ dueAt: 1 }`, or pairs where the order of fields is computed. */
export type SortFor<T> = { readonly [P in Path<T>]?: Direction } | readonly (readonly [Path<T>, Direction])[];

/** Paths to include, or to exclude; the key is included unless it is excluded. */
export type ProjectionFor<T> = { readonly [P in Path<T>]?: 0 | 1 | boolean };

export type FindOptionsFor<T> = {
  readonly sort?: SortFor<T> | undefined;
  readonly limit?: number | undefined;
  readonly skip?: number | undefined;
  /** Where the answer begins: behind this row, or behind the page that gave this cursor. */
  readonly after?: string | T | undefined;
  readonly project?: ProjectionFor<T> | undefined;
  /** Most rows to read when no index serves; more are refused (`query/too-many-rows`). Default: the store's. */
  readonly scanRowsMax?: number | undefined;
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
