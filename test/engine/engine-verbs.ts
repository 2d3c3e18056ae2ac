/** What tests do with an engine, in few words. */
import type { Key, Row } from '../../src/base/row.ts';
import type { Selector, SortOrder } from '../../src/protocol/definition.ts';
import type { Changes, Durability, EngineApi, RowCursor } from '../../src/protocol/engine-api.ts';

export type Verbs = ReturnType<typeof verbsOf>;

/** Calls on one collection. What throws at once rejects as well, so that both are caught alike. */
export function verbsOf(engine: EngineApi, collection = 'items', durability: Durability | undefined = undefined) {
  const options = { durability, signal: undefined };
  const valueOf = async (outcome: ReturnType<EngineApi['write']>): Promise<unknown> => (await outcome).value;
  return {
    create: async (...rows: readonly Row[]) => valueOf(engine.write({ type: 'create', collection, rows }, options)),
    put: async (...rows: readonly Row[]) => valueOf(engine.write({ type: 'put', collection, rows }, options)),
    update: async (key: Key, changes: Changes) =>
      valueOf(engine.write({ type: 'update', collection, key, changes }, options)),
    updateMany: async (selector: Selector, changes: Changes) =>
      valueOf(engine.write({ type: 'updateMany', collection, selector, changes }, options)),
    delete: async (key: Key) => valueOf(engine.write({ type: 'delete', collection, key }, options)),
    deleteMany: async (selector: Selector) =>
      valueOf(engine.write({ type: 'deleteMany', collection, selector }, options)),
    replace: async (...rows: readonly { before: Row; after: Row }[]) =>
      valueOf(engine.write({ type: 'replace', collection, rows }, options)),
    get: async (key: Key) => engine.get(collection, key),
    getMany: async (...keys: readonly Key[]) => engine.getMany(collection, keys),
    count: async (selector: Selector = {}) => engine.count(collection, selector),
    find: async (
      selector: Selector = {},
      find: {
        readonly sort?: SortOrder;
        readonly limit?: number;
        readonly skip?: number;
        readonly chunk?: number;
      } = {},
    ): Promise<readonly Row[]> => {
      const { sort = [], limit, skip = 0, chunk = 1_000 } = find;
      return drain(engine.find(collection, { selector, sort, limit, skip }), chunk);
    },
    all: async (): Promise<readonly Row[]> =>
      drain(engine.find(collection, { selector: {}, sort: [['id', 1]], limit: undefined, skip: 0 }), 1_000),
  };
}

export async function drain(cursor: RowCursor, chunk: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  try {
    for (;;) {
      const next = await cursor.next(chunk);
      rows.push(...next.rows);
      if (next.done) return rows;
    }
  } finally {
    cursor.close();
  }
}

/** `ok`, or the code of the error. */
export const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: { readonly code?: string }) => error.code ?? String(error),
  );

export const VERIFY = { repair: false, signal: undefined, onProgress: undefined } as const;
export const REPAIR = { repair: true, signal: undefined, onProgress: undefined } as const;
export const LONG = { signal: undefined, onProgress: undefined } as const;
