/**
 * Brings the rows of one collection to the version that the application defines, while other collections are in use.
 * The functions are the page's, as functions cannot cross to a worker; batches of rows go there and come back.
 *
 * Invariants
 * - Nobody else writes to the collection meanwhile. So rows up to the mark in the catalogue are of its version, all
 *   others of the version before, and the mark is stored in one commit with the rows that it speaks of: a crash at any
 *   moment goes on exactly there (MIG-1).
 * - It begins with the first call on the collection: opening costs the same with and without (MIG-2).
 * - What else the new definition says, new indexes above all, is done when all rows are new (MIG-3).
 *
 * A mark may be of a version below the one defined now, when a newer application has come since the crash. Then the rows
 * are first all brought to the version of the mark, and from there to the defined one, in two passes. One pass over rows
 * of three versions would save writes in that rare case, and cost a list of marks.
 */
import { estimateRowBytes } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { errorToWire, StoreError } from '../../src/base/store-error.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import type { MigrateRows, Migration as MigrationInfo } from '../../src/protocol/engine-api.ts';
import { type CollectionState, decodePrimaryKey } from '../indexes/index.ts';
import { BlobRow, LeafScan } from '../pages/index.ts';
import {
  type CatalogueChange,
  type Committer,
  migrationFailed,
  prepareMigrated,
  type RowValidator,
  type StoreState,
} from '../transactions/index.ts';
import { planDrops, planPresent } from './catalogue-plan.ts';

/** Of one batch: a commit each, and what the page has in memory twice. One larger row is a batch of its own. */
const BATCH_ROWS_MAX = 1_000;
const BATCH_BYTES_MAX = 256 * 1024;

export type MigrationContext = {
  readonly state: StoreState;
  readonly committer: Committer;
  readonly durability: 'strict' | 'relaxed';
  readonly validatorOf: (collection: string) => RowValidator | undefined;
  /** Throws when nothing may be written any more. */
  readonly assertOpen: () => void;
  readonly changeCatalogue: (changes: readonly CatalogueChange[]) => Promise<void>;
  /** It got on. */
  readonly onChange: () => void;
  /** The collection can be used from now on. */
  readonly onDone: (collection: CollectionState) => void;
};

/** Errors that say all by themselves. */
const WHOLE_ERRORS = /^(collection\/migration-failed|store\/closed|engine\/(poisoned|superseded))$/;

type Settle = { readonly resolve: () => void; readonly reject: (error: unknown) => void };

export class Migration {
  readonly #context: MigrationContext;
  readonly #collection: CollectionState;
  readonly #wanted: CollectionSpec;
  readonly #end: Promise<void>;
  readonly #settle: Settle;
  #isNeeded = false;
  #hasBegun = false;
  #run: MigrateRows | undefined;
  #info: MigrationInfo;

  constructor(context: MigrationContext, collection: CollectionState, wanted: CollectionSpec) {
    this.#context = context;
    this.#collection = collection;
    this.#wanted = wanted;
    const { name, version: from } = collection.spec;
    const done = collection.migration?.to === wanted.version ? collection.migration.done : 0;
    const total = collection.primary.visible.count;
    this.#info = { collection: name, from, to: wanted.version, done, total, state: 'waiting' };
    let settle: Settle | undefined;
    this.#end = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#settle = settle!;
    // Who waits for it hears of its failure; nobody may be waiting.
    this.#end.catch(() => undefined);
  }

  get info(): MigrationInfo {
    return this.#info;
  }

  /** Somebody needs the collection. */
  whenDone(): Promise<void> {
    this.#isNeeded = true;
    this.#begin();
    return this.#end;
  }

