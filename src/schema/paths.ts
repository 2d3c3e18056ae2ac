/** Dotted paths of a document's type. Arrays are leaves: a path reaches into their elements by their element type. */
import type { Key } from '../base/row.ts';

type Leaf = Key | boolean | bigint | symbol | null | undefined | Date | ArrayBuffer | ArrayBufferView;
// biome-ignore lint/suspicious/noExplicitAny: any function is one.
type AnyFunction = (...args: any[]) => unknown;

/** Levels of nesting that paths are checked for. Deeper ones are not offered, and arrays of documents count as one. */
type Deeper = { 4: 3; 3: 2; 2: 1; 1: never };

type Nested<T> = T extends Leaf | AnyFunction ? never : T extends readonly (infer E)[] ? Nested<E> : T;

/** `'address.city'` and the like. Of a type with an index signature any string is one. */
export type Path<T, Depth extends keyof Deeper = 4> = string extends keyof T
  ? string
  : {
      [K in keyof T & string]:
        | K
        | ([Nested<T[K]>] extends [never]
            ? never
            : [Deeper[Depth]] extends [never]
              ? never
              : `${K}.${Path<Nested<T[K]>, Deeper[Depth]>}`);
    }[keyof T & string];

/** What stands at a path. */
export type ValueAt<T, P extends string> = string extends keyof T
  ? unknown
  : P extends keyof T
    ? T[P]
    : P extends `${infer K}.${infer Rest}`
      ? K extends keyof T
        ? ValueAt<Nested<T[K]>, Rest>
        : unknown
      : unknown;

/** Paths at which a number stands. */
export type NumberPath<T> = { [P in Path<T>]: NonNullable<ValueAt<T, P>> extends number ? P : never }[Path<T>];

/** Paths at which an array stands. */
export type ArrayPath<T> = {
  [P in Path<T>]: NonNullable<ValueAt<T, P>> extends readonly unknown[] ? P : never;
}[Path<T>];
