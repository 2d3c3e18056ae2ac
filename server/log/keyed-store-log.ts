/** One store's log on an ordered store. Invariants: sequences have no gap; `head` is durable; `folded` <= `head`. */
import { assert } from '../../src/base/assert.ts';
import type { Platform } from '../../src/base/platform.ts';
import { StoreError } from '../../src/base/store-error.ts';
import {
  BATCHES_MAX,
  PAGE_ROWS_MAX,
  type RowCursor,
  type RowName,
  readRowName,
  WireReader,
} from '../../src/protocol/sync/index.ts';
import type { GroupCommit } from './group-commit.ts';
import {
  batchesRange,
  batchesUpTo,
  batchKey,
  changedKey,
  changedRange,
  progressKey,
  rowBytes,
  rowBytesOf,
  sequenceOf,
  stateKey,
  statesRange,
  writersRange,
} from './log-keys.ts';
import {
  decodeBatch,
  decodeProgress,
  decodeState,
  decodeWriter,
  encodeBatch,
  encodeProgress,
  encodeState,
  encodeWriter,
  type Progress,
} from './log-values.ts';
import type { OrderedStore, StoreView, Write } from './ordered-store.ts';
import type { Appended, Batch, NewBatch, RowState, RowsRead, StatePut, StoredRow, StoreLog } from './relay-log.ts';
import { WriterTable } from './writer-table.ts';

/** Index entries that a page of rows looks at together. */
const ROWS_AT_ONCE = 512;
/** States that are read together. */
const STATES_BYTES_MAX: number = 4 * 1024 * 1024;
const ONE = { bytesMax: 1, countMax: 1 };
/** Writers looked at together when old ones are forgotten. */
const WRITERS_AT_ONCE = 1000;

type Parts = {
  readonly store: OrderedStore;
  readonly commit: GroupCommit;
  readonly platform: Platform;
  /** Logs that have batches to publish when the group is done. */
  readonly touched: Set<KeyedStoreLog>;
  readonly name: string;
  readonly id: number;
  readonly epoch: string;
};

type Done = { readonly batch: Batch; readonly resolve: (appended: Appended) => void };

export class KeyedStoreLog implements StoreLog {
  readonly name: string;
  readonly epoch: string;
  readonly #parts: Parts;
  readonly #writers: WriterTable;
  readonly #listeners = new Set<(batches: readonly Batch[]) => void>();
  /** The last sequence that was given to a batch; `#head` follows when it is durable. */
  #assigned: number;
  #head: number;
  #progress: Progress;
  #done: Done[] = [];
  /** States, floor and count of rows change one after the other: each write carries all of the progress. */
  #changing: Promise<unknown> = Promise.resolve();

  static async open(parts: Parts): Promise<KeyedStoreLog> {
    const { store, id, name } = parts;
    const [stored] = await store.withView((view) => view.getMany([progressKey(id)]));
    const progress = stored && decodeProgress(stored, `the progress of ${name}`);
    const last = await store.last(batchesRange(id, 0));
    return new KeyedStoreLog(
      parts,
      progress ?? { folded: 0, floor: 0, rowCount: 0 },
      last === undefined ? 0 : sequenceOf(last[0]),
    );
  }

  private constructor(parts: Parts, progress: Progress, head: number) {
    this.name = parts.name;
    this.epoch = parts.epoch;
    this.#parts = parts;
    this.#writers = new WriterTable(parts);
    this.#progress = progress;
    // Trimming leaves the last batch, so a head below what is folded means that batches have vanished.
    assert(head >= progress.folded, `Store ${parts.name}: the log ends before what is folded.`);
    this.#head = head;
    this.#assigned = head;
  }

  get head(): number {
    return this.#head;
  }

  get floor(): number {
    return this.#progress.floor;
  }

  get folded(): number {
    return this.#progress.folded;
  }

  get rowCount(): number {
    return this.#progress.rowCount;
  }

