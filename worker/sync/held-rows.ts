/**
 * Rows that this store refuses to hold as they are elsewhere (JSON Schema, unique index). Their states go on; the row
 * stays as it was. What the application changes in it is a change of the row that it sees, so that is kept as well.
 * Rows of `$sync.meta`, and in memory as long as the worker runs: there are as many as there are refused rows.
 */
import type { Key, Row } from '../../src/base/row.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import type { HeldRow, Refusal } from '../../src/protocol/sync-worker.ts';
import { SYNC_META } from '../../src/protocol/sync-worker.ts';
import { rowId } from './row-id.ts';
import type { StoreVerbs } from './store-client.ts';

/** Keys in `$sync.meta` that begin with it. Permanent. */
const PREFIX = 'held:';
/** Behind all keys that begin so. */
const BEHIND = 'held;';

export type Held = {
  readonly id: string;
  readonly collection: string;
  readonly key: Key;
  readonly reason: Refusal;
  /** The row that stayed; null when there was none. */
  readonly base: Row | null;
};

export class HeldRows {
  readonly #byRow = new Map<string, Held>();
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  async load(store: StoreVerbs): Promise<void> {
    const rows = await store.find(SYNC_META, { id: { $gte: PREFIX, $lt: BEHIND } });
    for (const held of rows as unknown as Held[]) this.#byRow.set(rowId(held.collection, held.key), held);
  }

  get(id: string): Held | undefined {
    return this.#byRow.get(id);
  }

  get size(): number {
    return this.#byRow.size;
  }

  first(count: number): readonly HeldRow[] {
    const first = [...this.#byRow.values()].slice(0, count);
    return first.map(({ collection, key, reason }) => ({ collection, key, reason }));
  }

  draft(): HeldDraft {
    return new HeldDraft(this.#byRow, this.#onChange);
  }
}

/** Changes of one attempt of a transaction. */
export class HeldDraft {
  readonly #byRow: Map<string, Held>;
  readonly #onChange: () => void;
  readonly #changes = new Map<string, Held | undefined>();

  constructor(byRow: Map<string, Held>, onChange: () => void) {
    this.#byRow = byRow;
    this.#onChange = onChange;
  }

  hold({ collection, key }: RowName, base: Row | undefined, reason: Refusal): void {
    const id = rowId(collection, key);
    this.#changes.set(id, { id: PREFIX + id, collection, key, reason, base: base ?? null });
  }

  release(id: string): void {
    if (this.#byRow.has(id)) this.#changes.set(id, undefined);
    else this.#changes.delete(id);
  }

  async write(tx: StoreVerbs): Promise<void> {
    if (this.#changes.size === 0) return;
    const released = [...this.#changes].filter(([, held]) => held === undefined).map(([id]) => PREFIX + id);
    if (released.length > 0) await tx.delete(SYNC_META, released);
    const held = [...this.#changes.values()].filter((each) => each !== undefined);
    await tx.put(SYNC_META, held as unknown as Row[]);
  }

  /** That transaction is stored. */
  commit(): void {
    for (const [id, held] of this.#changes) {
      if (held === undefined) this.#byRow.delete(id);
      else this.#byRow.set(id, held);
    }
    if (this.#changes.size > 0) this.#onChange();
  }
}
