/** Types of `include`: rows of other collections of the same store, beside the rows of a find. */
import type { SelectorFor, SortFor } from './arguments.ts';
import type { AnyRow } from './definition.ts';
import type { Path } from './paths.ts';

/** Documents by the name of their collection, of which nothing is known. */
export type AnyRows = { readonly [collection: string]: AnyRow };

/** Fields to add, each with the rows of one collection that belong to a row. */
export type IncludeFor<T, All> = {
  readonly [field: string]: { readonly [Name in keyof All & string]: IncludeFrom<T, All, Name> }[keyof All & string];
};

type IncludeFrom<T, All, Name extends keyof All & string> = {
  readonly from: Name;
  /** A path of this row and one of the other: rows belong together where they are equal, elements of arrays one by one. */
  readonly on: readonly [here: Path<T>, there: Path<All[Name]>];
  /** One row or null, instead of an array. */
  readonly one?: boolean | undefined;
  /** Which of them. */
  readonly where?: SelectorFor<All[Name]> | undefined;
  /** Default: by key. */
  readonly sort?: SortFor<All[Name]> | undefined;
  /** Most of them for each row. */
  readonly limit?: number | undefined;
  /** What they include themselves, up to 5 levels. */
  readonly include?: IncludeFor<All[Name], All> | undefined;
};

/** A document with what it includes. */
export type Included<T, I, All> = Omit<T, keyof I> & { -readonly [Field in keyof I]: Joined<I[Field], All> };

type Joined<Option, All> = Option extends { readonly from: infer Name extends keyof All }
  ? Option extends { readonly one: true }
    ? Whole<Option, All[Name], All> | null
    : Whole<Option, All[Name], All>[]
  : never;

type Whole<Option, Row, All> = Option extends { readonly include: infer Inner extends object }
  ? Included<Row, Inner, All>
  : Row;
