/** Small named values in IndexedDB, under their name. */
import type { MetaStore } from '../meta-store.ts';
import type { Connection } from './connection.ts';
import type { ObjectStoreName } from './idb-schema.ts';

const META: readonly ObjectStoreName[] = ['meta'];

export class IdbMetaStore implements MetaStore {
  readonly #connection: Connection;
  readonly #keyRange: typeof IDBKeyRange;

  constructor(connection: Connection, keyRange: typeof IDBKeyRange) {
    this.#connection = connection;
    this.#keyRange = keyRange;
  }

  get(key: string): Promise<unknown> {
    return this.#connection.read<unknown>({
      stores: META,
      work: (scope, resolve) => scope.after(scope.store('meta').get(key), resolve),
    });
  }

  put(key: string, value: unknown): Promise<void> {
    return this.#connection.write({
      stores: META,
      durability: 'strict',
      work: (scope) => {
        scope.store('meta').put(value, key);
        scope.commitNow();
      },
    });
  }

  delete(key: string): Promise<void> {
    return this.#connection.write({
      stores: META,
      durability: 'strict',
      work: (scope) => {
        scope.store('meta').delete(key);
        scope.commitNow();
      },
    });
  }

  keys(prefix: string): Promise<readonly string[]> {
    return this.#connection.read<readonly string[]>({
      stores: META,
      work: (scope, resolve) => {
        scope.after(scope.store('meta').getAllKeys(this.#keyRange.lowerBound(prefix)), (keys) =>
          resolve((keys as string[]).filter((key) => key.startsWith(prefix))),
        );
      },
    });
  }
}
