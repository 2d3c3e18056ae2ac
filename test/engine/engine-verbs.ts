/** What tests do with an engine, in few words. What throws at once rejects as well, so that both are caught alike. */
import type { Key, Row } from '../../src/base/row.ts';
import type { Selector, SortOrder } from '../../src/protocol/definition.ts';
import type {
  Changes,
  Durability,
  EngineApi,
  Explanation,
  LongOptions,
  Page,
  RowCursor,
  WriteRequest,
} from '../../src/protocol/engine-api.ts';
import type { Plan } from '../../worker/query/index.ts';

export type FindOptions = {
  readonly sort?: SortOrder;
  readonly limit?: number | undefined;
  readonly skip?: number;
  readonly after?: unknown;
  readonly project?: unknown;
  readonly scanRowsMax?: number;
  readonly choose?: (plans: readonly Plan[]) => Plan;
  /** Rows to ask of the cursor at a time. */
  readonly chunk?: number;
};

type Target = Pick<EngineApi, 'write' | 'get' | 'getMany' | 'count' | 'distinct' | 'find' | 'page' | 'explain'>;

/** Calls on one collection, of an engine or inside of a transaction. */
export class Verbs {
  readonly #engine: Target;
  readonly #collection: string;
  readonly #durability: Durability | undefined;

  constructor(engine: Target, collection: string, durability: Durability | undefined) {
    this.#engine = engine;
    this.#collection = collection;
    this.#durability = durability;
  }

  async #write(request: WriteRequest): Promise<unknown> {
    return (await this.#engine.write(request, { durability: this.#durability, signal: undefined })).value;
  }

  create(...rows: readonly Row[]): Promise<unknown> {
    return this.#write({ type: 'create', collection: this.#collection, rows });
  }

  put(...rows: readonly Row[]): Promise<unknown> {
    return this.#write({ type: 'put', collection: this.#collection, rows });
  }

  update(key: Key, changes: Changes): Promise<unknown> {
    return this.#write({ type: 'update', collection: this.#collection, key, changes });
  }

  updateMany(selector: Selector, changes: Changes): Promise<unknown> {
    return this.#write({ type: 'updateMany', collection: this.#collection, selector, changes });
  }

  delete(key: Key): Promise<unknown> {
    return this.#write({ type: 'delete', collection: this.#collection, key });
  }

  deleteMany(selector: Selector): Promise<unknown> {
    return this.#write({ type: 'deleteMany', collection: this.#collection, selector });
  }

  replace(...rows: readonly { readonly before: Row; readonly after: Row }[]): Promise<unknown> {
    return this.#write({ type: 'replace', collection: this.#collection, rows });
  }

  async get(key: Key): Promise<Row | undefined> {
    return this.#engine.get(this.#collection, key);
  }

  async getMany(...keys: readonly Key[]): Promise<readonly (Row | undefined)[]> {
    return this.#engine.getMany(this.#collection, keys);
  }

  async count(selector: Selector = {}): Promise<number> {
    return this.#engine.count(this.#collection, selector);
  }

  async distinct(path: string, selector: Selector = {}): Promise<readonly unknown[]> {
    return this.#engine.distinct(this.#collection, path, selector);
  }

  async find(selector: Selector = {}, options: FindOptions = {}): Promise<readonly Row[]> {
    const { sort = [], limit, skip = 0, chunk = 1_000, ...more } = options;
    return drain(this.#engine.find(this.#collection, { selector, sort, limit, skip, ...more }), chunk);
  }

  async page(selector: Selector, size: number, options: FindOptions = {}): Promise<Page> {
    const { sort = [], skip = 0, ...more } = options;
    return this.#engine.page(this.#collection, { selector, sort, skip, ...more, limit: size });
  }

  async explain(selector: Selector = {}, options: FindOptions = {}): Promise<Explanation> {
    const { sort = [], limit, skip = 0, ...more } = options;
    return this.#engine.explain(this.#collection, { selector, sort, limit, skip, ...more });
  }

  /** All rows by key. */
  all(): Promise<readonly Row[]> {
    return this.find({}, { sort: [['id', 1]] });
  }
}

export function verbsOf(engine: Target, collection = 'items', durability?: Durability): Verbs {
  return new Verbs(engine, collection, durability);
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

export const LONG: LongOptions = { signal: undefined, onProgress: undefined };
export const VERIFY: LongOptions & { readonly repair: boolean } = { ...LONG, repair: false };
export const REPAIR: LongOptions & { readonly repair: boolean } = { ...LONG, repair: true };