  async append(batch: NewBatch): Promise<Appended> {
    const writer = this.#writers.find(batch.writer) ?? (await this.#writers.load(batch.writer));
    const known = writer.appended(batch.writerSequence);
    if (known !== undefined) return known;
    const sequence = this.#assigned + 1;
    const timeMs = this.#parts.platform.wallClock();
    const record = writer.store(batch.writerSequence, sequence, timeMs);
    this.#assigned = sequence;
    const stored: Batch = { ...batch, sequence, timeMs };
    const appended = this.#enqueue(stored, [
      { type: 'put', key: batchKey(this.#parts.id, sequence), value: encodeBatch(stored) },
      { type: 'put', key: writer.key, value: encodeWriter(record) },
    ]);
    return writer.pending(batch.writerSequence, appended);
  }

  #enqueue(batch: Batch, writes: readonly Write[]): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#parts.commit.add({
        bytes: batch.body.length,
        writes,
        committed: () => {
          this.#done.push({ batch, resolve });
          this.#parts.touched.add(this);
        },
        failed: reject,
      });
    });
  }

  /** Tells of what the last group has made durable. */
  publish(): void {
    const done = this.#done;
    this.#done = [];
    this.#head = done.at(-1)?.batch.sequence ?? this.#head;
    const batches = done.map(({ batch }) => batch);
    for (const listener of this.#listeners) listener(batches);
    for (const { batch, resolve } of done) resolve({ sequence: batch.sequence, isRepeated: false });
  }

  async read(after: number, bytesMax: number): Promise<readonly Batch[]> {
    const head = this.#head;
    if (after >= head) return [];
    const range = batchesRange(this.#parts.id, after);
    const entries = await this.#parts.store.withView((view) => view.range(range, { bytesMax, countMax: BATCHES_MAX }));
    const [first] = entries;
    if (first === undefined || sequenceOf(first[0]) !== after + 1) throw this.#trimmed(after);
    return entries
      .map(([key, value]) => decodeBatch(sequenceOf(key), value, `batch ${sequenceOf(key)} of ${this.name}`))
      .filter(({ sequence }) => sequence <= head);
  }

  #trimmed(after: number): StoreError {
    return new StoreError('log/trimmed', `The log begins behind batch ${this.floor}.`, {
      details: { after, floor: this.floor },
      hint: 'Ask for rows.',
    });
  }

  tail(listener: (batches: readonly Batch[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async state(row: RowName): Promise<RowState | undefined> {
    return (await this.states([row]))[0];
  }

  states(rows: readonly RowName[]): Promise<readonly (RowState | undefined)[]> {
    return this.#parts.store.withView((view) => this.#readStates(view, rows.map(rowBytes)));
  }

  async #readStates(view: StoreView, names: readonly Uint8Array[]): Promise<readonly (RowState | undefined)[]> {
    const values = await view.getMany(names.map((name) => stateKey(this.#parts.id, name)));
    return values.map((value) => value && decodeState(value, `a row of ${this.name}`));
  }

  putStates(puts: readonly StatePut[], through: number): Promise<void> {
    assert(through <= this.#head, 'Only what is durable is folded.');
    return this.#change(async () => {
      const names = puts.map(rowBytes);
      const stored = await this.#parts.store.withView((view) => this.#readStates(view, names));
      const writes: Write[] = [];
      let rowCount = this.#progress.rowCount;
      for (const [index, put] of puts.entries()) {
        const before = stored[index];
        if ((before?.at.sequence ?? 0) !== put.expectedSequence) continue;
        if (before === undefined) rowCount++;
        else writes.push({ type: 'del', key: changedKey(this.#parts.id, before.at) });
        writes.push(
          { type: 'put', key: stateKey(this.#parts.id, names[index]!), value: encodeState(put) },
          { type: 'put', key: changedKey(this.#parts.id, put.at), value: names[index]! },
        );
      }
      await this.#progressTo({ folded: Math.max(through, this.folded), floor: this.floor, rowCount }, writes);
    });
  }

  rows(after: RowCursor, bytesMax: number): Promise<RowsRead> {
    return this.#parts.store.withView(async (view) => {
      const [stored] = await view.getMany([progressKey(this.#parts.id)]);
      const through = stored === undefined ? 0 : decodeProgress(stored, `the progress of ${this.name}`).folded;
      const rows: StoredRow[] = [];
      let bytes = 0;
      for (let last = after; ; last = rows.at(-1)!.at) {
        const countMax = Math.min(ROWS_AT_ONCE, PAGE_ROWS_MAX - rows.length);
        if (countMax === 0) return { rows, isComplete: false, through };
        const range = changedRange(this.#parts.id, last);
        const entries = await view.range(range, { bytesMax: Number.MAX_SAFE_INTEGER, countMax });
        for (const row of await this.#readRows(view, entries)) {
          bytes += row.state.length + (row.projection?.length ?? 0);
          if (rows.length > 0 && bytes > bytesMax) return { rows, isComplete: false, through };
          rows.push(row);
        }
        if (entries.length < countMax) return { rows, isComplete: true, through };
      }
    });
  }

  async #readRows(
    view: StoreView,
    entries: readonly (readonly [Uint8Array, Uint8Array])[],
  ): Promise<readonly StoredRow[]> {
    const states = await this.#readStates(
      view,
      entries.map(([, name]) => name),
    );
    return entries.map(([, name], index) => {
      const state = states[index];
      assert(state !== undefined, `Store ${this.name}: a row that changed has no state.`);
      return { ...readRowName(new WireReader(name)), ...state };
    });
  }

  statesAfter(row: RowName | undefined, countMax: number): ReturnType<StoreLog['statesAfter']> {
    const { store, id } = this.#parts;
    return store.withView(async (view) => {
      const [stored] = await view.getMany([progressKey(id)]);
      const through = stored === undefined ? 0 : decodeProgress(stored, `the progress of ${this.name}`).folded;
      const limits = { bytesMax: STATES_BYTES_MAX, countMax };
      const entries = await view.range(statesRange(id, row && rowBytes(row)), limits);
      const rows = entries.map(([key, value]) => ({
        ...readRowName(new WireReader(rowBytesOf(key))),
        ...decodeState(value, `a row of ${this.name}`),
      }));
      const last = entries.at(-1);
      const behind = last === undefined ? [] : await view.range(statesRange(id, rowBytesOf(last[0])), ONE);
      return { rows, isLast: behind.length === 0, through };
    });
  }

  tailBytes(): Promise<number> {
    return this.#parts.store.approximateBytes(batchesRange(this.#parts.id, this.floor));
  }

  trim(upTo: number): Promise<void> {
    return this.#change(async () => {
      const floor = Math.min(upTo, this.#head - 1);
      if (floor <= this.floor) return;
      assert(floor <= this.folded, 'Only what is folded is trimmed.');
      // The floor first: what a crash leaves below it is cleared with the next trim.
      await this.#progressTo({ ...this.#progress, floor }, []);
      await this.#parts.store.clear(batchesUpTo(this.#parts.id, floor));
    });
  }

  async forgetWriters(beforeMs: number): Promise<number> {
    const { to, from } = writersRange(this.#parts.id);
    let forgotten = 0;
    for (let next = from; ; ) {
      const limits = { bytesMax: Number.MAX_SAFE_INTEGER, countMax: WRITERS_AT_ONCE };
      const entries = await this.#parts.store.withView((view) => view.range({ from: next, to }, limits));
      const old = entries.filter(([, value]) => decodeWriter(value, 'a writer').timeMs < beforeMs).map(([key]) => key);
      const unused = old.filter((key) => this.#writers.forget(key));
      forgotten += unused.length;
      await this.#parts.store.write(
        unused.map((key) => ({ type: 'del', key })),
        'buffered',
      );
      const last = entries.at(-1);
      if (last === undefined || entries.length < WRITERS_AT_ONCE) return forgotten;
      next = Uint8Array.of(...last[0], 0);
    }
  }

  /** Waits for changes of states that are under way. */
  async settle(): Promise<void> {
    await this.#changing.catch(() => undefined);
  }

  #change<T>(run: () => Promise<T>): Promise<T> {
    const changed = this.#changing.catch(() => undefined).then(run);
    this.#changing = changed;
    return changed;
  }

  async #progressTo(progress: Progress, writes: readonly Write[]): Promise<void> {
    const value = encodeProgress(progress);
    const write: Write = { type: 'put', key: progressKey(this.#parts.id), value };
    await this.#parts.store.write([...writes, write], 'buffered');
    this.#progress = progress;
  }
}
