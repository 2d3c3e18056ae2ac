/** `defineCollection`: what an application says about a collection. Checked when a store is opened with it. */
import type { Key } from '../base/row.ts';
import type { ConflictStrategy } from '../protocol/conflict-options.ts';
import type { FieldType } from '../protocol/field-types.ts';
import type { SelectorFor } from './arguments.ts';
import type { Path } from './paths.ts';
import type { SchemaInput, SchemaOutput, StandardSchema } from './standard-schema.ts';

/** Documents of which nothing is known. */
export type AnyRow = { readonly [field: string]: unknown };

/** One path, several, or all that can be said. */
export type IndexInput<T> =
  | Path<T>
  | readonly Path<T>[]
  | {
      readonly on: Path<T> | readonly Path<T>[];
      /** Default: the paths joined by `+`. */
      readonly name?: string | undefined;
      readonly unique?: boolean | undefined;
      /** One entry per array element of the one path. */
      readonly multi?: boolean | undefined;
      /** Documents without any of the paths have no entry. */
      readonly sparse?: boolean | undefined;
      readonly caseInsensitive?: boolean | undefined;
      /** Only documents that match are in the index. */
      readonly where?: SelectorFor<T> | undefined;
    };

export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * Gives what a conflict comes to: of a field its value, of a document the whole of it. `base`: before the own changes.
 * `undefined`: it is not there. It is asked on one device only, runs twice on frozen copies, and has to answer the same.
 */
export type ConflictFunction<V> = (base: V | undefined, local: V | undefined, remote: V | undefined) => V | undefined;

export type ConflictOption<T> =
  | ConflictStrategy
  | ConflictFunction<T>
  | { readonly [Field in keyof T & string]?: ConflictStrategy | ConflictFunction<T[Field]> };

export type DefinitionInput<T, KeyField extends string, Schema> = {
  /** Top-level field of the primary key. Default `id`. */
  readonly key?: KeyField | undefined;
  /** A Standard Schema (checked on the page) or a JSON Schema (checked by the engine). */
  readonly schema?: Schema | undefined;
  readonly indexes?: readonly IndexInput<T>[] | undefined;
  /** 1 or more; a store written under a higher one is not opened. */
  readonly version?: number | undefined;
  /** By version: what makes a document of it from one of the version before. The key must stay. */
  readonly migrations?: { readonly [version: number]: (row: AnyRow) => object | Promise<object> } | undefined;
  /** Whether it is synchronised. Default: whether the store is opened with relays. `false`: it never leaves the device. */
  readonly sync?: boolean | undefined;
  /**
   * What becomes of a document that this device has changed when another device's change of it comes that the relay had
   * before. Of the whole document, or of its fields by name; default `merge`. May change at any time.
   */
  readonly conflict?: ConflictOption<T> | undefined;
  /** Types of fields in which what several devices change at once is merged; of all others the later change stays. */
  readonly fields?: { readonly [Field in keyof T & string]?: FieldType } | undefined;
};

declare const types: unique symbol;

/** A checked-by-type definition. `T`: documents as stored. `In`: documents as given to create and put. */
export type CollectionDefinition<T = AnyRow, In = T, KeyField extends string = string> = DefinitionInput<
  T,
  KeyField,
  StandardSchema | JsonSchema
> &
  Typed<T, In, KeyField>;

/** What a definition is known by: comparing and inferring from this alone spares the compiler all that can be said of rows. */
export type Typed<T, In, KeyField extends string> = {
  readonly [types]?: { readonly row: T; readonly input: In; readonly key: KeyField };
};

// biome-ignore-start lint/suspicious/noExplicitAny: any definition will do.
export type AnyDefinition = Omit<DefinitionInput<AnyRow, string, any>, 'indexes' | 'fields' | 'conflict'> & {
  readonly indexes?: readonly any[] | undefined;
  readonly fields?: any;
  readonly conflict?: any;
} & Typed<any, any, any>;
// biome-ignore-end lint/suspicious/noExplicitAny: any definition will do.

export type RowOf<D> = D extends { readonly [types]?: { readonly row: infer T extends object } } ? T : AnyRow;

type KeyTypeAt<T, K> = K extends keyof T ? Extract<T[K], Key> : Key;
/** The type of a definition's key. */
export type KeyOf<T, K extends string> = [KeyTypeAt<T, K>] extends [never] ? Key : KeyTypeAt<T, K>;
/** What create and put take: the key may be left out. */
export type InputOf<In, K extends string> = string extends keyof In
  ? In
  : K extends keyof In
    ? Omit<In, K> & { readonly [P in K]?: In[P] | undefined }
    : In;

type KeyFieldOf<T> = keyof T & string;

/** With a Standard Schema: documents are what it gives. */
export function defineCollection<
  // biome-ignore lint/suspicious/noExplicitAny: inference over any schema.
  S extends StandardSchema<any, any>,
  const K extends KeyFieldOf<SchemaOutput<S>> | 'id' = 'id',
>(
  definition: DefinitionInput<SchemaOutput<S>, K, S> & { readonly schema: S },
): CollectionDefinition<SchemaOutput<S>, SchemaInput<S>, K>;
/** With the type of the documents, in two steps, so that the key field is inferred. */
export function defineCollection<T extends object>(): <const K extends KeyFieldOf<T> | 'id' = 'id'>(
  definition: DefinitionInput<NoInfer<T>, K, StandardSchema<unknown, NoInfer<T>> | JsonSchema>,
) => CollectionDefinition<T, T, K>;
/** With the type of the documents; keys under another field than `id` are strings or numbers to the compiler. */
export function defineCollection<T extends object = AnyRow>(
  definition: DefinitionInput<NoInfer<T>, 'id', StandardSchema<unknown, NoInfer<T>> | JsonSchema>,
): CollectionDefinition<T, T, 'id'>;
export function defineCollection<T extends object = AnyRow>(
  definition: DefinitionInput<NoInfer<T>, KeyFieldOf<T>, StandardSchema<unknown, NoInfer<T>> | JsonSchema>,
): CollectionDefinition<T, T, KeyFieldOf<T>>;
export function defineCollection(definition?: AnyDefinition): unknown {
  return definition === undefined ? defineCollection : definition;
}
