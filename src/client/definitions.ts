/** From the definitions of a store to the types of its collections. */
import type { Key } from '../base/row.ts';
import type { AnyDefinition, AnyRow, InputOf, KeyOf, RowOf, Typed } from '../schema/definition.ts';
import type { AnyRows } from '../schema/include.ts';
import type { Collection } from './collection.ts';

export type Definitions = Readonly<Record<string, AnyDefinition>>;

/** The collection that a definition makes. */
export type CollectionOf<D, All = AnyRows> =
  D extends Typed<infer T extends object, infer In, infer K>
    ? Collection<T, InputOf<In, K>, KeyOf<T, K>, All>
    : Collection<AnyRow, AnyRow, Key, All>;

/** The documents of each collection. */
export type RowsOf<C extends Definitions> = { readonly [Name in keyof C]: RowOf<C[Name]> };
