/**
 * From storage to a state in memory: the catalogue of the superblock, then the log after its floor. Replay takes the
 * longest sound prefix of the log and reports what it dropped (B7); it writes nothing.
 */
import { toLsn } from '../../src/base/ids.ts';
import { RECORD_BYTES_MAX } from '../../src/base/limits.ts';
import type { Row } from '../../src/base/row.ts';
import type { RecoveryReport } from '../../src/protocol/engine-api.ts';
import { type CollectionState, encodePrimaryKey } from '../indexes/index.ts';
import { BlobRow } from '../pages/index.ts';
import type { Storage } from '../storage/index.ts';
import { type Compression, quarantineTail, readWal } from '../wal/index.ts';
import { type Commit, decodeCommits, type Operation } from './commit-format.ts';
import { DELETE_TOGETHER_MIN, deleteRows, type RowDeletes } from './delete-rows.ts';
import { LOOK_AHEAD_ROWS_MAX, loadPaths } from './load-paths.ts';
import { RowInserts, sourceOf } from './row-inserts.ts';
import { CATALOGUE_FORMAT, type Catalogue, decodeCatalogue, StoreState } from './store-state.ts';
import { applyWrite, presentKeys, presentRow, presentRows, type RowChange } from './write-task.ts';

export type Recovered = {
  readonly state: StoreState;
  /** Generation of the superblock; 0 when there is none yet. */
  readonly generation: number;
  readonly floor: number;
  readonly lastLsn: number;
  /** Of the last writer. The next one takes the next. */
  readonly epoch: number;
  readonly logBytes: number;
  readonly report: RecoveryReport;
};

const EMPTY: Catalogue = {
  format: CATALOGUE_FORMAT,
  floor: 0,
  epoch: 0,
  nextPage: 1,
  nextBlob: 1,
  nextTree: 1,
  nextCollection: 1,
  pendingPages: [],
  pendingBlobs: [],
  collections: [],
};

/** Roots of trees that are read at once: what is asked first needs some of them. */
const ROOTS_READ_MAX = 16;

export async function recover(options: {
  readonly storage: Storage;
  readonly cacheBytesMax: number;
  readonly compression: Compression | undefined;
}): Promise<Recovered> {
  const { storage } = options;
  const superblock = await storage.pages.readSuperblock();
  const catalogue = superblock === undefined ? EMPTY : decodeCatalogue(superblock.bytes);
  const state = new StoreState(storage, options);
  state.load(catalogue);
  // While the log is read. Whoever needs a page that cannot be read is told then.
  const roots = state.trees.map(({ head }) => head.root).filter((root) => typeof root === 'number');
  const rootsMax = Math.min(ROOTS_READ_MAX, options.cacheBytesMax / RECORD_BYTES_MAX);
  void state.space.load(roots.slice(0, rootsMax)).catch(() => undefined);
  const reading = readWal({ log: storage.log, after: toLsn(catalogue.floor), compression: options.compression });
  const replay = new Replay(state);
  let logBytes = 0;
  let writer = 0;
  for await (const { payload, epoch } of reading) {
    logBytes += payload.length;
    state.answered.beginGroup({ isSameWriter: epoch === writer });
    writer = epoch;
    for (const commit of decodeCommits(payload)) await replay.apply(commit);
    state.trim();
  }
  await replay.flush();
  state.answered.endGroups();
  const report = reading.report();
  if (report.framesDropped > 0) {
    await quarantineTail({ log: storage.log, report });
    // Large values of the dropped frames are kept, and with them their ids.
    const lastBlob = (await storage.blobs.ids()).at(-1) ?? 0;
    state.nextBlob = Math.max(state.nextBlob, lastBlob + 1);
  }
  state.settleAll();
  return {
    state,
    generation: superblock?.generation ?? 0,
    floor: catalogue.floor,
    lastLsn: report.lastLsn,
    epoch: Math.max(catalogue.epoch, report.epoch),
    logBytes,
    report: {
      framesKept: report.framesKept,
      commitsKept: replay.commits,
      framesDropped: report.framesDropped,
      bytesDropped: report.bytesDropped,
      reason: report.reason ?? (storage.tail?.() === 'missing' ? 'tail-missing' : undefined),
    },
  };
}

/** Rows that are gathered before they go into the trees together. */
const REPLAY_ROWS_MAX = 4_096;

/**
 * Applies operations in the order of the log. Nobody sees what is between, so puts that follow each other go
 * into the trees of their collections together, sorted, the last one of each key; that is several times cheaper than one by one.
 */
class Replay {
  readonly #state: StoreState;
  /** By collection: their trees have nothing to do with each other. */
  readonly #rows: Map<CollectionState, Map<string, Row>> = new Map();
  #count = 0;
  commits = 0;