  /** Somebody has the functions. */
  offer(run: MigrateRows): Promise<void> {
    if (!this.#hasBegun) this.#run = run;
    this.#begin();
    return this.#end;
  }

  #begin(): void {
    if (!this.#isNeeded || this.#run === undefined || this.#hasBegun) return;
    this.#hasBegun = true;
    this.#all(this.#run).then(this.#settle.resolve, this.#settle.reject);
  }

  async #all(run: MigrateRows): Promise<void> {
    const { state, assertOpen, changeCatalogue, onDone } = this.#context;
    const collection = this.#collection;
    const { from, to } = this.#info;
    try {
      this.#tell({ state: 'running' });
      while (collection.spec.version < to) await this.#pass(run, collection.migration?.to ?? to);
      assertOpen();
      await changeCatalogue(planPresent(collection, this.#wanted, () => state.nextTree++));
      onDone(collection);
      this.#tell({ state: 'done' });
    } catch (error) {
      const isWhole = error instanceof StoreError && WHOLE_ERRORS.test(error.code);
      const failure = isWhole ? error : migrationFailed(collection, { from, to, cause: error });
      // A closed store tells no more.
      if (failure.code !== 'store/closed') this.#tell({ state: 'failed', error: errorToWire(failure) });
      throw failure;
    }
  }

  /** All rows that are left, to one version. The page works on a batch while the one before it is stored. */
  async #pass(run: MigrateRows, to: number): Promise<void> {
    const { state, committer, durability, validatorOf, assertOpen, changeCatalogue } = this.#context;
    const collection = this.#collection;
    const from = collection.spec.version;
    const isLastPass = to === this.#wanted.version;
    const validate = isLastPass ? validatorOf(collection.spec.name) : undefined;
    let { upTo, done } = collection.migration ?? { upTo: '', done: 0 };
    let storing: Promise<unknown> | undefined;
    for (let isLast = false; !isLast; ) {
      const batch = await this.#read(upTo);
      const { keys } = batch;
      const rows = keys.length === 0 ? [] : await this.#migrate(run, batch, { from, to });
      await storing;
      assertOpen();
      // An index that the new definition does not have may be untrue of the new rows.
      if (storing === undefined) await changeCatalogue(planDrops(collection, this.#wanted));
      isLast = batch.isLast;
      upTo = keys.at(-1) ?? upTo;
      done += keys.length;
      const progress: CatalogueChange = isLast
        ? { type: 'end-migration', collection: collection.id, version: to }
        : { type: 'migrate-rows', collection: collection.id, to, upTo, done };
      const migrated = { keys, rows, from, to, progress, validate };
      const stored = done;
      storing = committer
        .write(() => prepareMigrated(state, collection, migrated), { durability, signal: undefined })
        .then(() => isLastPass && this.#tell({ done: stored }));
      // It is awaited after the next batch was asked for.
      storing.catch(() => undefined);
    }
    await storing;
  }

  async #migrate(
    run: MigrateRows,
    { keys, rows }: Batch,
    versions: { readonly from: number; readonly to: number },
  ): Promise<readonly Row[]> {
    const batch = await run(rows, versions.from, versions.to);
    if (batch.rows !== undefined) return batch.rows;
    const { row, version, reason } = batch;
    const key = decodePrimaryKey(keys[row] ?? keys[0]!);
    throw migrationFailed(this.#collection, { ...versions, version, key, cause: reason });
  }

  #tell(change: Partial<MigrationInfo>): void {
    this.#info = { ...this.#info, ...change };
    this.#context.onChange();
  }

  /** The rows after a key, whole. */
  async #read(after: string): Promise<Batch> {
    const { state } = this.#context;
    const close = state.snapshots.open();
    try {
      const { keys, stored, isLast } = await state.space.whenResident(() => this.#scan(after));
      const rows = await Promise.all(
        stored.map((row) => (row instanceof BlobRow ? state.readBlob(row) : (row as Row))),
      );
      return { keys, rows, isLast };
    } finally {
      close();
      state.trim();
    }
  }

  #scan(after: string): Omit<Batch, 'rows'> & { readonly stored: readonly unknown[] } {
    const { space, visible } = this.#collection.primary;
    const from = after === '' ? after : `${after}\0`;
    const scan = new LeafScan(space, visible, { from, to: undefined }, { reverse: false });
    const keys: string[] = [];
    const stored: unknown[] = [];
    let bytes = 0;
    for (let run = scan.next(); run !== undefined; run = scan.next()) {
      for (let at = run.start; at !== run.end; at += run.step) {
        const row = run.values![at];
        bytes += row instanceof BlobRow ? row.bytes : estimateRowBytes(row as Row);
        if (keys.length === BATCH_ROWS_MAX || (keys.length > 0 && bytes > BATCH_BYTES_MAX)) {
          return { keys, stored, isLast: false };
        }
        keys.push(run.keys[at]!);
        stored.push(row);
      }
    }
    return { keys, stored, isLast: true };
  }
}

type Batch = { readonly keys: readonly string[]; readonly rows: readonly Row[]; readonly isLast: boolean };
