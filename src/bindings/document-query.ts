/** The live query behind a document that a component shows. */
import type { Key } from '../base/row.ts';
import type { Collection } from '../client/collection.ts';
import type { Query } from '../client/query.ts';
import type { SelectorFor } from '../schema/arguments.ts';

/** None as long as the collection or the key is not known yet. */
export function documentQuery<T extends object, In, K extends Key>(
  collection: Collection<T, In, K> | undefined,
  key: K | undefined,
): Query<T> | undefined {
  if (collection === undefined || key === undefined) return undefined;
  const [{ key: field }] = collection.find().question;
  return collection.find({ [field]: key } as SelectorFor<T>);
}