  constructor(state: StoreState) {
    this.#state = state;
  }

  async apply(commit: Commit): Promise<void> {
    this.commits += 1;
    for (const operation of commit) {
      if (operation.type === 'put') {
        const collection = this.#state.byId(operation.collection);
        const gathered = this.#rows.get(collection) ?? new Map<string, Row>();
        this.#rows.set(collection, gathered);
        for (const row of operation.rows) gathered.set(encodePrimaryKey(collection.keyOf(row)), row);
        this.#count += operation.rows.length;
        if (this.#count >= REPLAY_ROWS_MAX) await this.flush();
        continue;
      }
      if (operation.type === 'answered') {
        this.#state.answered.recovered(operation);
        continue;
      }
      await this.flush();
      if (operation.type === 'catalogue') this.#state.applyCatalogueChange(operation.change);
      else if (operation.type === 'delete' && operation.keys.length >= DELETE_TOGETHER_MIN) {
        await this.#delete(this.#state.byId(operation.collection), operation.keys);
      } else await this.#change(this.#state.byId(operation.collection), () => changesOf(this.#state, operation));
    }
  }

  async flush(): Promise<void> {
    for (const [collection, rows] of this.#rows) if (rows.size > 0) await this.#flush(collection, rows);
    this.#rows.clear();
    this.#count = 0;
  }

  async #flush(collection: CollectionState, gathered: ReadonlyMap<string, Row>): Promise<void> {
    const { space } = this.#state;
    if (gathered.size <= LOOK_AHEAD_ROWS_MAX) await loadPaths(space, collection, gathered);
    const keys = [...gathered.keys()].sort();
    const rows = keys.map((key) => gathered.get(key)!);
    const { primary } = collection;
    const isFresh = space.whenResident(
      () => primary.isBelow(keys[0]!) || !presentKeys(collection, keys).includes(true),
    );
    if (isFresh instanceof Promise ? await isFresh : isFresh) {
      const inserts = new RowInserts(sourceOf(keys, rows));
      const write = { collection, changes: [], inserts, ...NOTHING_ELSE };
      const applying = space.whenResident(() => applyWrite(write));
      if (applying instanceof Promise) await applying;
      return;
    }
    await this.#change(collection, () => replacements(this.#state, collection, keys, rows));
  }

  async #delete(collection: CollectionState, keys: readonly string[]): Promise<void> {
    const deletes: RowDeletes = { keys: keys.toSorted(), removed: undefined, freedBlobs: [] };
    await deleteRows(this.#state, collection, deletes, async () => undefined);
    for (const blob of deletes.freedBlobs) this.#state.replayFreed.push(blob);
  }

  async #change(collection: CollectionState, changesOf: () => readonly RowChange[]): Promise<void> {
    const { space } = this.#state;
    const prepared = space.whenResident(changesOf);
    const changes = prepared instanceof Promise ? await prepared : prepared;
    for (const { freedBlob } of changes) if (freedBlob !== undefined) this.#state.replayFreed.push(freedBlob);
    const applying = space.whenResident(() => applyWrite({ collection, changes, ...NOTHING_ELSE }));
    if (applying instanceof Promise) await applying;
  }
}

const NOTHING_ELSE = { encoded: undefined, blobs: [], value: undefined };

function replacements(
  state: StoreState,
  collection: CollectionState,
  keys: readonly string[],
  rows: readonly Row[],
): readonly RowChange[] {
  return presentRows(state, collection, keys).map((present, at) => {
    const row = rows[at]!;
    return { key: keys[at]!, before: present?.before, freedBlob: present?.freedBlob, after: { stored: row, row } };
  });
}

/** What an operation of the log changes. Replaying what the pages hold already gives the same state again. */
function changesOf(
  state: StoreState,
  operation: Exclude<Operation, { type: 'answered' | 'catalogue' | 'put' }>,
): readonly RowChange[] {
  const collection = state.byId(operation.collection);
  const present = (key: string): { before: RowChange['before']; freedBlob: number | undefined } =>
    presentRow(state, collection, key) ?? { before: undefined, freedBlob: undefined };
  switch (operation.type) {
    case 'put-blob': {
      const stored = new BlobRow(operation.key, operation.blob, operation.bytes);
      state.nextBlob = Math.max(state.nextBlob, operation.blob + 1);
      const { before, freedBlob } = present(operation.key);
      const row = state.wholeRow(stored);
      return [
        {
          key: operation.key,
          before,
          freedBlob: freedBlob === operation.blob ? undefined : freedBlob,
          after: { stored, row },
        },
      ];
    }
    case 'delete':
      return presentRows(state, collection, operation.keys).flatMap((row, at) =>
        row === undefined ? [] : [{ key: operation.keys[at]!, ...row, after: undefined }],
      );
  }
}
